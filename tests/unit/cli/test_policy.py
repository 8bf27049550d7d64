from pathlib import Path

import pytest

from kilonova.cli.policy import main
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.store import cells, server_mappings
from kilonova.store.cells import API_SCHEMA

_SERVER = "99999999-9999-9999-9999-999999999999"


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "policy.yaml").write_text('"os_compute_api:servers:stop": "role:operator"\n')
    (tmp_path / "policy.d").mkdir()
    (tmp_path / "policy.d" / "more.yaml").write_text('"os_compute_api:servers:start": "rule:context_is_admin"\n')
    file = tmp_path / "nova.conf"
    lines = ["[api_database]", f"connection = sqlite:///{tmp_path}/api.db", "[oslo_policy]"]
    lines += [f"policy_file = {tmp_path}/policy.yaml", f"policy_dirs = {tmp_path}/policy.d", ""]
    file.write_text("\n".join(lines))
    return ["--config-file", str(file)]


def _passes(arguments: list[str], capsys: pytest.CaptureFixture[str], roles: str, *words: str) -> tuple[int, list[str]]:
    caller = ["--os-roles", roles, "--os-user-id", "u", "--os-tenant-id", "p"]
    code = main([*arguments, *caller, "policy", "check", *words])
    return code, capsys.readouterr().out.split("\n")[:-1]


def test_rules_that_the_caller_passes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    pattern = ("--api-name", "servers:(start|stop|show)$")
    show, start, stop = (f"os_compute_api:servers:{verb}" for verb in ("show", "start", "stop"))
    assert _passes(arguments, capsys, "member,reader", *pattern) == (0, [show])
    assert _passes(arguments, capsys, "operator", *pattern) == (0, [stop])
    assert _passes(arguments, capsys, "admin", *pattern) == (0, [show, start])
    assert _passes(arguments, capsys, "reader", *pattern, "--target", "project_id", "q")[0] == 1
    assert len(_passes(arguments, capsys, "admin")[1]) == 201


def test_target_is_a_server(arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    database = Database(DatabaseOptions(connection=f"sqlite:///{tmp_path}/api.db"))
    API_SCHEMA.upgrade(database)
    words = ("--api-name", "servers:show$", "--target", "instance_id", _SERVER)
    assert _passes(arguments, capsys, "reader", *words)[0] == 1
    cell = cells.write_mapping(database, {"uuid": "1", "name": "one", "disabled": False})
    owner = {"project_id": "p", "user_id": "u", "cores": 1, "ram": 1, "created_at": "1"}
    with database.write() as connection:
        row = {"uuid": _SERVER, "cell_id": cell, **owner, "counted": True, "confirmed": True}
        server_mappings.add(connection, [row])
    assert _passes(arguments, capsys, "reader", *words) == (0, ["os_compute_api:servers:show"])
    database.dispose()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--api-name", "("], "no regular expression"),
        (["--target", "project_id"], "pairs"),
        (["--target", "colour", "red"], "colour"),
    ],
)
def test_refusals(arguments: list[str], capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert main([*arguments, "policy", "check", *words]) == 1
    assert told in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.strip()
