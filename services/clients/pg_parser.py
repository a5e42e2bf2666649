"""Reads SQL with PostgreSQL's own parser (`pglast`, the extra `[schema]`) and lists the effects of each statement.

A statement that is not in the tables here is reported as not examined, never left out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from services.domain.errors import SourceError
from services.domain.schema import MISSING, Effect, Examination

SOURCE = "schema"
OWN_SCHEMA = "chatops"

Node = Any  # a node of pglast's syntax tree, distinguished by the name of its class
_Found = Effect | str  # text: a statement, or a part of one, whose effect is unknown


@dataclass(frozen=True)
class _Made:
    """The tables (by name) and functions (by each way to call them) that a file creates; no code uses them yet."""

    tables: frozenset[str]
    functions: frozenset[str]


async def examine(sqls: Mapping[str, str]) -> dict[str, Examination]:
    """Examine SQL files, `{version_name: text}`. Raises SourceError if the parser is not installed."""
    return await asyncio.to_thread(lambda: {title: _examine(sql) for title, sql in sqls.items()})


@lru_cache(maxsize=256)  # more than the files of one release
def _examine(sql: str) -> Examination:
    try:
        from pglast.parser import ParseError, parse_sql  # imported here: the import takes longer than most reads
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
        line, found = _line(sql, raw.stmt_location or 0), _effects(raw.stmt, made)
        effects += (replace(one, line=line) for one in found if isinstance(one, Effect))
        unexamined += (f"{one} in line {line}" for one in found if isinstance(one, str))
    return Examination(tuple(effects), tuple(unexamined))


def _effects(stmt: Node, made: _Made) -> Sequence[_Found]:
    name = type(stmt).__name__
    if name in _WITHOUT_EFFECT:
        return ()
    unknown = name.removesuffix("Stmt").upper()
    if name not in _EFFECTS:
        return (unknown,)
    try:
        calls = dict.fromkeys(_foreign_calls(stmt)) if name in _CHANGING_ROWS else ()
        return (*_EFFECTS[name](stmt, made), *(f"a call of {one}" for one in calls))
    except Exception:  # one statement that can't be read must not hide the effects of the others
        return (unknown,)


def _made(statements: Iterable[Node]) -> _Made:
    named = [(type(one).__name__, one) for one in statements]
    return _Made(
        frozenset(_table(one.relation) for kind, one in named if kind == "CreateStmt" and not one.if_not_exists),
        frozenset(call for kind, one in named if kind == "CreateFunctionStmt" for call in _calls(one)),
    )


def _line(sql: str, location: int) -> int:
    """The line of the statement's first word: its location includes the blanks and comments before it."""
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


def _calls(function: Node) -> Iterator[str]:
    """Each way to call the function: with all arguments, and without those that have defaults."""
    taken = _taken(function.parameters)
    for count in range(sum(one.defexpr is None for one in taken), len(taken) + 1):
        yield _call(function.funcname, taken[:count])


def _taken(parameters: Iterable[Node] | None) -> Sequence[Node]:
    return [one for one in parameters or () if one.mode.name not in ("FUNC_PARAM_OUT", "FUNC_PARAM_TABLE")]


def _call(name: Iterable[Node], taken: Iterable[Node]) -> str:
    """The function with its argument types: `ops.f(int4,text[])`."""
    return f"{_name(name)}({','.join(_type(one.argType) for one in taken)})"


def _type(node: Node) -> str:
    return _name(node.names).removeprefix("pg_catalog.") + "[]" * len(node.arrayBounds or ())


def _is_replaced(dropped: Node, made: _Made) -> bool:
    """True if calls of the dropped function find a function with the same signature in the same file."""
    return not dropped.args_unspecified and _call(dropped.objname, _taken(dropped.objfuncargs)) in made.functions


def _object(node: Node) -> str:
    """The name of the object that DROP names: one word, a function or a type, or a list of them."""
    for parts in ("objname", "names"):
        if hasattr(node, parts):
            return _name(getattr(node, parts))
    return str(node.sval) if hasattr(node, "sval") else ".".join(_object(part) for part in node)


def _role(node: Node) -> str:
    """The role's name, or its keyword: CURRENT_USER, PUBLIC."""
    return node.rolename or str(node.roletype.name).removeprefix("ROLESPEC_")


def _kind(value: Node) -> str:
    return str(value.name).removeprefix("OBJECT_").lower().replace("_", " ")


def _effect(words: str) -> Effect:
    return Effect(words, 0)


def _harmful(words: str, *, breaks: bool) -> Effect:
    return Effect(words, 0, is_destructive=True, breaks_older=breaks)


def _locking(words: str, how: str, table: str, made: _Made | None = None) -> Effect:
    """An effect that takes longer the more rows the table has. The bot's own tables are small and used only by it."""
    if table.startswith(f"{OWN_SCHEMA}.") or (made is not None and table in made.tables):
        return _effect(words)
    return _harmful(f"{words}, which {how}", breaks=False)


# Objects that no query names: code continues to work when they are dropped or renamed.
_UNNAMED = frozenset({"index", "trigger", "policy", "rule", "tabconstraint", "domconstraint", "statistic ext"})


def _drop(stmt: Node, made: _Made) -> Iterator[Effect]:
    kind = _kind(stmt.removeType)
    for one in stmt.objects:
        name = _object(one)
        if kind == "function" and _is_replaced(one, made):
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


def _alter_table(stmt: Node, made: _Made) -> Iterator[_Found]:
    table = _table(stmt.relation)
    for command in stmt.cmds:
        kind = command.subtype.name
        if kind not in _ALTERATIONS:
            yield f"ALTER {table} {_CAPITAL.sub(' ', kind.removeprefix('AT_')).upper()}"
            continue
        effect = _ALTERATIONS[kind](command, table)
        yield replace(effect, is_destructive=False, breaks_older=False) if table in made.tables else effect


def _alter(_: Node, table: str) -> Effect:
    return _effect(f"alters {table}")


def _change_default(command: Node, table: str) -> Effect:
    if command.def_ is not None:
        return _alter(command, table)
    return _harmful(f"drops the default of {table}.{command.name}", breaks=True)


def _hide_rows(_: Node, table: str) -> Effect:
    words = f"puts row level security on {table}"
    return _effect(words) if table.startswith(f"{OWN_SCHEMA}.") else _harmful(f"{words}, which hides rows", breaks=True)


def _detach(command: Node, table: str) -> Effect:
    return _harmful(f"takes the rows of {_table(command.def_.name)} out of {table}", breaks=True)


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
    if default is not None and not _is_computed_once(default.raw_expr):
        return _locking(f"{words} with a computed default", "may rewrite the table", table)
    if kinds.keys() & {"UNIQUE", "PRIMARY", "CHECK"}:
        return _locking(f"{words} with a constraint", "reads the whole table under a lock", table)
    return _effect(words)


def _is_serial(column: Node) -> bool:
    return _name(column.typeName.names).rpartition(".")[2] in ("serial", "bigserial", "smallserial")


def _is_computed_once(default: Node) -> bool:
    """True for a default with one value for all rows: a constant, or the transaction's or statement's time.

    With or without a cast.
    """
    match type(default).__name__:
        case "A_Const" | "SQLValueFunction":
            return True
        case "TypeCast":
            return _is_computed_once(default.arg)
        case "A_ArrayExpr":
            return all(_is_computed_once(one) for one in default.elements or ())
        case "FuncCall":
            return _name(default.funcname).removeprefix("pg_catalog.") in _TIMES
    return False


def _add_constraint(command: Node, table: str) -> Effect:
    constraint = command.def_
    words = f"adds a constraint to {table}"
    if constraint.skip_validation or constraint.indexname:
        return _effect(words)
    return _locking(words, "reads the whole table under a lock", table)


_TIMES = frozenset({"now", "transaction_timestamp", "statement_timestamp"})
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# Done in a moment, without effect on data or older code.
_HARMLESS = (
    "AT_DropNotNull",
    "AT_DropConstraint",
    "AT_ValidateConstraint",
    "AT_SetStatistics",
    "AT_SetOptions",
    "AT_ResetOptions",
    "AT_SetStorage",
    "AT_SetCompression",
    "AT_SetRelOptions",
    "AT_ResetRelOptions",
)
_ALTERATIONS: Mapping[str, Callable[[Node, str], Effect]] = {
    **dict.fromkeys(_HARMLESS, _alter),
    "AT_ColumnDefault": _change_default,
    "AT_EnableRowSecurity": _hide_rows,
    "AT_ForceRowSecurity": _hide_rows,
    "AT_DetachPartition": _detach,
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


def _change_rows(verb: str) -> Callable[[Node, _Made], Iterator[_Found]]:
    def effects(stmt: Node, made: _Made) -> Iterator[_Found]:
        yield from _with(stmt, made)
        table = _table(stmt.relation)
        words = f"{verb} {table}"
        yield _effect(words) if table in made.tables else _harmful(words, breaks=False)

    return effects


def _with(stmt: Node, made: _Made) -> Iterator[_Found]:
    """The effects of the parts of `WITH … AS (DELETE …)`. A SELECT there changes nothing and holds no such part."""
    for part in stmt.withClause.ctes if stmt.withClause is not None else ():
        if type(part.ctequery).__name__ != "SelectStmt":
            yield from _effects(part.ctequery, made)


def _foreign_calls(node: Node) -> Iterator[str]:
    """The functions that the node calls at any depth, except PostgreSQL's own that change nothing."""
    if isinstance(node, tuple | list):
        for one in node:
            yield from _foreign_calls(one)
    elif type(node).__module__ == "pglast.ast":
        name = _name(node.funcname).removeprefix("pg_catalog.") if type(node).__name__ == "FuncCall" else ""
        if name and name not in _OF_POSTGRES:
            yield name
        for attribute in node:
            yield from _foreign_calls(getattr(node, attribute))


_CHANGING_ROWS = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt"})
_OF_POSTGRES = frozenset(
    {
        *("abs", "array_agg", "array_append", "array_length", "array_position", "avg", "bool_and", "bool_or"),
        *("btrim", "cardinality", "ceil", "clock_timestamp", "concat", "concat_ws", "count", "date_part"),
        *("date_trunc", "decode", "dense_rank", "encode", "extract", "floor", "format", "gen_random_uuid"),
        *("generate_series", "json_agg", "json_build_object", "jsonb_agg", "jsonb_array_elements"),
        *("jsonb_array_elements_text", "jsonb_build_array", "jsonb_build_object", "jsonb_each"),
        *("jsonb_object_agg", "jsonb_set", "jsonb_strip_nulls", "lag", "lead", "left", "length", "lower"),
        *("lpad", "ltrim", "make_interval", "max", "md5", "min", "mod", "now", "overlay", "position"),
        *("power", "random", "rank", "regexp_match", "regexp_matches", "regexp_replace", "replace"),
        *("reverse", "right", "round", "row_number", "rpad", "rtrim", "sha256", "split_part", "starts_with"),
        *("statement_timestamp", "string_agg", "string_to_array", "strpos", "substr", "substring", "sum"),
        *("timezone", "to_char", "to_date", "to_json", "to_jsonb", "to_number", "to_timestamp"),
        *("transaction_timestamp", "translate", "trim", "trunc", "unnest", "upper"),
    }
)


def _insert(stmt: Node, made: _Made) -> Iterator[_Found]:
    if stmt.onConflictClause is not None and stmt.onConflictClause.action.name == "ONCONFLICT_UPDATE":
        yield from _change_rows("adds or changes rows of")(stmt, made)
    else:
        yield from _with(stmt, made)
        yield _effect(f"adds rows to {_table(stmt.relation)}")


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


# Roles of Supabase and the bot: no code of the operated system logs in as one of them.
_NOT_OF_CODE = frozenset({"PUBLIC", "anon", "authenticated", "dragonfly_bot"})


def _grant(stmt: Node, made: _Made) -> Iterator[Effect]:
    if stmt.is_grant:
        yield _effect("grants rights")
        return
    roles = [role for role in map(_role, stmt.grantees) if role not in _NOT_OF_CODE]
    is_on_made = all(type(one).__name__ == "RangeVar" and _table(one) in made.tables for one in stmt.objects or [None])
    if is_on_made or not roles:
        yield _effect("revokes rights")
    else:
        yield _harmful(f"revokes rights of {' and '.join(roles)}", breaks=True)


def _plain(words: str) -> Callable[[Node, _Made], Iterator[Effect]]:
    def effects(_stmt: Node, _made: _Made) -> Iterator[Effect]:
        yield _effect(words)

    return effects


_WITHOUT_EFFECT = frozenset({"VariableSetStmt", "CommentStmt", "TransactionStmt"})
_EFFECTS: Mapping[str, Callable[[Node, _Made], Iterable[_Found]]] = {
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "AlterTableStmt": _alter_table,
    "IndexStmt": _index,
    "DeleteStmt": _change_rows("deletes rows of"),
    "UpdateStmt": _change_rows("changes rows of"),
    "InsertStmt": _insert,
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
