import contextlib
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from kilonova.kit.auth import CachedAuth, KeystoneAuth, NoAuth, _context_of, _expiry, authenticator
from kilonova.kit.clock import Clock, ManualClock
from kilonova.kit.context import Context
from kilonova.kit.errors import Unauthorized, Unavailable
from kilonova.kit.options import from_mapping


class Validator:
    """Counts what it is asked; refuses tokens ``bad…``."""

    def __init__(self, expiry: float | None = None) -> None:
        self.asked: list[str] = []
        self.expiry = expiry
        self.begun = threading.Event()
        self.wait: threading.Event | None = None

    def validate(self, headers: Mapping[str, str], request_id: str) -> tuple[Context, float | None]:
        token = headers["X-AUTH-TOKEN"]
        self.asked.append(token)
        self.begun.set()
        if self.wait:
            self.wait.wait(5)
        if token.startswith("bad"):
            raise Unauthorized
        if token == "down":
            raise Unavailable("Keystone is away")
        return Context(user_id=token, request_id=request_id), self.expiry


def cached(inner: Validator, seconds: float = 60, size: int = 10, clock: Clock | None = None) -> CachedAuth:
    return CachedAuth(cast("KeystoneAuth", inner), seconds, size, clock)


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ({"X-AUTH-TOKEN": "admin"}, ("admin", "admin", NoAuth.ADMIN)),
        ({"X-AUTH-TOKEN": "u:p"}, ("u", "p", ("member", "reader"))),
        ({"X-AUTH-TOKEN": "u", "X-ROLES": " a, ,b "}, ("u", "u", ("a", "b"))),
    ],
)
def test_labs_tokens_name_the_caller(headers: dict[str, str], who: tuple[object, ...]) -> None:
    context = NoAuth().authenticate(headers, "req-1")
    assert (context.user_id, context.project_id, context.roles) == who
    assert context.request_id == "req-1"
    assert context.service_roles == ()
    assert NoAuth().authenticate({**headers, "X-SERVICE-TOKEN": "s"}, "r").service_roles == ("service",)


def test_without_a_token_nobody_is_let_in() -> None:
    inner = Validator()
    for auth in (NoAuth(), cached(inner)):
        for headers in ({}, {"X-AUTH-TOKEN": ""}):
            with pytest.raises(Unauthorized, match="authentication"):
                auth.authenticate(headers, "req-1")
    assert inner.asked == []


def test_a_token_is_validated_once_and_each_request_keeps_its_id() -> None:
    inner = Validator()
    auth = cached(inner)
    contexts = [auth.authenticate({"X-AUTH-TOKEN": "t"}, f"req-{number}") for number in range(3)]
    assert inner.asked == ["t"]
    assert [(c.user_id, c.request_id) for c in contexts] == [("t", f"req-{number}") for number in range(3)]
    auth.authenticate({"X-AUTH-TOKEN": "t", "X-SERVICE-TOKEN": "s"}, "req-9")
    assert inner.asked == ["t", "t"], "with a service token it is another caller"


@pytest.mark.parametrize(("seconds", "times"), [(60, 1), (0, 3)])
def test_refusals_are_remembered_for_a_while(seconds: float, times: int) -> None:
    inner = Validator()
    auth = cached(inner, seconds)
    for _ in range(3):
        with pytest.raises(Unauthorized):
            auth.authenticate({"X-AUTH-TOKEN": "bad"}, "r")
    assert inner.asked == ["bad"] * times


def test_refused_tokens_push_out_no_valid_ones() -> None:
    inner = Validator()
    auth = cached(inner, size=2)
    for token in ("good", *(f"bad{n}" for n in range(9)), "good"):
        with contextlib.suppress(Unauthorized):
            auth.authenticate({"X-AUTH-TOKEN": token}, "r")
    assert inner.asked.count("good") == 1


@pytest.mark.parametrize(("token", "passes"), [("t", True), ("bad", False), ("down", False)])
def test_many_who_come_at_once_make_one_validation(token: str, *, passes: bool) -> None:
    inner = Validator()
    inner.wait = threading.Event()
    auth = cached(inner)

    def come(number: int) -> bool:
        try:
            return auth.authenticate({"X-AUTH-TOKEN": token}, f"req-{number}").request_id == f"req-{number}"
        except (Unauthorized, Unavailable):
            return False

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(come, number) for number in range(8)]
        inner.begun.wait(5)
        time.sleep(0.05)
        inner.wait.set()
        assert [one.result() for one in found] == [passes] * 8
    assert inner.asked == [token]
    if token == "down":
        with pytest.raises(Unavailable):
            auth.authenticate({"X-AUTH-TOKEN": token}, "r")
        assert inner.asked == [token] * 2, "that Keystone was away is not remembered"


def test_made_up_tokens_are_validated_at_a_bounded_rate() -> None:
    """A second's worth at once, then so many a second; those who would wait too long are sent away, not queued."""
    inner, clock, answers = Validator(), _Waiting(), Counter[str]()
    auth = cached(inner, size=1000, clock=clock)
    for number in range(1000):
        try:
            auth.authenticate({"X-AUTH-TOKEN": f"bad{number}"}, "r")
        except (Unauthorized, Unavailable) as error:
            answers[type(error).__name__] += 1
    assert answers == {"Unauthorized": 600, "Unavailable": 400}
    assert len(inner.asked) == 600
    assert max(clock.slept) == pytest.approx(5)
    clock.advance(10)
    assert auth.authenticate({"X-AUTH-TOKEN": "good"}, "r").user_id == "good"


class _Waiting(ManualClock):
    """Others come while one sleeps: time stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.mark.parametrize(("seconds", "expires_in"), [(0, None), (60, -1), (0, 60)])
def test_nothing_is_remembered_beyond_its_time(seconds: float, expires_in: float | None) -> None:
    inner = Validator(None if expires_in is None else time.time() + expires_in)
    auth = cached(inner, seconds)
    for _ in range(2):
        auth.authenticate({"X-AUTH-TOKEN": "t"}, "r")
    assert inner.asked == ["t", "t"]


def test_the_oldest_token_goes_first() -> None:
    inner = Validator()
    auth = cached(inner, size=2)
    for token in ("a", "b", "c", "c", "b", "a"):
        auth.authenticate({"X-AUTH-TOKEN": token}, "r")
    assert inner.asked == ["a", "b", "c", "a"]


def test_what_the_middleware_found_makes_the_caller() -> None:
    environ = {
        "HTTP_X_USER_ID": "u",
        "HTTP_X_PROJECT_ID": "p",
        "HTTP_X_ROLES": "member, reader",
        "HTTP_X_SERVICE_ROLES": "service",
        "HTTP_OPENSTACK_SYSTEM_SCOPE": "all",
        "keystone.token_info": {"token": {"expires_at": "2026-01-02T03:04:05.000000Z"}},
    }
    context = _context_of(environ, "t", "req-1")
    assert (context.user_id, context.project_id, context.system_scope) == ("u", "p", "all")
    assert (context.roles, context.service_roles) == (("member", "reader"), ("service",))
    assert context.token == "t"
    assert "t" != context.token_key == _context_of({}, "t", "req-2").token_key
    assert _expiry(environ) == 1767323045.0
    assert _expiry({}) is None


def test_the_strategy_of_labs() -> None:
    assert isinstance(authenticator(from_mapping({}), "noauth2"), NoAuth)
