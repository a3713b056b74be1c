"""View tables from row dataclasses, with the interval in which each row was the truth.

Every table has `key`, the stream's id, `stream_version` of the last event that the row stands on, and
`sealed_from`/`sealed_to`: what was known at an instant t is the rows with sealed_from <= t < sealed_to
(open: NULL), so every view answers `as_of`.
"""

import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeAliasType, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    FromClause,
    Index,
    MetaData,
    Numeric,
    RowMapping,
    Table,
    Text,
    Uuid,
    and_,
    or_,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from steerco_events.projections.model import Interval, Projection, View

OWN_COLUMNS = ("key", "stream", "stream_version", "sealed_from", "sealed_to")

SCHEMA = "views"

LONGEST_NAME = 63
"""Bytes of an identifier; PostgreSQL cuts what is longer, and what was two names may be one."""


def _plain(annotation: Any) -> tuple[Any, bool]:
    """The type without aliases and `None`, and whether `None` was there."""
    while isinstance(annotation, TypeAliasType):
        annotation = annotation.__value__
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not type(None)]
        if len(inner) == 1:
            return _plain(inner[0])[0], True
    return annotation, False


class _Packed(TypeDecorator[Any]):
    """Any other value, as JSON by msgspec."""

    impl = JSONB
    cache_ok = True

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else msgspec.to_builtins(value)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else msgspec.convert(value, self.of)


_SIMPLE: dict[type[Any], TypeEngine[Any]] = {
    str: Text(collation="C"),
    int: BigInteger(),
    bool: Boolean(),
    Decimal: Numeric(),
    date: Date(),
    datetime: DateTime(timezone=True),
    UUID: Uuid(),
}


def _column_type(annotation: Any) -> TypeEngine[Any]:
    plain, _ = _plain(annotation)
    if plain in _SIMPLE:
        return _SIMPLE[plain]
    if args := get_args(plain):
        literals = {type(arg) for arg in args}
        if literals == {str}:
            return _SIMPLE[str]
    return _Packed(plain)


def table_name(view: View, projection: Projection[Any], build: int) -> str:
    """The name of the table that holds one build of a projection. Raises `ValueError` for one that is too long."""
    name = f"{view.name}_{projection.name}_v{view.version}_b{build}"
    if len(name.encode()) + len("_now") > LONGEST_NAME:
        raise ValueError(f"the table {name} and its indexes can't have names so long")
    return name


def view_table(view: View, projection: Projection[Any], build: int) -> Table:
    """The table of one build of a projection."""
    key = (table_name(view, projection, build), projection.row, tuple(map(tuple, projection.indexes)))
    if key not in _tables:
        _tables[key] = _table(key[0], projection)
    return _tables[key]


_tables: dict[tuple[str, type[Any], tuple[tuple[str, ...], ...]], Table] = {}


def _table(name: str, projection: Projection[Any]) -> Table:
    hints = get_type_hints(projection.row)
    columns = [
        Column(field.name, _column_type(hints[field.name]), nullable=_plain(hints[field.name])[1])
        for field in fields(projection.row)
    ]
    table = Table(
        name,
        MetaData(),
        Column("key", Text(collation="C"), nullable=False),
        Column("sealed_from", DateTime(timezone=True), nullable=False),
        Column("sealed_to", DateTime(timezone=True)),
        Column("stream", Text(collation="C"), nullable=False),
        Column("stream_version", BigInteger, nullable=False),
        *columns,
        schema=SCHEMA,
    )
    Index(f"{name}_key", table.c.key, table.c.sealed_from, unique=True)
    if not projection.is_journal:
        Index(f"{name}_now", table.c.key, unique=True, postgresql_where=table.c.sealed_to.is_(None))
    for n, index in enumerate(projection.indexes):
        Index(f"{name}_i{n}", *(table.c[column] for column in index))
    return table


def own_index(table: Table) -> Index:
    """The index by which a build finds its own rows."""
    return next(index for index in table.indexes if index.name == f"{table.name}_key")


def known_at(table: FromClause, as_of: datetime | ColumnElement[datetime] | None) -> ColumnElement[bool]:
    """The condition for the rows that were the truth at an instant, or at each of a column's (`None`: now)."""
    if as_of is None:
        return table.c.sealed_to.is_(None)
    return and_(table.c.sealed_from <= as_of, or_(table.c.sealed_to.is_(None), table.c.sealed_to > as_of))


@dataclass(frozen=True)
class Form[Row]:
    """How the rows of one projection are written into a table and read from it, by asyncpg itself.

    `columns` are the table's; `packed` are the places among them that are kept as JSON, and the types there.
    """

    table: str
    row: type[Row]
    columns: Sequence[str]
    packed: Sequence[tuple[int, Any]]

    def values(self, intervals: Iterable[Interval[Row]]) -> Sequence[Sequence[Any]]:
        """What the columns of these intervals hold."""
        own, rest = attrgetter(*OWN_COLUMNS), _getter(self.columns[len(OWN_COLUMNS) :])
        if not self.packed:
            return [own(interval) + rest(interval.row) for interval in intervals]
        found = []
        for interval in intervals:
            values = [*own(interval), *rest(interval.row)]
            for n, _ in self.packed:
                if values[n] is not None:
                    values[n] = msgspec.json.encode(values[n]).decode()
            found.append(values)
        return found

    def interval(self, found: Sequence[Any]) -> Interval[Row]:
        """The interval that a table row, all `columns` of it, holds."""
        values = list(found)
        for n, of in self.packed:
            values[n] = msgspec.convert(values[n], of)
        key, stream, stream_version, sealed_from, sealed_to, *rest = values
        return Interval(key, stream, stream_version, sealed_from, self.row(*rest), sealed_to, stored=stream_version)


def _getter(names: Sequence[str]) -> Callable[[object], tuple[Any, ...]]:
    """As `attrgetter`, that gives a tuple of one value too."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda row: tuple(getattr(row, name) for name in names)


def view_form[Row](view: View, projection: Projection[Row], build: int) -> Form[Row]:
    """How rows stand in the table of one build of a projection."""
    table = view_table(view, projection, build)
    columns = (*OWN_COLUMNS, *projection.columns)
    types = [table.c[name].type for name in columns]
    packed = [(n, Union[each.of, None]) for n, each in enumerate(types) if isinstance(each, _Packed)]  # noqa: UP007
    return Form(table.name, projection.row, columns, packed)


def row_of[Row](projection: Projection[Row], found: RowMapping) -> Row:
    """The row dataclass of a table row."""
    make: Callable[..., Row] = projection.row
    return make(**{name: found[name] for name in projection.columns})
