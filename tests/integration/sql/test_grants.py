"""Rights of each role, read from the catalog, because information_schema hides those of other roles."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from services.clients.postgres.pool import Connection

SCHEMAS = ["ops", "intake", "enforcement", "chatops"]
OURS = [*SCHEMAS, "public"]


async def column(conn: Connection, query: str, *values: object) -> list[object]:
    return [row[0] for row in await (await conn.execute(query, values)).fetchall()]


@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_the_web_roles_have_nothing(as_owner: Connection, role: str) -> None:
    tables = await column(
        as_owner,
        """SELECT relation.oid::regclass::text FROM pg_class AS relation
           WHERE relnamespace = ANY (%s::regnamespace[]) AND relkind IN ('r', 'v', 'm', 'p', 'S')
             AND (has_any_column_privilege(%s, relation.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
                  OR has_table_privilege(%s, relation.oid, 'DELETE, TRUNCATE, TRIGGER'))""",
        OURS,
        role,
        role,
    )
    functions = await column(
        as_owner,
        "SELECT oid::regprocedure::text FROM pg_proc "
        "WHERE pronamespace = ANY (%s::regnamespace[]) AND has_function_privilege(%s, oid, 'EXECUTE')",
        OURS,
        role,
    )
    schemas = await column(
        as_owner,
        "SELECT nspname FROM pg_namespace WHERE nspname = ANY (%s) AND has_schema_privilege(%s, oid, 'USAGE')",
        SCHEMAS,
        role,
    )

    assert (tables, functions, schemas) == ([], [], [])


# COPY FROM does not work for a role under row-level security; only the grants guard this table.
COPIED = "intake.simplicity_raw_rows"


async def test_every_table_of_the_operated_schemas_has_row_level_security(as_owner: Connection) -> None:
    without = await column(
        as_owner,
        "SELECT oid::regclass::text FROM pg_class "
        "WHERE relnamespace = ANY (%s::regnamespace[]) AND relkind = 'r' AND NOT relrowsecurity",
        ["ops", "intake", "enforcement", "public"],
    )

    assert without == [COPIED]


async def test_functions_that_run_as_the_owner_pin_their_search_path(as_owner: Connection) -> None:
    unpinned = await column(
        as_owner,
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = ANY (%s::regnamespace[]) AND prosecdef "
        "AND NOT coalesce(proconfig::text LIKE '%%search_path=pg_catalog, pg_temp%%', false)",
        OURS,
    )

    assert unpinned == []


async def test_the_bot_writes_its_own_schema_only(as_owner: Connection) -> None:
    writable = await column(
        as_owner,
        """SELECT DISTINCT nspname FROM pg_class AS relation JOIN pg_namespace ON pg_namespace.oid = relnamespace
           WHERE relkind = 'r' AND nspname NOT LIKE 'pg_%%' AND nspname <> 'information_schema'
             AND (has_any_column_privilege('dragonfly_bot', relation.oid, 'INSERT, UPDATE')
                  OR has_table_privilege('dragonfly_bot', relation.oid, 'DELETE, TRUNCATE'))""",
    )

    assert writable == ["chatops"]


BOT_MUST_NOT = (
    "SELECT payload FROM ops.job_queue",
    "SELECT result FROM ops.job_queue",
    "SELECT details FROM ops.intake_logs",
    "SELECT file_name FROM intake.simplicity_batches",
    "SELECT raw FROM intake.simplicity_raw_rows",
    "SELECT plaintiff FROM public.judgments",
    "SELECT reasons FROM enforcement.next_steps",
    "SELECT principal FROM enforcement.assessments",
    "SELECT amount FROM enforcement.payments",
    "SELECT memo FROM enforcement.memos",
    "INSERT INTO ops.job_queue (job_type) VALUES ('x')",
    "UPDATE ops.job_queue SET status = 'failed'",
    "DELETE FROM ops.worker_heartbeats",
    "DELETE FROM intake.simplicity_batches",
    "UPDATE intake.simplicity_batches SET is_golden_path = true",
    "INSERT INTO chatops.installation (environment) VALUES ('dev')",
    "UPDATE chatops.installation SET environment = 'dev'",
    "DELETE FROM chatops.installation",
    "TRUNCATE chatops.installation",
    "SELECT FROM ops.claim_pending_job(ARRAY['x'], 'bot')",
    "SELECT ops.update_job_status(gen_random_uuid(), 'failed')",
    "CREATE TABLE ops.mine ()",
)
APP_MUST_NOT = (
    "UPDATE ops.job_queue SET status = 'failed'",
    "SELECT FROM chatops.installation",
    "DELETE FROM public.judgments",
    "UPDATE enforcement.payments SET amount = 1",
    "DELETE FROM enforcement.payments",
    "CREATE TABLE public.mine ()",
)


async def allowed(conn: Connection, queries: tuple[str, ...]) -> list[str]:
    """Return the queries that are not refused."""
    found = []
    for query in queries:
        try:
            await conn.execute(query)
        except errors.InsufficientPrivilege:
            continue
        found.append(query)
    return found


async def test_bot_role_is_refused_statements_beyond_its_grants(as_bot: Connection) -> None:
    assert await allowed(as_bot, BOT_MUST_NOT) == []


async def test_app_role_is_refused_statements_beyond_its_grants(as_app: Connection) -> None:
    assert await allowed(as_app, APP_MUST_NOT) == []


async def test_a_bot_without_bypassrls_sees_the_same_rows(as_owner: Connection) -> None:
    await as_owner.execute("INSERT INTO ops.job_queue (job_type) VALUES ('x')")
    await as_owner.execute(
        "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status) VALUES ('w', 't', 'running')"
    )
    await as_owner.execute("INSERT INTO ops.intake_logs (event_type) VALUES ('uploaded')")
    await as_owner.execute("INSERT INTO intake.simplicity_batches (file_name, sha256) VALUES ('f', repeat('a', 64))")
    # Within one transaction, so that the role, which belongs to the whole server, never changes for other tests.
    seen = []
    async with as_owner.transaction(force_rollback=True):
        await as_owner.execute("CREATE ROLE plain_bot")
        await as_owner.execute("GRANT plain_bot TO CURRENT_USER")
        await as_owner.execute("GRANT dragonfly_bot TO plain_bot")
        await as_owner.execute("SET LOCAL ROLE plain_bot")  # inherits grants and policies, but not BYPASSRLS
        for table in ("ops.job_queue", "ops.worker_heartbeats", "ops.intake_logs", "intake.simplicity_batches"):
            seen += await column(as_owner, f"SELECT count(*) FROM {table}")  # noqa: S608 - names of ours

    assert seen == [1, 1, 1, 1]


async def test_the_owner_is_no_superuser(as_owner: Connection) -> None:
    query = "SELECT rolsuper, rolcreaterole, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    row = await (await as_owner.execute(query)).fetchone()

    assert row == (False, True, True)


async def test_the_migrated_roles_log_in_with_a_password_only(database_urls_without_password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        await psycopg.AsyncConnection.connect(database_urls_without_password)


@pytest.fixture
def database_urls_without_password(as_bot: Connection) -> str:
    info = as_bot.info
    return f"postgresql://{info.user}@{info.host}:{info.port}/{info.dbname}"
