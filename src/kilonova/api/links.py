"""Links of resources: the URL that was used, with and without the version in it."""

import functools
from collections.abc import Callable
from urllib.parse import urlsplit

from kilonova.kit.http import paging
from kilonova.kit.http.endpoint import Call

Links = list[dict[str, str]]
_VERSIONS = ("v2", "v2.1")


def linker(call: Call, collection: str) -> Callable[[str], Links]:
    """A function from an id to its ``self`` and ``bookmark`` links; make it once per list."""
    base, bookmark = _bases(call.base_url, call.app.api.compute_link_prefix)
    here, there = f"{base}/{collection}/", f"{bookmark}/{collection}/"

    def links(ident: str) -> Links:
        return [{"rel": "self", "href": here + ident}, {"rel": "bookmark", "href": there + ident}]

    return links


def bookmark(call: Call, path: str) -> str:
    """The version-less URL of ``path`` (``flavors/1``)."""
    return f"{_bases(call.base_url, call.app.api.compute_link_prefix)[1]}/{path}"


def base(call: Call) -> str:
    """The URL all paths of this API start with, project id included when the request had one."""
    return _bases(call.base_url, call.app.api.compute_link_prefix)[0]


def root(call: Call) -> str:
    """Where the service is: no version, no project, no trailing slash."""
    first = _bases(call.base_url, call.app.api.compute_link_prefix)[0]
    for version in _VERSIONS:
        head, found, _rest = first.partition(f"/{version}/")
        if found:
            return head
        first = first.removesuffix(f"/{version}")
    return first


def page_link(call: Call, collection: str, last_id: str) -> Links:
    """The ``next`` link of a page."""
    link = paging.next_link(call, f"/{collection}", last_id)
    return [{**link, "href": base(call) + link["href"].removeprefix(call.base_url)}]


@functools.lru_cache(maxsize=4096)
def _bases(base_url: str, prefix: str | None) -> tuple[str, str]:
    first = base_url
    if prefix:
        parts = urlsplit(base_url)
        first = prefix.rstrip("/") + parts.path
    return first, _unversioned(first)


def _unversioned(url: str) -> str:
    for version in _VERSIONS:
        if url.endswith(f"/{version}"):
            return url.removesuffix(f"/{version}")
        if f"/{version}/" in url:
            return url.replace(f"/{version}/", "/", 1)
    return url
