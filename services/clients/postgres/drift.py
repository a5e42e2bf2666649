"""Check whether our named queries still fit this database: databases differ in their columns, and people change them.

The bot's queries are planned as the bot's role, which proves tables, columns, functions and rights. Where our own
migrations make the operated system, the queries of its API and workers are planned too, which proves all but the
rights; these are looked up in the catalog. Of an existing system, only what the bot reads is known.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from services.clients.postgres.errors import explain_state
from services.clients.postgres.pool import Connection, system_of
from services.clients.postgres.queries import OPERATED, QUERIES, SQL, read_queries
from services.domain.database import MissingRight, Query, SchemaDrift
from services.domain.systems import SYSTEMS, System

APP_ROLE = "dragonfly_app"
NOT_OURS = ("adoption", "drift", "migrations")  # files whose queries run as the owner, or belong to this check
OF_THE_OWNER = frozenset({"name_environment"})  # `migrate` runs it; the bot may read its table, not write it

_INSUFFICIENT_PRIVILEGE = "42501"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_PLANNABLE = re.compile(r"(?:--[^\n]*\n|\s)*(?:SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_SCHEMA = f"(?:{'|'.join(sorted({schema for system in SYSTEMS for schema in system.schemas}))})"
_FUNCTION = re.compile(rf"\b({_SCHEMA}\.\w+)\(")
_TABLE = re.compile(rf"\b(DELETE FROM|INSERT INTO|COPY|UPDATE|FROM|JOIN)\s+({_SCHEMA}\.\w+)\b(?!\()")
_PRIVILEGE = {"DELETE FROM": "DELETE", "INSERT INTO": "INSERT", "COPY": "INSERT", "UPDATE": "UPDATE"}

Right = tuple[str, str]  # (privilege, object)


def _read_topics(folder: Path, system: str = "") -> dict[str, dict[str, str]]:
    """`{file: {query name: SQL}}` of all files of named queries, as they are in this system."""
    return {file.stem: read_queries(file, system) for file in sorted(folder.glob("*.sql"))}


TOPICS: Mapping[str, Mapping[str, str]] = _read_topics(QUERIES)
OPERATED_TOPICS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    system.name: _read_topics(OPERATED, system.name) for system in SYSTEMS
}

_COMMANDS = re.compile(r"^-- commands: (.+)$", re.MULTILINE)  # in a query: the commands that fail without it
_AFFECTS = re.compile(r"\A-- affects: (.+)$", re.MULTILINE)  # at the top of a file: what fails without its queries


def _read_affected() -> dict[str, str]:
    """`{file: what does not work without its queries}`, of every file that declares it."""
    found = {file.stem: _AFFECTS.match(file.read_text(encoding="utf-8")) for file in sorted(QUERIES.glob("*.sql"))}
    return {topic: match[1] for topic, match in found.items() if match}


AFFECTED: Mapping[str, str] = _read_affected()


def commands_of(statement: str) -> tuple[str, ...]:
    """The commands that a query declares as needing it."""
    return tuple(name for line in _COMMANDS.findall(statement) for name in line.split(", "))


def needed_rights(statement: str) -> Iterator[Right]:
    """The rights that a role needs for a statement in our style: schema-qualified, keywords in capitals."""
    for subject in _FUNCTION.findall(statement):
        yield "EXECUTE", subject
        yield "USAGE", subject.partition(".")[0]
    for verb, subject in _TABLE.findall(statement):
        yield "USAGE", subject.partition(".")[0]
        yield _PRIVILEGE.get(verb, "SELECT"), subject
        yield "ROWS", subject
        if verb == "INSERT INTO" and "DO UPDATE" in statement:
            yield "UPDATE", subject


def _is_of_the_app(topic: str) -> bool:
    """True for queries of the API and the workers: they use operated tables and never the bot's own.

    The bot's own reads of operated tables are in `OPERATED`.
    """
    text = "".join(TOPICS.get(topic, {}).values())
    return "chatops." not in text and any(needed_rights(text))


def _read_app_rights() -> dict[Right, tuple[str, ...]]:
    """The rights that the API and the workers need, each with the topics that need it."""
    found: dict[Right, dict[str, None]] = defaultdict(dict)
    for topic in filter(_is_of_the_app, TOPICS):
        for statement in TOPICS[topic].values():
            for right in needed_rights(statement):
                found[right][topic] = None
    return {right: tuple(topics) for right, topics in sorted(found.items())}


APP_RIGHTS: Mapping[Right, tuple[str, ...]] = _read_app_rights()


async def read_drift(conn: Connection) -> SchemaDrift:
    """Plan every query that runs in this system, and run none; call it in a transaction.

    Where our migrations make the system, also look up every right of the role of the API and the workers.
    """
    system = system_of(conn)
    queries = {query: sql for query, sql in queries_in(system).items() if _PLANNABLE.match(sql)}
    app_rights = APP_RIGHTS if system.is_migrated else {}
    refused = await _explain(conn, queries)
    missing = await _list_missing(conn, list(app_rights))
    rights = tuple(
        MissingRight(APP_ROLE, *right, tuple(AFFECTED.get(topic, topic) for topic in APP_RIGHTS[right]))
        for right in missing
    )
    return SchemaDrift(len(queries) + len(app_rights), refused, rights, system.is_migrated)


def queries_in(system: System) -> dict[Query, str]:
    """The queries that run in a database of this system: the bot's, and in our own system the API's and workers'."""
    own = {topic: queries for topic, queries in TOPICS.items() if system.is_migrated or not _is_of_the_app(topic)}
    return {
        Query(name, topic, commands_of(statement), AFFECTED.get(topic, "")): statement
        for topic, statements in {**own, **OPERATED_TOPICS[system.name]}.items()
        if topic not in NOT_OURS
        for name, statement in statements.items()
        if "pg_temp." not in statement
    }


async def _explain(conn: Connection, queries: Mapping[Query, str]) -> dict[Query, str]:
    """`{query: why the server refuses it}`. Query names are unique across all files."""
    # NULL fits every parameter type, so a query can be planned without knowing its types.
    statements = {query.name: _PLACEHOLDER.sub("NULL", statement) for query, statement in queries.items()}
    await conn.execute(SQL["hand_over_statements"], {"statements": json.dumps(statements)})
    await conn.execute(SQL["explain_statements"])
    row = await (await conn.execute(SQL["read_refused_statements"])).fetchone()
    found: dict[str, Sequence[str]] = row[0] if row else {}
    return {
        query: explain_state(*found[query.name])
        for query in queries
        if query.name in found and not (_runs_as_other_role(query) and found[query.name][0] == _INSUFFICIENT_PRIVILEGE)
    }


def _runs_as_other_role(query: Query) -> bool:
    """True if another role than the bot's runs the query and needs the right; the app's rights are looked up."""
    return query.name in OF_THE_OWNER or _is_of_the_app(query.topic)


async def _list_missing(conn: Connection, rights: Sequence[Right]) -> list[Right]:
    wanted = {"privileges": [right[0] for right in rights], "subjects": [right[1] for right in rights]}
    cursor = await conn.execute(SQL["list_missing_rights"], {**wanted, "role": APP_ROLE})
    return await cursor.fetchall()
