"""Runs ``osc-placement``'s own functional tests against the service whose URL is the first argument.

They ask for a placement service by fixtures of the other implementation, which is not here: modules of these names,
made below, hand them ours, emptied before each test over HTTP.
"""

import functools
import logging
import sys
import types
import unittest
from typing import Any

import fixtures
import requests

_URL = sys.argv[1]
_NOW = {"X-Auth-Token": "admin", "OpenStack-API-Version": "placement 1.39"}


class PlacementFixture(fixtures.Fixture):
    """A service with nothing in it but standard names."""

    endpoint = _URL
    token = "admin"

    def _setUp(self) -> None:  # noqa: N802  # the library's name for it
        while rest := _get("/resource_providers")["resource_providers"]:
            parents = {one["parent_provider_uuid"] for one in rest}
            for uuid in [one["uuid"] for one in rest if one["uuid"] not in parents]:
                for consumer in _get(f"/resource_providers/{uuid}/allocations")["allocations"]:
                    _delete(f"/allocations/{consumer}")
                _delete(f"/resource_providers/{uuid}")
        for name in _get("/traits?name=startswith:CUSTOM_")["traits"]:
            _delete(f"/traits/{name}")
        for one in _get("/resource_classes")["resource_classes"]:
            if one["name"].startswith("CUSTOM_"):
                _delete(f"/resource_classes/{one['name']}")


def _get(path: str) -> Any:
    reply = requests.get(_URL + path, headers=_NOW, timeout=30)
    reply.raise_for_status()
    return reply.json()


def _delete(path: str) -> None:
    requests.delete(_URL + path, headers=_NOW, timeout=30).raise_for_status()


def _offer(name: str, **attributes: Any) -> None:
    """A module of this name; packages above it are made on the way."""
    package = name.rpartition(".")[0]
    if package and package not in sys.modules:
        _offer(package, __path__=[])
    module = types.ModuleType(name)
    vars(module).update(attributes)
    sys.modules[name] = module
    if package:
        setattr(sys.modules[package], name.rpartition(".")[2], module)


if __name__ == "__main__":
    _offer("placement.tests.functional.fixtures.placement", PlacementFixture=PlacementFixture)
    logging_fixture = functools.partial(fixtures.FakeLogger, level=logging.WARNING)
    _offer("placement.tests.functional.fixtures.capture", Logging=logging_fixture)
    import osc_placement

    folder = osc_placement.__path__[0]
    top = folder.rpartition("/")[0]
    unittest.main(module=None, argv=["osc", "discover", "-s", f"{folder}/tests/functional", "-t", top])
