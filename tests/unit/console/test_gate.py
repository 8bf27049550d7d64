import pytest

from kilonova.console import gate


@pytest.mark.parametrize(
    ("path", "cookies", "expected"),
    [
        ("/?token=abc", None, "abc"),
        ("/websockify?token=abc&x=1", "token=other", "abc"),
        ("/?path=%3Ftoken%3Dabc", None, "abc"),
        ("/?path=websockify%3Ftoken%3Dabc", None, "abc"),
        ("/websockify", "a=b; token=abc", "abc"),
        ("/websockify", "a=b", None),
        ("/websockify", "token=", None),
        ("/websockify", "\x00;;=,", None),
        ("/?token=", None, None),
        ("/", None, None),
    ],
)
def test_the_token_is_found_where_clients_put_it(path: str, cookies: str | None, expected: str | None) -> None:
    assert gate.token(path, cookies) == expected


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        (None, "cloud:6080", True),
        ("http://cloud:6080", "cloud:6080", True),
        ("https://CLOUD", "cloud:6080", True),
        ("http://[::1]:6080", "[::1]:6080", True),
        ("https://portal.example", "cloud:6080", True),
        ("https://evil.example", "cloud:6080", False),
        ("https://cloud.evil.example", "cloud:6080", False),
        ("null", "cloud:6080", False),
        ("http://[::1", "cloud:6080", False),
        ("http://cloud", None, False),
    ],
)
def test_only_known_pages_may_open_consoles(origin: str | None, host: str | None, *, expected: bool) -> None:
    assert gate.origin_allowed(origin, host, ["Portal.example"]) is expected
