"""Reads SQL with PostgreSQL's own parser (`pglast`, the extra `[schema]`) and says what each statement does.

What is not in the tables here is reported as not examined, never left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from services.domain.errors import SourceError
from services.domain.schema import MISSING, Effect, Examination

SOURCE = "schema"
OWN_SCHEMA = "chatops"

Node = Any  # of pglast's syntax tree, told apart by the name of its class


@dataclass(frozen=True)
class _Made:
    """What a file makes: no one has used it before. Tables and functions by name."""

    tables: frozenset[str]
    functions: frozenset[str]


async def examine(sqls: Mapping[str, str]) -> dict[str, Examination]:
    """`sqls`: `{version_name: the file's text}`. Raises SourceError when the parser is not installed."""
    return await asyncio.to_thread(lambda: {title: _examine(sql) for title, sql in sqls.items()})


@lru_cache(maxsize=256)  # the files of one release
def _examine(sql: str) -> Examination:
    try:
        from pglast.parser import ParseError, parse_sql  # takes longer to import than most reads
    except ImportError:
        raise SourceError(SOURCE, MISSING) from None
    try:
        statements = parse_sql(sql)
    except (ParseError, ValueError, RecursionError):
        return Examination((), ("the whole file, which could not be parsed",))
    made = _made(raw.stmt for raw in statements)
    effects: list[Effect] = []
    unexamined: list[str] = []
    for raw in statements:
        line, name = _line(sql, raw.stmt_location or 0), type(raw.stmt).__name__
        if name in _WITHOUT_EFFECT:
            continue
        try:
            found = list(_EFFECTS[name](raw.stmt, made)) if name in _EFFECTS else None
        except Exception:
            found = None
        if found is None:
            unexamined.append(f"{name.removesuffix('Stmt').upper()} in line {line}")
            continue
        effects += (replace(effect, line=line) for effect in found)
    return Examination(tuple(effects), tuple(unexamined))


def _made(statements: Iterable[Node]) -> _Made:
    named = [(type(one).__name__, one) for one in statements]
    return _Made(
        frozenset(_table(one.relation) for kind, one in named if kind == "CreateStmt"),
        frozenset(_name(one.funcname) for kind, one in named if kind == "CreateFunctionStmt"),
    )


def _line(sql: str, location: int) -> int:
    """Where the statement's first word stands: its location includes blanks and comments before it."""
    line = sql.count("\n", 0, location) + 1
    for text in sql[location:].splitlines():
        if text.strip() and not text.strip().startswith("--"):
            break
        line += 1
    return line


def _name(parts: Iterable[Node]) -> str:
    return ".".join(part.sval for part in parts)


def _table(relation: Node) -> str:
    return ".".join(part for part in (relation.schemaname, relation.relname) if part)


def _object(node: Node) -> str:
    """Of what DROP names: one word, a function or a type, or a list of them."""
    for parts in ("objname", "names"):
        if hasattr(node, parts):
            return _name(getattr(node, parts))
    return str(node.sval) if hasattr(node, "sval") else ".".join(_object(part) for part in node)


def _role(node: Node) -> str:
    """Its name, or the word for it: CURRENT_USER, PUBLIC."""
    return node.rolename or str(node.roletype.name).removeprefix("ROLESPEC_")


def _kind(value: Node) -> str:
    return str(value.name).removeprefix("OBJECT_").lower().replace("_", " ")


def _effect(words: str) -> Effect:
    return Effect(words, 0)


def _harmful(words: str, *, breaks: bool) -> Effect:
    return Effect(words, 0, is_destructive=True, breaks_older=breaks)


def _locking(words: str, how: str, table: str, made: _Made | None = None) -> Effect:
    """What takes longer the more rows a table has. The bot's own are few, and no one else waits for them."""
    if table.startswith(f"{OWN_SCHEMA}.") or (made is not None and table in made.tables):
        return _effect(words)
    return _harmful(f"{words}, which {how}", breaks=False)


# What no other statement and no query names: gone or renamed, code goes on.
_UNNAMED = frozenset({"index", "trigger", "policy", "rule", "tabconstraint", "domconstraint", "statistic ext"})


def _drop(stmt: Node, made: _Made) -> Iterator[Effect]:
    kind = _kind(stmt.removeType)
    for one in stmt.objects:
        name = _object(one)
        if kind == "function" and name in made.functions:
            yield _effect(f"replaces function {name}")
        elif kind in _UNNAMED:
            yield _effect(f"drops {kind} {name}")
        else:
            yield _harmful(f"drops {kind} {name}", breaks=True)


def _rename(stmt: Node, _: _Made) -> Iterator[Effect]:
    kind = _kind(stmt.renameType)
    of = _table(stmt.relation) if stmt.relation is not None else ""
    old = stmt.subname or (_object(stmt.object) if stmt.object is not None else "")
    words = f"renames {kind} {'.'.join(part for part in (of, old) if part)} to {stmt.newname}"
    yield _effect(words) if kind in _UNNAMED else _harmful(words, breaks=True)


def _alter_table(stmt: Node, made: _Made) -> Iterator[Effect]:
    table = _table(stmt.relation)
    for command in stmt.cmds:
        effect = _ALTERATIONS.get(command.subtype.name, _alter)(command, table)
        yield replace(effect, is_destructive=False, breaks_older=False) if table in made.tables else effect


def _alter(_: Node, table: str) -> Effect:
    return _effect(f"alters {table}")


def _drop_column(command: Node, table: str) -> Effect:
    return _harmful(f"drops column {table}.{command.name}", breaks=True)


def _change_type(command: Node, table: str) -> Effect:
    return _harmful(f"changes the type of {table}.{command.name}, which may rewrite the table", breaks=True)


def _set_not_null(command: Node, table: str) -> Effect:
    return _harmful(f"makes {table}.{command.name} NOT NULL, which reads the whole table under a lock", breaks=True)


def _rewrite(_: Node, table: str) -> Effect:
    return _locking(f"changes how {table} is stored", "rewrites it", table)


def _add_column(command: Node, table: str) -> Effect:
    column = command.def_
    words = f"adds column {table}.{column.colname}"
    kinds = {one.contype.name.removeprefix("CONSTR_"): one for one in column.constraints or ()}
    default = kinds.get("DEFAULT")
    if "GENERATED" in kinds or _is_serial(column) or "IDENTITY" in kinds:
        return _locking(f"{words}, computed for each row", "rewrites the table", table)
    if default is None and kinds.keys() & {"NOTNULL", "PRIMARY"}:
        return _harmful(f"{words} NOT NULL without a default", breaks=True)
    if default is not None and type(default.raw_expr).__name__ == "FuncCall" and not _is_now(default.raw_expr):
        return _locking(f"{words} with a computed default", "may rewrite the table", table)
    return _effect(words)


def _is_serial(column: Node) -> bool:
    return _name(column.typeName.names).rpartition(".")[2] in ("serial", "bigserial", "smallserial")


def _is_now(call: Node) -> bool:
    """Computed once for all rows."""
    return _name(call.funcname).rpartition(".")[2] in ("now", "transaction_timestamp", "statement_timestamp")


def _add_constraint(command: Node, table: str) -> Effect:
    constraint = command.def_
    words = f"adds a constraint to {table}"
    if constraint.skip_validation or constraint.indexname:
        return _effect(words)
    return _locking(words, "reads the whole table under a lock", table)


_ALTERATIONS: Mapping[str, Callable[[Node, str], Effect]] = {
    "AT_DropColumn": _drop_column,
    "AT_AlterColumnType": _change_type,
    "AT_SetNotNull": _set_not_null,
    "AT_AddColumn": _add_column,
    "AT_AddConstraint": _add_constraint,
    "AT_SetLogged": _rewrite,
    "AT_SetUnLogged": _rewrite,
    "AT_SetTableSpace": _rewrite,
    "AT_SetAccessMethod": _rewrite,
}


def _index(stmt: Node, made: _Made) -> Iterator[Effect]:
    table = _table(stmt.relation)
    words = f"adds an index to {table}"
    yield _effect(words) if stmt.concurrent else _locking(words, "blocks its writers meanwhile", table, made)


def _change_rows(verb: str) -> Callable[[Node, _Made], Iterator[Effect]]:
    def effects(stmt: Node, made: _Made) -> Iterator[Effect]:
        table = _table(stmt.relation)
        words = f"{verb} {table}"
        yield _effect(words) if table in made.tables else _harmful(words, breaks=False)

    return effects


def _truncate(stmt: Node, _: _Made) -> Iterator[Effect]:
    yield from (_harmful(f"empties {_table(one)}", breaks=False) for one in stmt.relations)


def _set_schema(stmt: Node, _: _Made) -> Iterator[Effect]:
    name = _table(stmt.relation) if stmt.relation is not None else _object(stmt.object)
    yield _harmful(f"moves {_kind(stmt.objectType)} {name} to schema {stmt.newschema}", breaks=True)


def _alter_enum(stmt: Node, _: _Made) -> Iterator[Effect]:
    name = _name(stmt.typeName)
    if stmt.oldVal:
        yield _harmful(f"renames value {stmt.oldVal} of {name} to {stmt.newVal}", breaks=True)
    else:
        yield _effect(f"adds value {stmt.newVal} to {name}")


def _drop_all(stmt: Node, _: _Made) -> Iterator[Effect]:
    yield _harmful(f"drops {' and '.join(_role(role) for role in stmt.roles)}, or all that they own", breaks=True)


def _create_table(stmt: Node, _: _Made) -> Iterator[Effect]:
    yield _effect(f"adds table {_table(stmt.relation)}")


def _grant(stmt: Node, _: _Made) -> Iterator[Effect]:
    yield _effect("grants rights" if stmt.is_grant else "revokes rights")


def _plain(words: str) -> Callable[[Node, _Made], Iterator[Effect]]:
    def effects(_stmt: Node, _made: _Made) -> Iterator[Effect]:
        yield _effect(words)

    return effects


_WITHOUT_EFFECT = frozenset({"VariableSetStmt", "CommentStmt", "TransactionStmt"})
_EFFECTS: Mapping[str, Callable[[Node, _Made], Iterator[Effect]]] = {
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "AlterTableStmt": _alter_table,
    "IndexStmt": _index,
    "DeleteStmt": _change_rows("deletes rows of"),
    "UpdateStmt": _change_rows("changes rows of"),
    "InsertStmt": lambda stmt, _: iter([_effect(f"adds rows to {_table(stmt.relation)}")]),
    "TruncateStmt": _truncate,
    "AlterObjectSchemaStmt": _set_schema,
    "AlterEnumStmt": _alter_enum,
    "DropOwnedStmt": _drop_all,
    "DropRoleStmt": _drop_all,
    "CreateStmt": _create_table,
    "GrantStmt": _grant,
    "AlterDefaultPrivilegesStmt": _plain("changes default rights"),
    "ViewStmt": _plain("adds or replaces a view"),
    "CreateFunctionStmt": _plain("adds or replaces a function"),
    "CreateTrigStmt": _plain("adds a trigger"),
    "CreatePolicyStmt": _plain("adds a policy"),
    "AlterPolicyStmt": _plain("changes a policy"),
    "CreateEnumStmt": _plain("adds a type"),
    "CreateDomainStmt": _plain("adds a type"),
    "CompositeTypeStmt": _plain("adds a type"),
    "CreateSchemaStmt": _plain("adds a schema"),
    "CreateSeqStmt": _plain("adds a sequence"),
    "CreateExtensionStmt": _plain("adds an extension"),
    "AlterOwnerStmt": _plain("changes an owner"),
    "CreateRoleStmt": _plain("adds a role"),
    "CreateStatsStmt": _plain("adds statistics"),
}
