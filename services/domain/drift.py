"""How far the database differs from what our SQL expects of it: tables, columns, functions and rights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Query:
    """One of our named queries. `topic`: its file in `sql/` ("jobs", "worker")."""

    name: str
    topic: str


@dataclass(frozen=True)
class MissingRight:
    """What `role` may not do, although the queries of these topics need it.

    `privilege` is SQL's word for it, or `rows` when row-level security hides the table's rows from the role.
    """

    role: str
    privilege: str
    on: str
    topics: tuple[str, ...]


@dataclass(frozen=True)
class SchemaDrift:
    """`refused`: why the database refuses a query. `tried`: how many queries and rights were looked at."""

    tried: int
    refused: Mapping[Query, str] = field(default_factory=dict)
    missing: tuple[MissingRight, ...] = ()
