"""Keeping Placement's picture of compute hosts: disabled services and aggregates.

Placement is asked after our own change is written. When it does not answer the change stands and a warning is logged:
``nova-manage placement sync_aggregates`` and the host's own reports bring the two together again.
"""

import logging
from collections.abc import Callable, Collection

from kilonova.domain.service import DISABLED_TRAIT
from kilonova.kit.errors import KilonovaError
from kilonova.kit.http.endpoint import Call

LOG = logging.getLogger(__name__)


def mark_disabled(call: Call, providers: Collection[str], *, disabled: bool) -> None:
    """Put the trait of disabled services on providers, or take it off."""
    resources = call.app.resources

    def mark(uuid: str) -> None:
        traits = resources.traits(uuid)
        wanted = traits | {DISABLED_TRAIT} if disabled else traits - {DISABLED_TRAIT}
        if wanted != traits:
            resources.set_traits(uuid, wanted)

    _each(call, providers, mark)


def join(call: Call, providers: Collection[str], aggregate: str) -> None:
    """Put providers into an aggregate."""
    resources = call.app.resources
    _each(call, providers, lambda uuid: resources.set_aggregates(uuid, resources.aggregates(uuid) | {aggregate}))


def leave(call: Call, providers: Collection[str], aggregate: str) -> None:
    """Take providers out of an aggregate."""
    resources = call.app.resources
    _each(call, providers, lambda uuid: resources.set_aggregates(uuid, resources.aggregates(uuid) - {aggregate}))


def delete(call: Call, providers: Collection[str]) -> None:
    """Remove providers."""
    if call.app.resources is not None:
        _each(call, providers, call.app.resources.delete_provider)


def _each(call: Call, providers: Collection[str], change: Callable[[str], object]) -> None:
    if call.app.resources is None:
        return
    for uuid in providers:
        try:
            change(uuid)
        except KilonovaError as error:
            LOG.warning("Placement was not told about provider %s: %s", uuid, error)
