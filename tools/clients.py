"""`make clients`: the clients' own functional suites against processes on the fake driver. See docs/conformance.md.

Each suite comes from the newest source package of its client. ``tools/clients.tsv`` names the tests that are left out,
with a reason each. Needs the companion services beside the checkout. Words that are not known here go on to pytest.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deployment.client import command_over
from deployment.held import seed, served
from deployment.services import WontStart
from deployment.stack import ROOT, NoStack, Stack

HOME = ROOT / "build" / "clients"
PYTHON = HOME / "venv" / "bin" / "python"
SUITES: Mapping[str, tuple[str, ...]] = {
    "python-novaclient": ("novaclient/tests/functional",),
    "openstacksdk": (
        "openstack/tests/functional/compute",
        "openstack/tests/functional/compute_shared_file_system",
        "openstack/tests/functional/cloud/test_compute.py",
        "openstack/tests/functional/cloud/test_inventory.py",
        "openstack/tests/functional/examples/test_compute.py",
    ),
    "python-openstackclient": ("openstackclient/tests/functional/compute",),
}
_TOOLS = ("pytest", "tempest", "ddt", "osprofiler", "oslotest", "requests-mock", "testscenarios", "testresources")
"""What the suites import beside their clients."""
_FLAVORS = {
    "m1.tiny": (1, 512, 1),
    "m1.small": (1, 2048, 20),
    "m1.medium": (2, 4096, 40),
    "m1.large": (4, 8192, 80),
    "m1.xlarge": (8, 16384, 160),
}
"""Those that the suites expect by name."""
_IMAGE = "cirros-0.6.3-x86_64-disk"
_IMAGES = (_IMAGE, f"{_IMAGE}.img")
"""Two of the suites insist on such names, which differ."""


def install() -> None:
    """An environment of the suites' own, made once, and their sources."""
    if (HOME / "made").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", HOME / "venv"], check=True)
    quiet = [str(PYTHON), "-m", "pip", "-q", "--disable-pip-version-check"]
    only_source = ["--no-deps", "--no-binary", ":all:", "--dest", str(HOME)]
    subprocess.run([*quiet, "download", *only_source, *SUITES], check=True)
    archives = sorted(HOME.glob("*.tar.gz"))
    for archive in archives:
        with tarfile.open(archive) as packed:
            packed.extractall(HOME, filter="data")
    subprocess.run([*quiet, "install", *map(str, archives), *_TOOLS], check=True)
    (HOME / "made").touch()


def source_of(package: str) -> Path:
    """The unpacked source package, the newest if there are several."""
    found = sorted(HOME.glob(f"{package.replace('-', '_')}-*/"), key=lambda path: path.stat().st_mtime)
    return found[-1]


def clouds(url: str) -> str:
    """A clouds.yaml (JSON is YAML) with the names that the suites know clouds by."""

    networks = [
        {"name": "public", "routes_externally": True},
        {"name": "private", "default_interface": True, "routes_externally": False},
        {"name": "shared", "routes_externally": False},
    ]

    def cloud(user: str, password: str, **scope: str) -> dict[str, object]:
        auth = {"auth_url": url, "username": user, "password": password, "user_domain_id": "default", **scope}
        return {"auth": auth, "region_name": "RegionOne", "identity_api_version": "3", "networks": networks}

    def project(user: str, password: str) -> dict[str, object]:
        return cloud(user, password, project_name=user, project_domain_id="default")

    admin = project("admin", "adminpass")
    return json.dumps(
        {
            "clouds": {
                "functional_admin": admin,
                "devstack-admin": admin,
                "devstack": project("demo", "demopass"),
                "devstack-alt": project("alt_demo", "demopass"),
                "devstack-system-admin": cloud("admin", "adminpass", system_scope="all"),
            },
            "functional": {"image_name": _IMAGE, "flavor_name": "m1.tiny"},
        }
    )


def excluded(package: str) -> dict[str, str]:
    """Test → why it is left out."""
    with (Path(__file__).parent / "clients.tsv").open(newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["test"]: row["reason"] for row in rows if row["suite"] == package}


def outcomes(report: Path) -> Iterator[tuple[str, str, str]]:
    """``passed``, ``failed`` or ``skipped``; the test; why: of a traceback, its last line."""
    for case in ET.parse(report).getroot().iter("testcase"):
        state, why = "passed", ""
        for child in case:
            if child.tag in ("failure", "error"):
                state, why = "failed", [line for line in (child.text or "").splitlines() if line][-1]
            elif child.tag == "skipped" and state == "passed":
                state, why = "skipped", str(child.get("message"))
        yield state, f"{case.get('classname')}.{case.get('name')}", why


@contextmanager
def commands(clouds: str) -> Iterator[Path]:
    """A directory with clouds.yaml, and `openstack` and `nova` that start at once and know it."""
    with tempfile.TemporaryDirectory(prefix="kilonova-clients-") as name:
        path = Path(name) / "socket"
        (Path(name) / "clouds.yaml").write_text(clouds)
        for command in ("openstack", "nova"):
            (Path(name) / command).write_text(command_over(path))
            (Path(name) / command).chmod(0o755)
        words = [str(PYTHON), str(ROOT / "tools" / "deployment" / "preloaded.py"), str(path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=name) as server:
            try:
                assert server.stdout is not None
                server.stdout.readline()
                yield Path(name)
            finally:
                server.terminate()


def run(package: str, commands: Path, words: list[str]) -> bool:
    """One suite: prints its counts and the reasons; was nothing broken?"""
    source, left_out = source_of(package), excluded(package)
    report = HOME / f"{package}.xml"
    report.unlink(missing_ok=True)  # a run that breaks off has none
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment |= {
        "PATH": f"{commands}:{PYTHON.parent}:{environment['PATH']}",
        "NO_PROXY": "*",
        "TOX_ENV_DIR": str(PYTHON.parent.parent),
        "OS_CLIENT_CONFIG_FILE": str(commands / "clouds.yaml"),
        "OS_NOVACLIENT_EXEC_DIR": str(commands),
        "OS_TEST_TIMEOUT": "600",
        "OS_NOVACLIENT_NETWORK": "shared",
        "OPENSTACKSDK_EXAMPLE_CONFIG_KEY": "functional",
    }
    plain = ("-c", os.devnull, "--rootdir=.", "-W", "ignore")  # no configuration of ours
    command = [str(PYTHON), "-m", "pytest", *plain, "-q", "--tb=short", f"--junitxml={report}", *words]
    command += [f"--deselect={test}" for test in left_out]
    with (HOME / f"{package}.log").open("w") as log:
        subprocess.run([*command, *SUITES[package]], cwd=source, env=environment, stdout=log, stderr=log, check=False)
    found = list(outcomes(report)) if report.exists() else []
    count = {word: sum(state == word for state, _, _ in found) for word in ("passed", "failed", "skipped")}
    for test, why in left_out.items():
        print(f"LEFT OUT {test}: {why}")
    for state, test, why in sorted(found):
        if state != "passed":
            print(f"{state.upper()} {test}: {why}")
    told = ", ".join(f"{number} {word}" for word, number in count.items())
    print(f"{source.name}: {told}, {len(left_out)} left out", flush=True)
    return bool(count["passed"]) and not count["failed"]


def test(login: Mapping[str, str], only: list[str] | None, words: list[str]) -> int:
    """The suites one after the other."""
    seed(login, _IMAGES, _FLAVORS)
    with commands(clouds(login["OS_AUTH_URL"])) as directory:
        verdicts = [run(package, directory, words) for package in only or SUITES]
    return 0 if all(verdicts) else 1


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make clients ARGS=", description=__doc__, allow_abbrev=False)
    parser.add_argument("--only", action="append", choices=list(SUITES), help="only this suite")
    parser.add_argument("--against", action="store_true", help="services run already (make tempest ARGS=--hold)")
    arguments, words = parser.parse_known_args(argv)
    try:
        install()
        stack = Stack.find()
        if arguments.against:
            return test(stack.login(), arguments.only, words)
        with served("core", "net", "volume") as deployment:
            return test(deployment.stack.login(), arguments.only, words)
    except KeyboardInterrupt:
        return 130
    except (NoStack, WontStart) as error:
        print(f"clients: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
