from types import SimpleNamespace

import pytest

from kilonova.api import links
from kilonova.kit.context import Context
from kilonova.kit.http.endpoint import Call


def call(base_url: str, prefix: str | None = None) -> Call:
    app = SimpleNamespace(api=SimpleNamespace(compute_link_prefix=prefix))
    query = {"limit": ["2"], "marker": ["old"], "name": ["a b", "c"]}
    return Call(
        context=Context(),
        version=(2, 1),
        params={},
        query=query,
        body=None,
        headers={},
        base_url=base_url,
        app=app,
    )


@pytest.mark.parametrize(
    ("base_url", "prefix", "here", "there"),
    [
        ("http://h:8774/v2.1", None, "http://h:8774/v2.1/flavors/1", "http://h:8774/flavors/1"),
        ("http://h/v2.1/p", None, "http://h/v2.1/p/flavors/1", "http://h/p/flavors/1"),
        ("http://h/compute/v2/p", None, "http://h/compute/v2/p/flavors/1", "http://h/compute/p/flavors/1"),
        ("http://h/v2.1/p", "https://x/y/", "https://x/y/v2.1/p/flavors/1", "https://x/y/p/flavors/1"),
    ],
)
def test_self_and_bookmark(base_url: str, prefix: str | None, here: str, there: str) -> None:
    made = links.linker(call(base_url, prefix), "flavors")("1")
    assert made == [{"rel": "self", "href": here}, {"rel": "bookmark", "href": there}]
    assert links.bookmark(call(base_url, prefix), "flavors/1") == there
    assert links.base(call(base_url, prefix)) + "/flavors/1" == here


@pytest.mark.parametrize(
    ("base_url", "root"),
    [
        ("http://h", "http://h"),
        ("http://h/v2.1", "http://h"),
        ("http://h/v2/p", "http://h"),
        ("http://h/compute/v2.1/p", "http://h/compute"),
    ],
)
def test_root(base_url: str, root: str) -> None:
    assert links.root(call(base_url)) == root


def test_next_page_keeps_the_query_and_moves_the_marker() -> None:
    (link,) = links.page_link(call("http://h/v2.1", "https://x"), "flavors", "last")
    assert link == {"rel": "next", "href": "https://x/v2.1/flavors?limit=2&name=a+b&name=c&marker=last"}
