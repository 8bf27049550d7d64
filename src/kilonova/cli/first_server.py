"""The first server of ``kilonova up``: boots it, or brings it back, and shows what a newcomer wants to see of it."""

import re
from typing import Any

from kilonova.cli.guest_image import READY
from kilonova.cli.lab_client import LabClient, Say

NAME = "first"
_AWAKE = {"SHUTOFF": "os-start", "PAUSED": "unpause", "SUSPENDED": "resume"}
_TAIL = 6
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x20-\x7e\n]")


def present(client: LabClient, image: str, flavor: str, cloud: str, say: Say) -> str:
    """The summary, once the server is ACTIVE and its guest ready.

    Raises FirstServerFailed, NotInTime, NoNetwork, Refused.
    """
    known = client.server(NAME)
    before = ""
    if known is None:
        say(f"booting the server {NAME}")
        ident = client.boot(NAME, image, flavor, client.network("private"))
    else:
        ident = known["id"]
        action = _AWAKE.get(known["status"])
        if action:
            say(f"the server {NAME} is {known['status']}: {action.removeprefix('os-')}")
            before = client.console(ident) if action == "os-start" else ""
            client.action(ident, action)
    server = client.until_active(ident, say)
    say("waiting for the guest's ready line")
    console = client.until_ready(ident, READY, say, after=before)
    say("done")
    return summary(server, console, client.console_url(ident), cloud)


def summary(server: dict[str, Any], console: str, url: str, cloud: str) -> str:
    """Status, address, console and three commands to try."""
    addresses = [entry["addr"] for entries in server["addresses"].values() for entry in entries]
    shown = "\n".join(f"    {line}" for line in tail(console))
    return f"""
Server       {server["name"]}  {server["id"]}
Status       {server["status"]}
Address      {", ".join(addresses)}
Console log
{shown}
Console URL  {url}

Try next:
    openstack --os-cloud {cloud} server list --long
    openstack --os-cloud {cloud} server create --flavor m1.tiny --image tinyguest --network private --wait web1
    openstack --os-cloud {cloud} console log show {server["name"]}
"""


def tail(console: str) -> list[str]:
    """The last lines up to the ready line, without the terminal's control characters."""
    lines = [line.rstrip() for line in _CONTROL.sub("", console).split("\n")]
    lines = [line for line in lines if line]
    ready = [number for number, line in enumerate(lines) if READY in line]
    end = ready[-1] + 1 if ready else len(lines)
    return lines[max(0, end - _TAIL) : end]
