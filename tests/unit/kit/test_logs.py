import logging
from pathlib import Path

import pytest

from kilonova.kit import logs
from kilonova.kit.logs import LogOptions


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("cannot reach rabbit://stack:mqpass@host:5672/", "cannot reach rabbit://stack:***@host:5672/"),
        ("X-Auth-Token: abcdef", "X-Auth-Token: ***"),
        ("{'password': 'hunter2'}", "{'password': '***'}"),
        ("token gAAAAABexamplexamplexamplexample was refused", "token gAAAAA*** was refused"),
        ("http://host:8774/v2.1 answers", "http://host:8774/v2.1 answers"),
    ],
)
def test_secrets_are_blotted_out(text: str, kept: str) -> None:
    assert logs.blotted(text) == kept


def test_a_line_names_the_request_it_was_written_for() -> None:
    record = logging.LogRecord("here", logging.INFO, __file__, 1, "said %s", ("this",), None)
    formatter = logs._Line("[%(request)s] %(message)s")
    logs.request_is(None)
    with logs.working_for("req-1"):
        assert formatter.format(record) == "[req-1] said this"
    assert formatter.format(record) == "[-] said this"


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (LogOptions(), None),
        (LogOptions(log_dir="/var/log/nova"), Path("/var/log/nova/nova-api.log")),
        (LogOptions(log_file="api.log", log_dir="/var/log/nova"), Path("/var/log/nova/api.log")),
        (LogOptions(log_file="/tmp/x.log", log_dir="/var/log/nova"), Path("/tmp/x.log")),
    ],
)
def test_where_logs_go(options: LogOptions, path: Path | None) -> None:
    assert logs.log_path(options, "nova-api") == path
