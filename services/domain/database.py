"""Facts that the database reports: server, migrations, drift, open rights, sessions; and advice about its address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.domain.errors import Unavailable


@dataclass(frozen=True)
class Query:
    """One of our named queries, with what the comments of its SQL declare.

    topic: its file in `sql/` ("jobs", "worker"). commands: those that cannot work without this read. affects: what does
    not work without the queries of its file; empty if the commands say it.
    """

    name: str
    topic: str
    commands: tuple[str, ...] = ()
    affects: str = ""


@dataclass(frozen=True)
class MissingRight:
    """A right that `role` lacks although queries need it; `affects`: what does not work without it.

    `privilege` is SQL's word for it, or `rows` when row-level security hides the table's rows from the role.
    """

    role: str
    privilege: str
    on: str
    affects: tuple[str, ...]


@dataclass(frozen=True)
class SchemaDrift:
    """The result of a drift check. `refused`: why the database refuses a query. `tried`: how many queries and rights
    were checked. `is_migrated`: our own migrations make the operated system; False for a system that existed before."""

    tried: int
    refused: Mapping[Query, str] = field(default_factory=dict)
    missing: tuple[MissingRight, ...] = ()
    is_migrated: bool = True


ENCODE = "percent-encode the password: @ is %40, / is %2F, # is %23, ? is %3F, % is %25"
# Parameters that addresses of other programs carry and libpq does not know.
FOREIGN = frozenset(
    {
        "connection_limit",
        "pgbouncer",
        "pool_timeout",
        "prepared_statements",
        "prepareThreshold",
        "schema",
        "statement_cache_size",
        "supa",
        "uselibpqcompat",
    }
)
_UNKNOWN_PARAMETER = re.compile(r'invalid uri query parameter: "([^"]+)"', re.IGNORECASE)


def foreign_parameter(raw: str) -> str | None:
    """The advice for libpq's complaint about a parameter; None for another complaint."""
    match = _UNKNOWN_PARAMETER.search(raw)
    return without(match[1]) if match else None


def without(parameter: str) -> str:
    """Advice to remove a parameter; an unknown name may be half a password, so it isn't quoted."""
    name = f"`{parameter}`" if parameter in FOREIGN else "a parameter"
    return f"the address has {name}, which Postgres does not know: remove it"


@dataclass(frozen=True)
class AppliedMigration:
    """One row of `supabase_migrations.schema_migrations`."""

    version: str
    name: str
    executed_at: datetime
    checksum: str | None

    @property
    def title(self) -> str:
        return f"{self.version}_{self.name}"


ONE_GO = timedelta(seconds=60)  # at most, between two migrations of one `migrate`


def goes_of(applied: Iterable[AppliedMigration]) -> list[list[AppliedMigration]]:
    """Group the migrations by the `migrate` that applied them, oldest first: a new environment gets dozens at once."""
    goes: list[list[AppliedMigration]] = []
    for one in sorted(applied, key=lambda one: one.executed_at):
        if goes and one.executed_at - goes[-1][-1].executed_at <= ONE_GO:
            goes[-1].append(one)
        else:
            goes.append([one])
    return goes


@dataclass(frozen=True)
class RecordedMigrations:
    """The migrations that Supabase's CLI recorded for an existing system. `head`: the newest version, or None."""

    count: int
    head: str | None


@dataclass(frozen=True)
class MigrationStatus:
    """The migrations of one database. `pending` and `changed` (applied, but the file differs now) are `version_name` in
    order; `unknown` are versions that the database has and the files don't (a newer schema).

    `is_migrated`: our own migrations make the operated system. For a system that existed before, these are the
    migrations of the bot's schema only; of the system's own migrations only `recorded` is known, None if our role may
    not read it.
    """

    applied: tuple[AppliedMigration, ...]
    pending: tuple[str, ...]
    changed: tuple[str, ...]
    unknown: tuple[str, ...]
    is_migrated: bool = True
    recorded: RecordedMigrations | None = None

    @property
    def head(self) -> str | None:
        """The newest applied version; None on an empty database."""
        return max((m.version for m in self.applied), default=None)


@dataclass(frozen=True)
class PreparedRollback:
    """One file of `sql/rollbacks/`, which undoes the migration of this version. `checksum`: SHA-256 of its bytes."""

    version: str
    checksum: str


@dataclass(frozen=True)
class Exposure:
    """One permission that no role should have.

    `kind`: `grants`, `functions`, `policies`, `rls`, `definer`, `public_schema`, `defaults`, `views`, `roles` or
    `logins`. `role` is empty if the fault is the object's own; `public` stands for every role. `is_theirs`: it belongs
    to a system that existed before, so it concerns that system's owner.
    """

    kind: str
    subject: str
    role: str
    what: str
    is_theirs: bool = False


@dataclass(frozen=True)
class ServerFacts:
    """The database server as our role sees it.

    `schemas` are those of the operated system that this role may use, `missing_schemas` the others. `hidden_tables`:
    tables that it reads although row-level security may hide rows from it. `is_migrated`: our own migrations make the
    system; False for a system that existed before. `system_problem`: why nothing may be changed in it. `pooler_mode` is
    `session`, `transaction` or `direct`; "unknown" if the address does not report it. `refuses_writes`: why the
    database refuses our writes; None if it accepts them, or if no write was tried.
    """

    current_user: str
    database: str
    server_time: datetime
    version: str
    schemas: tuple[str, ...]
    hidden_tables: tuple[str, ...]
    pooler_mode: str
    refuses_writes: str | None = None
    missing_schemas: tuple[str, ...] = ()
    is_migrated: bool = True
    system_problem: str | None = None


@dataclass(frozen=True)
class SessionRole:
    """The role with which one of our processes is connected. `process` begins with the service's name."""

    process: str
    role: str


@dataclass(frozen=True)
class ConnectionUse:
    """`used`: client sessions on the server now; `limit`: the highest number allowed.

    `pooler_may_allow_fewer`: True if a pooler is in front of the server; it does not report its own limit.
    """

    used: int
    limit: int
    pooler_may_allow_fewer: bool = False


POOL_SIZE, CONCURRENCY = "POOL_SIZE", "CONCURRENCY"  # the variables that set the size of a process's pool


@dataclass(frozen=True)
class Defaults:
    """The sessions of a process without these variables. `beside`: outside the pool, they listen, beat or probe."""

    pool_size: int
    beside: int
    concurrency: int = 0  # jobs at the same time

    @property
    def sessions(self) -> int:
        return _sessions(self, self.pool_size, self.concurrency)


def sessions_per_replica(defaults: Defaults | None, variables: Mapping[str, str]) -> int | Unavailable:
    """The sessions of one replica, by its next deployment's variables (names in any case, as processes read them)."""
    if defaults is None:
        return Unavailable("system", "this system does not report how many sessions one replica holds")
    set_to = {name.upper(): value.strip() for name, value in variables.items() if value.strip()}
    pool_size = _read(set_to, POOL_SIZE, defaults.pool_size)
    concurrency = _read(set_to, CONCURRENCY, defaults.concurrency) if defaults.concurrency else 0
    if isinstance(pool_size, Unavailable):
        return pool_size
    if isinstance(concurrency, Unavailable):
        return concurrency
    return _sessions(defaults, pool_size, concurrency)


def _sessions(defaults: Defaults, pool_size: int, concurrency: int) -> int:
    """The sessions of one process. A worker's pool grows with its concurrency: one session per job, and one for the
    heartbeat's probe."""
    return max(pool_size, concurrency + 1) + defaults.beside


def _read(variables: Mapping[str, str], name: str, default: int) -> int | Unavailable:
    if name not in variables:
        return default
    try:
        number = int(variables[name])
    except ValueError:
        number = 0
    return number if number > 0 else Unavailable("Railway", f"its {name} is not a positive whole number")
