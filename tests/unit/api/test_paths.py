from typing import Any

import pytest

from kilonova.api.paths import ForeignProject, Paths, admit
from kilonova.kit.context import Context

ROOTS = ("servers", "flavors", "limits", "versions")
PROJECT = "0123456789abcdef0123456789abcdef"


def rewritten(path: str, *, loose: bool = False) -> dict[str, Any]:
    environ: dict[str, Any] = {"PATH_INFO": path}
    Paths(ROOTS, loose=loose).rewrite(environ)
    return environ


@pytest.mark.parametrize(
    ("path", "inner"),
    [
        ("", "/.versions"),
        ("/", "/.versions"),
        ("/v2", "/.version/v2.0"),
        ("/v2/", "/.version/v2.0"),
        ("/v2.1/", "/.version/v2.1"),
        ("/servers/1", "/.choices/servers/1"),
        ("/.versions", "/.choices/.versions"),
        ("/v3/servers", "/.choices/v3/servers"),
        ("/v2.1/servers", "/servers"),
        ("/v2.1/servers/", "/.nothing"),
        ("/v2/servers/1/action", "/servers/1/action"),
        (f"/v2.1/{PROJECT}/servers", "/servers"),
        (f"/v2/{PROJECT}/servers/1", "/servers/1"),
        ("/v2.1/01234567-89ab/servers", "/servers"),
        (f"/v2.1/{PROJECT}", f"/{PROJECT}"),
        ("/v2.1/demo/servers", "/demo/servers"),
        (f"/v2.1/servers/{PROJECT}", f"/servers/{PROJECT}"),
        (f"/v2.1/{PROJECT}/nonsense", "/nonsense"),
    ],
)
def test_paths(path: str, inner: str) -> None:
    assert rewritten(path)["PATH_INFO"] == inner


def test_what_is_left_in_the_environment() -> None:
    assert rewritten(f"/v2/{PROJECT}/servers") == {
        "PATH_INFO": "/servers",
        "kilonova.prefix": f"/v2/{PROJECT}",
        "kilonova.project": PROJECT,
        "kilonova.legacy": True,
    }
    assert rewritten("/v2.1/servers") == {"PATH_INFO": "/servers", "kilonova.prefix": "/v2.1"}


def test_words_are_projects_only_when_loose_and_before_a_resource() -> None:
    assert rewritten("/v2.1/demo/servers", loose=True)["kilonova.project"] == "demo"
    assert "kilonova.project" not in rewritten("/v2.1/servers/limits", loose=True)
    assert "kilonova.project" not in rewritten("/v2.1/demo/nonsense", loose=True)


def test_admit_compares_projects() -> None:
    admit({}, Context(project_id="p"))
    admit({"kilonova.project": "p"}, Context(project_id="p"))
    with pytest.raises(ForeignProject, match="'q'"):
        admit({"kilonova.project": "q"}, Context(project_id="p"))
    with pytest.raises(ForeignProject):
        admit({"kilonova.project": "q"}, Context())
