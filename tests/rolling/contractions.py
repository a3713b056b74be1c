"""What a migration takes away from the release before, which goes on working on the same database while it rolls out.

Such a release reads the columns that it knows, writes rows without those that it does not know, and names the keys that
rows collide in.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_OURS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relname <> 'alembic_version'"
_COLUMNS = text(
    "SELECT n.nspname || '.' || c.relname AS relation, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,"
    " c.relkind = 'r' AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS is_required"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped AND {_OURS}"
)
_KEYS = text(
    "SELECT n.nspname || '.' || c.relname AS relation, pg_get_constraintdef(k.oid) AS definition"
    " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE k.contype <> 'n' AND {_OURS}"
    " UNION SELECT n.nspname || '.' || c.relname, regexp_replace(pg_get_indexdef(i.indexrelid), 'INDEX \\S+', 'INDEX')"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    f" WHERE i.indisunique AND {_OURS}"
)
_FUNCTIONS = text(
    "SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,"
    " pg_get_function_result(p.oid) AS result FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
    " WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
)
_GRANTS = text(
    "SELECT n.nspname || '.' || c.relname AS relation,"
    " regexp_replace(g.grantee::regrole::text, '^.*_', '') || ' may ' || g.privilege_type AS privilege"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    f" CROSS JOIN LATERAL aclexplode(c.relacl) g WHERE g.grantee NOT IN (0, c.relowner) AND {_OURS}"
)


@dataclass(frozen=True, slots=True)
class Column:
    """Of which type a column is, and whether who writes a row has to give it."""

    type: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """What a release may rely on: columns, keys and grants by table or view, and functions with their results."""

    columns: Mapping[str, Mapping[str, Column]]
    keys: Mapping[str, Set[str]]
    grants: Mapping[str, Set[str]]
    functions: Mapping[str, str]


async def shape_of(connection: AsyncConnection) -> Shape:
    """The shape of a database as it is now."""
    columns: dict[str, dict[str, Column]] = {}
    for row in await connection.execute(_COLUMNS):
        columns.setdefault(row.relation, {})[row.name] = Column(row.type, row.is_required)
    keys: dict[str, set[str]] = {}
    for row in await connection.execute(_KEYS):
        keys.setdefault(row.relation, set()).add(row.definition)
    grants: dict[str, set[str]] = {}
    for row in await connection.execute(_GRANTS):
        grants.setdefault(row.relation, set()).add(row.privilege)
    functions = {row.name: row.result for row in await connection.execute(_FUNCTIONS)}
    return Shape(columns, keys, grants, functions)


def contractions(before: Shape, after: Shape) -> Iterator[str]:
    """What the release before relies on and does not find any more, a line each; none if all was only added to."""
    for relation, columns in before.columns.items():
        now = after.columns.get(relation)
        if now is None:
            yield f"{relation} is gone"
            continue
        yield from _of_columns(relation, columns, now)
        then, since = before.keys.get(relation, set()), after.keys.get(relation, set())
        yield from (f"{relation} has no {key} any more" for key in sorted(then - since))
        yield from (f"{relation} has {key}, which rows of before need not keep" for key in sorted(since - then))
        lost = before.grants.get(relation, set()) - after.grants.get(relation, set())
        yield from (f"{relation}: {privilege} no more" for privilege in sorted(lost))
    for name, result in before.functions.items():
        if after.functions.get(name) != result:
            yield f"{name} is gone or gives no {result} any more"


def _of_columns(relation: str, before: Mapping[str, Column], after: Mapping[str, Column]) -> Iterator[str]:
    for name, column in before.items():
        if name not in after:
            yield f"{relation}.{name} is gone"
        elif after[name].type != column.type:
            yield f"{relation}.{name} is of another type"
    for name, column in after.items():
        if column.is_required and not (name in before and before[name].is_required):
            yield f"{relation}.{name} has to be given"
