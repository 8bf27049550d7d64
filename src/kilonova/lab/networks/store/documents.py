"""The lab's resources as documents, and the addresses that no two ports may share."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit import codec
from kilonova.kit.clock import Clock
from kilonova.kit.db.engine import Database
from kilonova.kit.db.migrate import Schema
from kilonova.lab.networks.store.tables import ADDRESSES, DOCUMENTS, MACS, METADATA

Document = dict[str, Any]
T = TypeVar("T")
_PARENT = {
    "subnet": "network_id",
    "port": "network_id",
    "security_group_rule": "security_group_id",
    "floatingip": "port_id",
}
SCHEMA = Schema(Path(__file__).parent, METADATA)


class Documents:
    """Documents as one transaction sees them."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    def get(self, kind: str, document_id: str) -> Document | None:
        """The document, or None."""
        found = self.select(kind, ids=[document_id])
        return found[0] if found else None

    def select(
        self,
        kind: str,
        *,
        ids: Collection[str] | None = None,
        projects: Collection[str] | None = None,
        parents: Collection[str] | None = None,
        devices: Collection[str] | None = None,
    ) -> list[Document]:
        """Documents of a kind that fit all that is given, oldest first. ``parents``: networks, groups or ports."""
        query = sa.select(DOCUMENTS.c.body).where(DOCUMENTS.c.kind == kind).order_by(DOCUMENTS.c.seq)
        wanted = {"id": ids, "project_id": projects, "parent_id": parents, "device_id": devices}
        for column, values in wanted.items():
            if values is not None:
                query = query.where(DOCUMENTS.c[column].in_(list(values)))
        return [codec.loads(body) for body in self._connection.scalars(query)]

    def everything(self) -> dict[str, list[Document]]:
        """All documents by kind, in one statement."""
        found: dict[str, list[Document]] = {}
        rows = self._connection.execute(sa.select(DOCUMENTS.c.kind, DOCUMENTS.c.body).order_by(DOCUMENTS.c.seq))
        for kind, body in rows:
            found.setdefault(kind, []).append(codec.loads(body))
        return found

    def count(self, kind: str, project_id: str) -> int:
        """How many of a kind a project has."""
        query = sa.select(sa.func.count()).where(DOCUMENTS.c.kind == kind, DOCUMENTS.c.project_id == project_id)
        return int(self._connection.scalar(query) or 0)

    def insert(self, kind: str, document: Document) -> Document:
        """Store a new document; stamps it."""
        now = self._stamp()
        document.update(created_at=now, updated_at=now, revision_number=0)
        self._connection.execute(sa.insert(DOCUMENTS).values(kind=kind, **_columns(kind, document)))
        return document

    def save(self, kind: str, document: Document) -> Document:
        """Store a changed document; stamps it and counts its revision up."""
        document.update(updated_at=self._stamp(), revision_number=document["revision_number"] + 1)
        self._connection.execute(
            sa.update(DOCUMENTS)
            .where(DOCUMENTS.c.kind == kind, DOCUMENTS.c.id == document["id"])
            .values(**_columns(kind, document))
        )
        return document

    def delete(self, kind: str, document_id: str) -> None:
        """Forget a document; a port's addresses too."""
        self._connection.execute(sa.delete(DOCUMENTS).where(DOCUMENTS.c.kind == kind, DOCUMENTS.c.id == document_id))
        if kind == "port":
            self.release_addresses(document_id)
            self.release_mac(document_id)

    def holder(self, subnet_id: str, address: str) -> str | None:
        """The port that has the address."""
        query = sa.select(ADDRESSES.c.port_id).where(ADDRESSES.c.subnet_id == subnet_id, ADDRESSES.c.address == address)
        return self._connection.scalar(query)

    def port_by_address(self, address: str) -> Document | None:
        """The port that has the address in whatever subnet (the lab's subnets do not overlap)."""
        query = sa.select(ADDRESSES.c.port_id).where(ADDRESSES.c.address == address)
        port_id = self._connection.scalar(query)
        return None if port_id is None else self.get("port", port_id)

    def taken(self, subnet_id: str) -> set[str]:
        """All addresses of the subnet that ports have."""
        query = sa.select(ADDRESSES.c.address).where(ADDRESSES.c.subnet_id == subnet_id)
        return set(self._connection.scalars(query))

    def users(self, subnet_id: str) -> set[str]:
        """Ports that have an address from the subnet."""
        return set(
            self._connection.scalars(
                sa.select(ADDRESSES.c.port_id).where(ADDRESSES.c.subnet_id == subnet_id).distinct()
            )
        )

    def claim_address(self, subnet_id: str, address: str, port_id: str) -> None:
        """Write down who has the address; ask ``holder`` first."""
        row = {"subnet_id": subnet_id, "address": address, "port_id": port_id}
        self._connection.execute(sa.insert(ADDRESSES).values(**row))

    def release_addresses(self, port_id: str) -> None:
        """Give back all addresses of a port."""
        self._connection.execute(sa.delete(ADDRESSES).where(ADDRESSES.c.port_id == port_id))

    def mac_holder(self, network_id: str, mac: str) -> str | None:
        """The port that has the MAC address."""
        return self._connection.scalar(
            sa.select(MACS.c.port_id).where(MACS.c.network_id == network_id, MACS.c.mac == mac)
        )

    def claim_mac(self, network_id: str, mac: str, port_id: str) -> None:
        """Write down who has the MAC address; ask ``mac_holder`` first."""
        self._connection.execute(sa.insert(MACS).values(network_id=network_id, mac=mac, port_id=port_id))

    def release_mac(self, port_id: str) -> None:
        """Give back a port's MAC address."""
        self._connection.execute(sa.delete(MACS).where(MACS.c.port_id == port_id))

    def _stamp(self) -> str:
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _columns(kind: str, document: Document) -> Document:
    return {
        "id": document["id"],
        "project_id": document.get("project_id"),
        "parent_id": document.get(_PARENT.get(kind, "")),
        "device_id": document.get("device_id"),
        "body": codec.text(document),
    }


class NetworkStore:
    """The database of the lab's networks."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self._clock = clock
        SCHEMA.upgrade(database)

    @contextlib.contextmanager
    def read(self) -> Iterator[Documents]:
        """Documents to look at."""
        with self.database.read() as connection:
            yield Documents(connection, self._clock)

    def transact(self, work: Callable[[Documents], T]) -> T:
        """``work`` in one transaction; all or nothing."""
        return self.database.transact(lambda connection: work(Documents(connection, self._clock)))
