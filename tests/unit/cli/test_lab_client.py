from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.exceptions import ConnectFailure

from kilonova.cli.lab_client import FirstServerFailed, LabClient, NoNetwork, NotInTime, Refused
from kilonova.cli.lab_files import Lab
from kilonova.kit.clock import ManualClock

READY = "GUEST READY"


class Answer:
    def __init__(self, document: Any) -> None:
        self.content = b"" if document is None else b"{}"
        self._document = document

    def json(self) -> Any:
        return self._document


class Session:
    """Answers by method and path; notes what was asked."""

    def __init__(self, answer: Callable[[str, str, Any], Any]) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self._answer = answer

    def request(self, url: str, method: str, *, headers: Any, json: Any = None, data: Any = None) -> Answer:
        path = "/" + url.split("/", 3)[3]
        self.asked.append((method, path, json if data is None else data.read()))
        assert headers["OpenStack-API-Version"].startswith("compute 2.")
        return Answer(self._answer(method, path, json))

    def get(self, url: str, headers: Any) -> Answer:  # keystoneauth's signature
        return Answer(self._answer("GET", "/" + url.split("/", 3)[3], None))


def client(answer: Callable[[str, str, Any], Any]) -> tuple[LabClient, Session]:
    session = Session(answer)
    return LabClient(Lab(Path("/nowhere")), session, ManualClock()), session


def turns(*documents: Any) -> Callable[[str, str, Any], Any]:
    """One after the other; the last stays."""
    left = list(documents)
    return lambda *_: left.pop(0) if len(left) > 1 else left[0]


def server(status: str, task: str | None = None, **more: Any) -> dict[str, Any]:
    return {"server": {"name": "first", "status": status, "OS-EXT-STS:task_state": task, **more}}


def test_until_active_tells_each_state_once() -> None:
    spawning = server("BUILD", "spawning")
    made, _ = client(turns(server("BUILD"), spawning, spawning, server("ACTIVE")))
    said: list[str] = []
    assert made.until_active("42", said.append)["status"] == "ACTIVE"
    assert said == ["server first: BUILD", "server first: BUILD (spawning)", "server first: ACTIVE"]


def test_until_active_gives_the_fault() -> None:
    made, _ = client(turns(server("ERROR", fault={"message": "No valid host was found."})))
    with pytest.raises(FirstServerFailed, match="The server first failed: No valid host"):
        made.until_active("42", print)


def test_until_active_ends_in_time() -> None:
    made, _ = client(turns(server("BUILD", "spawning")))
    with pytest.raises(NotInTime, match="within 300 seconds"):
        made.until_active("42", lambda _: None)


def test_until_ready_wants_a_whole_line() -> None:
    outputs = ["", f"x\n{READY} half", f"x\n{READY} whole\n"]
    made, session = client(turns(*({"output": text} for text in outputs)))
    assert made.until_ready("42", READY, print) == outputs[-1]
    assert len(session.asked) == 3


def test_until_ready_tells_an_old_line_from_a_new_one() -> None:
    old = f"{READY} uptime=8.1\n"
    made, session = client(turns({"output": old}, {"output": old}, {"output": f"{old}{READY} uptime=7.9\n"}))
    assert "7.9" in made.until_ready("42", READY, print, after=old)
    assert len(session.asked) == 3


def test_until_ready_gives_signs_of_life() -> None:
    made, _ = client(turns({"output": "booting\n"}))
    said: list[str] = []
    with pytest.raises(NotInTime, match="GUEST READY"):
        made.until_ready("42", READY, said.append, seconds=25)
    assert said == ["the guest is still booting"] * 2


def test_the_image_is_uploaded_once_and_its_name_stays_unambiguous(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"12345")
    known = [
        {"id": "half", "status": "saving", "size": None, "created_at": "2026-01-02T00:00:00Z"},
        {"id": "old", "status": "active", "size": 4, "created_at": "2026-01-02T00:00:00Z"},
    ]

    def answer(method: str, path: str, _: Any) -> Any:
        return {"images": known} if method == "GET" else {"id": "new"} if path.endswith("images") else None

    made, session = client(answer)
    assert made.image("tiny", path) == "new"
    asked = {(method, path): body for method, path, body in session.asked}
    assert ("DELETE", "/v2/images/half") in asked
    assert asked["PATCH", "/v2/images/old"][0]["value"] == "tiny-2026-01-02"
    assert asked["PUT", "/v2/images/new/file"] == b"12345"
    known[:] = [{"id": "there", "status": "active", "size": 5, "created_at": "2026-01-02T00:00:00Z"}]
    assert made.image("tiny", path) == "there"


def test_flavors_that_are_missing_are_made() -> None:
    def answer(method: str, _: str, body: Any) -> Any:
        return {"flavors": [{"name": "m1.tiny", "id": "7"}]} if method == "GET" else body

    made, session = client(answer)
    found = made.flavors()
    assert found["m1.tiny"] == "7"
    assert found["m1.small"] == "2"
    assert [method for method, _, _ in session.asked] == ["GET", "POST", "POST", "POST"]


def test_a_failed_first_server_makes_room() -> None:
    made, session = client(turns({"servers": [{"id": "1", "status": "ERROR"}]}, None))
    assert made.server("first") is None
    assert session.asked[-1][:2] == ("DELETE", "/v2.1/servers/1")


def test_no_network_says_so() -> None:
    made, _ = client(turns({"networks": []}))
    with pytest.raises(NoNetwork, match="no network private"):
        made.network("private")


def test_refusals_name_the_url() -> None:
    def answer(*_: Any) -> Any:
        raise ConnectFailure("connection refused")

    made, _ = client(answer)
    with pytest.raises(Refused, match=r"GET http://127\.0\.0\.1:8774/v2\.1/servers/42: connection refused"):
        made.show("42")
    assert made.compute_is_ready() is False


def test_compute_is_ready_once_there_are_candidates() -> None:
    assert client(turns({"allocation_requests": []}))[0].compute_is_ready() is False
    assert client(turns({"allocation_requests": [{}]}))[0].compute_is_ready() is True
