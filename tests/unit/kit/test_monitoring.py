import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from kilonova.kit import loops
from kilonova.kit.errors import Unavailable
from kilonova.kit.loops import Loop
from kilonova.kit.monitoring import Monitor, MonitoringOptions, Readiness, monitored
from kilonova.kit.options import BadConfiguration, from_mapping


def away() -> None:
    raise Unavailable("the database is away")


def ask(monitor: Monitor, path: str) -> tuple[str, Any]:
    seen: list[str] = []
    body = b"".join(monitor({"PATH_INFO": path}, lambda status, _headers: seen.append(status)))
    return seen[0], json.loads(body) if body.startswith(b"{") else body.decode()


def monitor(**checks: Any) -> Monitor:
    return Monitor("nova-api", MonitoringOptions("127.0.0.1", {"nova-api": "0"}), checks)


def test_ready_and_not() -> None:
    assert ask(monitor(database=lambda: None), "/readyz") == (
        "200 OK",
        {"program": "nova-api", "ready": True, "checks": {"database": "ok"}},
    )
    status, body = ask(monitor(database=away, broker=lambda: None), "/readyz")
    assert status == "503 Service Unavailable"
    assert body["checks"] == {"database": "the database is away", "broker": "ok"}
    assert ask(monitor(database=away), "/healthz")[0] == "200 OK"  # no reason to be restarted
    assert ask(monitor(), "/else")[0] == "404 Not Found"


def test_a_check_that_hangs_is_told_of() -> None:
    release = threading.Event()
    readiness = Readiness({"slow": release.wait, "quick": lambda: None}, seconds=0.05)
    assert readiness.troubles() == {"slow": "no answer within 0.05 s", "quick": "ok"}
    release.set()
    readiness.close()


def test_one_answer_serves_those_who_ask_at_once() -> None:
    asked: list[int] = []
    readiness = Readiness({"a": lambda: asked.append(1)})
    for _ in range(3):
        readiness.troubles()
    assert asked == [1]
    readiness.close()


def test_health_looks_at_loops_that_do_not_come_round() -> None:
    entered, release = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        release.wait(10)

    loop = Loop("sweep", 0.001, hang)
    with pytest.raises(Unavailable, match="sweep has not succeeded since this process began"):
        loop.demand_success(1)
    loop.start()
    entered.wait(10)
    assert "sweep" not in loops.stuck()
    assert ask(monitor(), "/healthz")[1] == {"program": "nova-api", "healthy": True, "stuck": []}
    assert "sweep" in loops.stuck(time.monotonic() + 301)
    release.set()
    loop.stop()
    assert "sweep" not in loops.stuck()
    loop.demand_success(10)


def test_served_on_an_address_of_its_own() -> None:
    with monitored(from_mapping({}), "nova-api", {}):
        pass  # nothing listens: there is no address
    sections = {"monitoring": {"listen": "127.0.0.1", "ports": {"nova-api": "18971"}}}
    with monitored(from_mapping(sections), "nova-api", {"database": away}):
        text = urllib.request.urlopen("http://127.0.0.1:18971/metrics", timeout=30).read().decode()
        assert "process_resident_memory_bytes" in text
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen("http://127.0.0.1:18971/readyz", timeout=30)


def test_a_port_that_is_none() -> None:
    assert MonitoringOptions("x").port("nova-api") == 9871
    with pytest.raises(BadConfiguration, match="nova-api:many"):
        MonitoringOptions("x", {"nova-api": "many"}).port("nova-api")
