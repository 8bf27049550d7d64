"""Unified limits: there is no way to make one here, so the lists are truly empty."""

from typing import Any

from kilonova.kit.http.endpoint import Call, Endpoint
from kilonova.lab.identity.rules import ANYONE


def _empty(call: Call) -> dict[str, Any]:
    noun = call.path.rsplit("/", 1)[1]
    return {noun: [], "links": {"self": f"{call.base_url}{call.path}", "next": None, "previous": None}}


def _model(_call: Call) -> dict[str, Any]:
    return {"model": {"name": "flat", "description": "Limits are not related to the hierarchy of projects."}}


ENDPOINTS = [
    Endpoint(method="GET", path="/v3/limits", handler=_empty, rule=ANYONE),
    Endpoint(method="GET", path="/v3/registered_limits", handler=_empty, rule=ANYONE),
    Endpoint(method="GET", path="/v3/limits/model", handler=_model, rule=ANYONE),
]
