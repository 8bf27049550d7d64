"""Copying the reference service's database into ours, in batches.

Providers, aggregates and consumers keep their ids; classes and traits are matched by name. Every batch is one
transaction and passes over rows that are there already, so an import that was interrupted is just run again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kilonova.kit import codec
from kilonova.kit.clock import SystemClock
from kilonova.kit.db.engine import Database
from kilonova.placement.domain.inventory import Inventory
from kilonova.placement.store import tables as t
from kilonova.placement.store import upstream as u
from kilonova.placement.store.names import NameBook
from kilonova.placement.store.sync import name_books, sync
from kilonova.placement.store.upstream import NotImportable, Row, batches, changed

Progress = Callable[[str], None]
Ids = Mapping[int, int]


def import_from(source: Database, target: Database, *, batch: int, progress: Progress) -> None:
    """Everything. ``target`` gets schema and standard names first. Raises NotImportable."""
    u.check(source)
    sync(target)
    copier = _Copier(source, target, batch, progress)
    copier.copy()
    _check_counts(source, target, progress)


class _Copier:
    def __init__(self, source: Database, target: Database, batch: int, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._batch = batch
        self._progress = progress

    def copy(self) -> None:
        """In the order of references."""
        books = name_books(self._target, SystemClock())
        classes, traits = (self._names(*pair) for pair in zip((u.classes, u.traits), books, strict=True))
        self._put("aggregates", t.aggregates, ("id",), self._plain(u.aggregates, "id", "uuid"))
        self._providers()
        self._put("traits of providers", t.provider_traits, ("provider_id", "trait_id"), self._traits(traits))
        self._put("aggregates of providers", t.provider_aggregates, ("provider_id", "aggregate_id"), self._aggregates())
        self._trait_lists()
        self._put("inventories", t.inventories, ("provider_id", "class_id"), self._inventories(classes))
        self._put("consumers", t.consumers, ("id",), self._consumers())
        key = ("consumer_id", "provider_id", "class_id")
        self._put("allocations", t.allocations, key, self._allocations(classes))
        self._move_sequences()

    def _put(
        self, what: str, table: sa.Table, key: tuple[str, ...], batches_: Iterable[Sequence[Mapping[str, Any]]]
    ) -> None:
        """Insert what is not there; rows of a batch are in the order of the first column of ``key``."""
        done = 0
        columns = [table.c[name] for name in key]
        for rows in batches_:
            first, last = rows[0][key[0]], rows[-1][key[0]]

            def work(connection: Connection, rows: Any = rows, first: int = first, last: int = last) -> None:
                there = connection.execute(sa.select(*columns).where(columns[0].between(first, last)))
                present = {tuple(row) for row in there}
                fresh = [row for row in rows if tuple(row[name] for name in key) not in present]
                if fresh:
                    connection.execute(sa.insert(table), fresh)

            self._target.transact(work)
            done += len(rows)
            self._progress(f"{what}: {done}")

    def _names(self, table: sa.TableClause, book: NameBook) -> Ids:
        """Id there → id here."""
        with self._source.read() as connection:
            there = {row.id: row.name for row in connection.execute(sa.select(table.c.id, table.c.name))}
        book.ensure_standard(there.values())
        with self._target.read() as connection:
            here = {row.name: row.id for row in connection.execute(sa.select(book.table.c.id, book.table.c.name))}
        self._progress(f"{book.kind} names: {len(there)}")
        return {number: here[name] for number, name in there.items()}

    def _plain(self, table: sa.TableClause, *names: str) -> Iterator[list[Row]]:
        return batches(self._source, sa.select(*(table.c[n] for n in names)), table.c.id, self._batch)

    def _providers(self) -> None:
        """Without their trees first: a parent may have the larger id."""
        c = u.providers.c
        self._refuse_others()
        named = sa.select(
            c.id,
            c.uuid,
            c.name,
            sa.func.coalesce(c.generation, 0).label("generation"),
            changed(u.providers).label("updated_at"),
        )
        rows = ([{**row, "trait_list": "[]"} for row in part] for part in self._of_providers(named))
        self._put("resource providers", t.providers, ("id",), rows)
        trees = sa.select(
            c.id.label("own"), u.root_of(u.providers).label("root_id"), c.parent_provider_id.label("parent_id")
        )
        for part in self._of_providers(trees):
            self._change_providers(part, "root_id", "parent_id")

    def _change_providers(self, rows: Sequence[Row], *names: str) -> None:
        """Set columns of the providers with the ids ``own``."""
        change = sa.update(t.providers).where(t.providers.c.id == sa.bindparam("own"))
        statement = change.values({name: sa.bindparam(name) for name in names})

        def work(connection: Connection) -> None:
            connection.execute(statement, rows)

        self._target.transact(work)

    def _of_providers(self, query: sa.Select[Any]) -> Iterator[list[Row]]:
        return batches(self._source, query, u.providers.c.id, self._batch)

    def _refuse_others(self) -> None:
        """Providers here that are not there would get into the way of ids and names."""
        for part in batches(
            self._target, sa.select(t.providers.c.id, t.providers.c.uuid), t.providers.c.id, self._batch
        ):
            with self._source.read() as connection:
                query = sa.select(u.providers.c.id, u.providers.c.uuid).where(
                    u.providers.c.id.between(part[0]["id"], part[-1]["id"])
                )
                there = {(row.id, row.uuid) for row in connection.execute(query)}
            for row in part:
                if (row["id"], row["uuid"]) not in there:
                    raise NotImportable(
                        reason=f"the database already has resource provider {row['uuid']}, which is not from there;"
                        " import into an empty one"
                    )

    def _with_roots(self, table: sa.TableClause, *columns: sa.ColumnElement[Any]) -> Iterator[list[Row]]:
        """Rows about providers, with the root of each."""
        provider = table.c.resource_provider_id
        query = sa.select(provider.label("provider_id"), u.root_of(u.providers).label("root_id"), *columns).join(
            u.providers, u.providers.c.id == provider
        )
        return batches(self._source, query, provider, self._batch)

    def _traits(self, ids: Ids) -> Iterator[list[Row]]:
        for part in self._with_roots(u.provider_traits, u.provider_traits.c.trait_id):
            yield [{**row, "trait_id": ids[row["trait_id"]]} for row in part]

    def _aggregates(self) -> Iterator[list[Row]]:
        return self._with_roots(u.provider_aggregates, u.provider_aggregates.c.aggregate_id)

    def _trait_lists(self) -> None:
        """The copy of each provider's traits that replies show."""
        c = t.provider_traits.c
        query = sa.select(c.provider_id, t.traits.c.name).join(t.traits, t.traits.c.id == c.trait_id)
        for part in batches(self._target, query, c.provider_id, self._batch):
            names: dict[int, list[str]] = {}
            for row in part:
                names.setdefault(row["provider_id"], []).append(row["name"])
            lists = [{"own": own, "trait_list": codec.text(sorted(found))} for own, found in names.items()]
            self._change_providers(lists, "trait_list")

    def _inventories(self, ids: Ids) -> Iterator[list[Row]]:
        """With what is used of each, which there is the sum of its allocations."""
        i, a = u.inventories.c, u.allocations.c
        used = (
            sa.select(sa.func.coalesce(sa.func.sum(a.used), 0))
            .where(a.resource_provider_id == i.resource_provider_id, a.resource_class_id == i.resource_class_id)
            .scalar_subquery()
        )
        numbers = (i.total, i.reserved, i.min_unit, i.max_unit, i.step_size, i.allocation_ratio)
        columns = (i.resource_class_id, *numbers, used.label("used"), changed(u.inventories).label("updated_at"))
        for part in self._with_roots(u.inventories, *columns):
            yield [_inventory(dict(row), ids) for row in part]

    def _consumers(self) -> Iterator[list[Row]]:
        """Those that hold something; others do not exist here."""
        c = u.consumers.c
        holding = sa.exists().where(u.allocations.c.consumer_id == c.uuid)
        query = (
            sa.select(
                c.id,
                c.uuid,
                c.generation,
                u.projects.c.external_id.label("project_id"),
                u.users.c.external_id.label("user_id"),
                u.consumer_types.c.name.label("consumer_type"),
                changed(u.consumers).label("updated_at"),
            )
            .join(u.projects, u.projects.c.id == c.project_id)
            .join(u.users, u.users.c.id == c.user_id)
            .outerjoin(u.consumer_types, u.consumer_types.c.id == c.consumer_type_id)
            .where(holding)
        )
        return (part for part in batches(self._source, query, c.id, self._batch) if part)

    def _allocations(self, ids: Ids) -> Iterator[list[Row]]:
        a, c = u.allocations.c, u.consumers.c
        query = sa.select(
            c.id.label("consumer_id"),
            a.resource_provider_id.label("provider_id"),
            a.resource_class_id.label("class_id"),
            a.used,
            changed(u.allocations).label("updated_at"),
        ).join(u.allocations, a.consumer_id == c.uuid)
        for part in batches(self._source, query, c.id, self._batch):
            if part:
                yield [{**row, "class_id": ids[row["class_id"]]} for row in part]

    def _move_sequences(self) -> None:
        """PostgreSQL numbers new rows by sequences, which know nothing of rows that brought their ids."""
        if self._target.dialect != "postgresql":
            return
        with self._target.write() as connection:
            for table in (t.aggregates, t.providers, t.consumers):
                newest = sa.select(sa.func.coalesce(sa.func.max(table.c.id), 1)).scalar_subquery()
                connection.execute(sa.select(sa.func.setval(sa.func.pg_get_serial_sequence(table.name, "id"), newest)))


def _inventory(row: dict[str, Any], ids: Ids) -> dict[str, Any]:
    class_id = ids[row.pop("resource_class_id")]
    numbers = {key: row[key] for key in ("total", "reserved", "min_unit", "max_unit", "step_size", "allocation_ratio")}
    return {**row, "class_id": class_id, "used": int(row["used"]), "capacity": Inventory(**numbers).capacity}


def _check_counts(source: Database, target: Database, progress: Progress) -> None:
    """Raises NotImportable where rows are missing or too many."""
    holding = sa.exists().where(u.allocations.c.consumer_id == u.consumers.c.uuid)
    pairs: tuple[tuple[str, sa.Select[Any], sa.Select[Any]], ...] = (
        ("resource providers", _count(u.providers), _count(t.providers)),
        ("traits of providers", _count(u.provider_traits), _count(t.provider_traits)),
        ("aggregates of providers", _count(u.provider_aggregates), _count(t.provider_aggregates)),
        ("inventories", _count(u.inventories), _count(t.inventories)),
        ("consumers", _count(u.consumers).where(holding), _count(t.consumers)),
        ("allocations", _count(u.allocations), _count(t.allocations)),
        ("amounts allocated", _sum(u.allocations), _sum(t.allocations)),
        ("amounts used", _sum(u.allocations), _sum(t.inventories)),
    )
    with source.read() as there, target.read() as here:
        numbers = [(what, int(there.scalar(a) or 0), int(here.scalar(b) or 0)) for what, a, b in pairs]
    wrong = [f"{what}: {a} there, {b} here" for what, a, b in numbers if a != b]
    if wrong:
        raise NotImportable(
            reason=f"counts differ ({'; '.join(wrong)}); did the old service change something meanwhile?"
        )
    progress(f"checked: {', '.join(f'{number} {what}' for what, number, _ in numbers)}")


def _count(table: sa.FromClause) -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(table)


def _sum(table: sa.FromClause) -> sa.Select[Any]:
    return sa.select(sa.func.sum(table.c.used))
