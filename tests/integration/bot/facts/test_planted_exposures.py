"""The security audit and the drift check against a real database with one fault planted, read as `dragonfly_bot`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

from bot.facts.doctor import gather_gate
from bot.world import World
from playbooks import prod_gate
from playbooks.checks import security
from playbooks.model import Finding, Status
from services.clients.postgres.operated import list_exposures
from services.domain.systems import RUNBOOK
from tests.conftest import DatabaseUrls

if TYPE_CHECKING:
    from tests.integration.bot.conftest import System


async def audit(world: World) -> dict[str, Finding]:
    return {finding.check: finding for finding in security.check(await world.read(list_exposures), RUNBOOK)}


async def gates(world: World, *, strict: bool = False) -> dict[str, Finding]:
    return {finding.check: finding for finding in prod_gate.check(await gather_gate(world), strict=strict)}


async def test_the_migrated_database_is_closed(world: World) -> None:
    assert {name: f.detail for name, f in (await audit(world)).items() if f.status is not Status.OK} == {}


@pytest.mark.parametrize(
    ("sql", "check"),
    [
        ("GRANT SELECT ON ops.job_queue TO anon", "security.grants"),
        ("GRANT UPDATE (status) ON ops.job_queue TO authenticated", "security.grants"),
        ("GRANT DELETE ON intake.simplicity_batches TO PUBLIC", "security.grants"),
        ("GRANT INSERT ON enforcement.next_steps TO authenticated", "security.grants"),
        ("GRANT SELECT ON chatops.audit TO anon", "security.grants"),
        ("GRANT USAGE ON SCHEMA ops TO anon", "security.grants"),
        ("GRANT EXECUTE ON FUNCTION ops.requeue_jobs(uuid[], interval) TO authenticated", "security.functions"),
        ("CREATE FUNCTION public.names() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = ''"
         " AS 'SELECT plaintiff FROM public.judgments'", "security.functions"),
        ("CREATE POLICY open ON public.judgments FOR SELECT TO anon USING (true)", "security.policies"),
        ("CREATE POLICY open ON ops.job_queue USING (true)", "security.policies"),
        ("ALTER TABLE ops.job_queue DISABLE ROW LEVEL SECURITY", "security.rls"),
        ("GRANT USAGE ON SCHEMA intake TO anon", "security.rls"),  # nothing protects the raw rows then
        ("CREATE TABLE public.notes (id int)", "security.rls"),
        ("ALTER FUNCTION ops.requeue_jobs(uuid[], interval) RESET search_path", "security.definer"),
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", "security.public_schema"),
        ("ALTER DEFAULT PRIVILEGES IN SCHEMA ops GRANT SELECT ON TABLES TO anon", "security.defaults"),
    ],
)  # fmt: skip
async def test_an_exposure_is_seen(world: World, system: System, sql: str, check: str) -> None:
    system.run(sql)

    finding = (await audit(world))[check]

    assert finding.status is Status.FAIL
    assert finding.evidence["open"]
    assert (await gates(world))["gate.security_audit"].status is Status.FAIL


async def test_a_policy_that_only_narrows_is_no_exposure(world: World, system: System) -> None:
    system.run("CREATE POLICY narrow ON public.judgments AS RESTRICTIVE TO PUBLIC USING (true)")

    assert (await audit(world))["security.policies"].status is Status.OK


async def test_a_view_that_passes_row_level_security_is_seen(world: World, system: System) -> None:
    system.run(
        "CREATE VIEW public.names AS SELECT plaintiff FROM public.judgments; GRANT SELECT ON public.names TO anon"
    )
    finding = (await audit(world))["security.views"]
    system.run("ALTER VIEW public.names SET (security_invoker = true)")

    assert finding.status is Status.WARN
    assert "public.names: anon reads" in str(finding.evidence["open"])
    assert (await audit(world))["security.views"].status is Status.OK


@pytest.mark.parametrize(
    ("sql", "posted"),
    [
        ("ALTER ROLE dragonfly_app SUPERUSER", "dragonfly_app: is a superuser"),
        ("ALTER ROLE dragonfly_app BYPASSRLS", "dragonfly_app: passes row-level security"),
        ("ALTER ROLE dragonfly_bot CREATEROLE", "dragonfly_bot: may create roles"),
        ("GRANT pg_read_all_data TO dragonfly_app", "dragonfly_app: is a member of pg_read_all_data"),
        ("ALTER ROLE anon BYPASSRLS", "anon: passes row-level security"),
        ("GRANT dragonfly_app TO authenticated", "authenticated: is a member of dragonfly_app"),
    ],
)
async def test_a_role_that_may_too_much_is_seen(database_urls: DatabaseUrls, sql: str, posted: str) -> None:
    # Within one transaction, because a role belongs to the whole server; read as the bot, not as the superuser.
    async with await psycopg.AsyncConnection.connect(database_urls.superuser) as conn:
        await conn.execute(sql)
        await conn.execute("SET LOCAL ROLE dragonfly_bot")
        found = security.check(await list_exposures(conn), RUNBOOK)
        await conn.rollback()

    finding = next(finding for finding in found if finding.check == "security.roles")
    assert (finding.status, finding.evidence["open"]) == (Status.FAIL, [posted])


async def test_an_unexpected_login_is_seen(world: World, system: System) -> None:
    name = f"stranger_{uuid.uuid4().hex[:12]}"
    system.run(f"CREATE ROLE {name} LOGIN")
    try:
        system.run(f"GRANT USAGE ON SCHEMA ops TO {name}")
        finding = (await audit(world))["security.logins"]
    finally:
        system.run(f"REVOKE USAGE ON SCHEMA ops FROM {name}")
        system.run(f"DROP ROLE {name}")

    assert finding.status is Status.WARN
    assert name in finding.detail


@pytest.mark.parametrize(
    ("sql", "gate"),
    [
        ("ALTER TABLE ops.job_queue RENAME COLUMN locked_by TO holder", "gate.schema_consistency"),
        ("REVOKE SELECT ON intake.simplicity_batches FROM dragonfly_bot", "gate.schema_consistency"),
        ("REVOKE EXECUTE ON FUNCTION ops.claim_pending_job FROM dragonfly_app", "gate.schema_consistency"),
        ("DROP TABLE chatops.outbox CASCADE", "gate.schema_consistency"),
        ("DELETE FROM ops.worker_heartbeats", "gate.worker_heartbeats"),
        ("REVOKE USAGE ON SCHEMA enforcement FROM dragonfly_bot", "gate.database_connectivity"),
    ],
)
async def test_a_fault_closes_its_gate(world: World, system: System, sql: str, gate: str) -> None:
    system.work()
    system.run(sql)

    assert (await gates(world))[gate].status is Status.FAIL


async def test_every_gate_is_open_without_a_fault(world: World, system: System) -> None:
    system.work()

    found = await gates(world, strict=True)

    assert {name: f.title for name, f in found.items() if f.status is not Status.OK} == {}
    assert len(found) == 5


async def test_strict_closes_on_a_warning(world: World, system: System) -> None:
    system.work()
    system.run("DELETE FROM supabase_migrations.schema_migrations WHERE version = '20251201000300'")

    assert (await gates(world))["gate.schema_consistency"].status is Status.WARN
    assert (await gates(world, strict=True))["gate.schema_consistency"].status is Status.FAIL
