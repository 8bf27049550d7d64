"""As much of Placement as the API's own mirrors use."""

from collections.abc import Collection

from kilonova.kit.errors import Unavailable


class FakePlacement:
    """Remembers traits and aggregates of providers."""

    def __init__(self) -> None:
        self.broken = False
        self.deleted: list[str] = []
        self._traits: dict[str, frozenset[str]] = {}
        self._aggregates: dict[str, frozenset[str]] = {}

    def traits(self, uuid: str) -> frozenset[str]:
        if self.broken:
            raise Unavailable("Placement does not answer")
        return self._traits.get(uuid, frozenset())

    def set_traits(self, uuid: str, traits: Collection[str]) -> None:
        self._traits[uuid] = frozenset(traits)

    def aggregates(self, uuid: str) -> frozenset[str]:
        if self.broken:
            raise Unavailable("Placement does not answer")
        return self._aggregates.get(uuid, frozenset())

    def set_aggregates(self, uuid: str, aggregates: Collection[str]) -> None:
        self._aggregates[uuid] = frozenset(aggregates)

    def delete_provider(self, uuid: str) -> bool:
        self.deleted.append(uuid)
        return True
