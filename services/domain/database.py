"""What the database reports: its server, migrations, drift, open rights, sessions; and its address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.domain.errors import Unavailable


@dataclass(frozen=True)
class Query:
    """One of our named queries, with what its SQL says of it.

    topic: its file in `sql/` ("jobs", "worker"). commands: those that cannot work without this read. affects: what does
    not work without the queries of its file; empty where the commands say it.
    """

    name: str
    topic: str
    commands: tuple[str, ...] = ()
    affects: str = ""


@dataclass(frozen=True)
class MissingRight:
    """What `role` may not do, although queries need it; `affects`: what does not work without it.

    `privilege` is SQL's word for it, or `rows` when row-level security hides the table's rows from the role.
    """

    role: str
    privilege: str
    on: str
    affects: tuple[str, ...]


@dataclass(frozen=True)
class SchemaDrift:
    """`refused`: why the database refuses a query. `tried`: how many queries and rights were looked at.

    `is_migrated`: our own migrations make the operated system; another one stands already.
    """

    tried: int
    refused: Mapping[Query, str] = field(default_factory=dict)
    missing: tuple[MissingRight, ...] = ()
    is_migrated: bool = True


ENCODE = "percent-encode the password: @ is %40, / is %2F, # is %23, ? is %3F, % is %25"
# Parameters that other programs' addresses carry and libpq does not know.
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
    """What to do about a parameter; one of an unknown name may be half a password, and is not quoted."""
    name = f"`{parameter}`" if parameter in FOREIGN else "a parameter"
    return f"the address has {name}, which Postgres does not know: take it out"


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


ONE_GO = timedelta(seconds=60)  # between two migrations of one `migrate`


def goes_of(applied: Iterable[AppliedMigration]) -> list[list[AppliedMigration]]:
    """What was applied in one go, oldest first: a new environment gets dozens of them."""
    goes: list[list[AppliedMigration]] = []
    for one in sorted(applied, key=lambda one: one.executed_at):
        if goes and one.executed_at - goes[-1][-1].executed_at <= ONE_GO:
            goes[-1].append(one)
        else:
            goes.append([one])
    return goes


@dataclass(frozen=True)
class RecordedMigrations:
    """What Supabase's CLI has recorded of an existing system. `head`: the newest version as text, None
    without any."""

    count: int
    head: str | None


@dataclass(frozen=True)
class MigrationStatus:
    """`pending` and `changed` (applied, but the file differs now) are `version_name` in order; `unknown` are versions
    that the database has and the files have not (a newer schema).

    `is_migrated`: our own migrations make the operated system. Of one that stands already these are the migrations of
    the bot's schema only; of its own only `recorded` is known, None where our role may not read that.
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
    """One file of `sql/rollbacks/`: the way back from the migration of this version. `checksum`: its bytes' SHA-256."""

    version: str
    checksum: str


@dataclass(frozen=True)
class Exposure:
    """One permission that no one should have.

    `kind`: `grants`, `functions`, `policies`, `rls`, `definer`, `public_schema`, `defaults`, `views`, `roles` or
    `logins`. `role` is empty where the fault is the object's own; `public` stands for every role. `is_theirs`: of a
    system that stands already, whose owner it concerns.
    """

    kind: str
    subject: str
    role: str
    what: str
    is_theirs: bool = False


@dataclass(frozen=True)
class ServerFacts:
    """`schemas` are those of the operated system that this role may use, `missing_schemas` the others.

    `hidden_tables`: those that it reads and of which row-level security may hide rows from it. `is_migrated`: our own
    migrations make the system; another one stands already. `system_problem`: why nothing may be changed in it.

    `pooler_mode` is `session`, `transaction` or `direct`; "unknown" when the address does not report it.
    `refuses_writes`: why the database accepts no writes of ours; None when it does, or when no write was tried.
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
    """As which role a process of ours is connected. `process` begins with the service's name."""

    process: str
    role: str


@dataclass(frozen=True)
class ConnectionUse:
    """`used`: client sessions on the server now; `limit`: how many there may be.

    `pooler_may_allow_fewer`: there is a pooler in front of it, which does not report its own limit.
    """

    used: int
    limit: int
    pooler_may_allow_fewer: bool = False


POOL_SIZE, CONCURRENCY = "POOL_SIZE", "CONCURRENCY"  # the variables that a process makes its pool by


@dataclass(frozen=True)
class Defaults:
    """Of a process whose variables contain nothing. `beside`: what listens, beats or probes outside the pool."""

    pool_size: int
    beside: int
    concurrency: int = 0  # of jobs

    @property
    def sessions(self) -> int:
        return _sessions(self, self.pool_size, self.concurrency)


def sessions_per_replica(defaults: Defaults | None, variables: Mapping[str, str]) -> int | Unavailable:
    """By the variables of its next deployment; names in any case, as the processes read them."""
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
    """A worker's pool grows with its concurrency: one session a job, and one for the heartbeat's probe."""
    return max(pool_size, concurrency + 1) + defaults.beside


def _read(variables: Mapping[str, str], name: str, default: int) -> int | Unavailable:
    if name not in variables:
        return default
    try:
        number = int(variables[name])
    except ValueError:
        number = 0
    return number if number > 0 else Unavailable("Railway", f"its {name} is not a positive whole number")
