import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from kilonova.kit import logs
from kilonova.kit.options import BadConfiguration, from_mapping, load
from kilonova.kit.reload import reload

SERVER = "11111111-2222-3333-4444-555555555555"
LOG = logging.getLogger("kilonova.test")


pytestmark = pytest.mark.usefixtures("root_logger")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cannot reach rabbit://stack:mqpass@host:5672/", "cannot reach rabbit://stack:***@host:5672/"),
        ("X-Auth-Token: abcdef", "X-Auth-Token: ***"),
        ("{'password': 'hunter2'}", "{'password': '***'}"),
        (r'{"message": "{\"password\": \"hunter2\"}"}', r'{"message": "{\"password\": \"***\"}"}'),
        ("token gAAAAABexamplexamplexamplexample was refused", "token gAAAAA*** was refused"),
        ("http://host:8774/v2.1 answers", "http://host:8774/v2.1 answers"),
    ],
)
def test_secrets_are_blotted_out(text: str, kept: str) -> None:
    assert logs.blotted(text) == kept


def lines(folder: Path, **options: Any) -> list[str]:
    """What is written by a program that works for a request, then for nothing."""
    logs.set_up(from_mapping({"DEFAULT": {"log_dir": str(folder), **options}}), "nova-test")
    with logs.working_for(request_id="req-1", user="ada", server=SERVER, operation="op-1"):
        LOG.info("said %s", "this")
    LOG.info("rabbit://u:secret@h/")
    return (folder / "nova-test.log").read_text().splitlines()


def test_a_line_names_request_caller_server_and_operation(tmp_path: Path) -> None:
    about, plain = lines(tmp_path)
    start, _, rest = about.partition(" INFO kilonova.test ")
    assert start.rsplit(" ", 1)[1].isdigit()  # the process
    assert rest == f"[- req-1 ada - - - - -] [instance: {SERVER}] [operation: op-1] said this"
    assert plain.endswith(" INFO kilonova.test [-] rabbit://u:***@h/")


def test_formats_of_the_operator(tmp_path: Path) -> None:
    wanted = {
        "logging_context_format_string": "%(request_id)s|%(instance)s|%(user_identity)s|%(message)s",
        "logging_user_identity_format": "%(user)s",
        "instance_uuid_format": "<%(uuid)s> ",
        "logging_default_format_string": "plain|%(message)s",
    }
    about, plain = lines(tmp_path, **wanted)
    assert about == f"req-1|<{SERVER}> [operation: op-1] |ada|said this"
    assert plain == "plain|rabbit://u:***@h/"


def test_json(tmp_path: Path) -> None:
    about, plain = map(json.loads, lines(tmp_path, use_json=True))
    assert about["message"] == "said this"
    assert about["levelname"] == "INFO"
    assert about["context"]["request_id"] == "req-1"
    assert about["context"]["server"] == SERVER
    assert about["context"]["operation"] == "op-1"
    assert plain["context"] == {}
    assert plain["message"] == "rabbit://u:***@h/"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"log_rotation_type": "weird"}, "log_rotation_type"),
        ({"log_dir": "/nowhere/at/all"}, "log_file or log_dir"),
        ({"use_syslog": True, "syslog_log_facility": "weird"}, "syslog facility must be one of"),
        ({"log_config_append": "/none.ini"}, "/none.ini"),
    ],
)
def test_what_cannot_be_is_told(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadConfiguration, match=words):
        logs.set_up(from_mapping({"DEFAULT": options}), "nova-test")


def test_levels(tmp_path: Path) -> None:
    assert len(lines(tmp_path, default_log_levels=["kilonova.test=WARN"])) == 0
    LOG.setLevel(logging.NOTSET)


def test_reload_reopens_the_file_and_takes_debug_over(tmp_path: Path) -> None:
    file, log = tmp_path / "nova.conf", tmp_path / "nova-test.log"
    file.write_text(f"[DEFAULT]\nlog_dir = {tmp_path}\n")
    logs.set_up(load("nova-test", ["--config-file", str(file)]), "nova-test")
    LOG.debug("not told")
    log.rename(tmp_path / "nova-test.log.1")
    file.write_text(f"[DEFAULT]\nlog_dir = {tmp_path}\ndebug = true\n")
    reload()
    LOG.debug("told")
    assert [line.rsplit("] ", 1)[1] for line in log.read_text().splitlines()][-1].startswith("told")
    file.write_text("[DEFAULT\n")
    reload()
    assert "logs could not be read again, and stay as they were" in log.read_text()


def test_facts_go_along_to_other_threads_and_come_back(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []
    token = logs.begin(request_id="req-1")
    logs.add(server=SERVER, user=None)

    def look() -> None:
        seen.append(logs.facts())

    thread = threading.Thread(target=logs.inheriting(look))
    with logs.working_for(request_id="req-2"):
        thread.start()
        thread.join()
        seen.append(logs.facts())
    seen.append(logs.facts())
    logs.end(token)
    seen.append(logs.facts())
    first = {"request_id": "req-1", "server": SERVER}
    assert seen == [first, {"request_id": "req-2"}, first, {}]
