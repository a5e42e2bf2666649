"""Frequent queries stay fast as history grows: each is served by its index."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.clients.postgres.operated import ERROR_LIMIT
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import DIALECTS, SQL
from services.sandbox.postgres.server import PostgresServer
from tests.conftest import TEMPLATE, Superuser, make_test_database

# 50 000 finished jobs over 35 days, 400 pending in two types, few failed and processing; 5 000 dead workers.
SEED = """
INSERT INTO ops.job_queue (job_type, status, created_at, updated_at, run_at, locked_at, locked_by)
SELECT CASE WHEN n % 100 = 0 THEN 'rare' ELSE 'common' END, kind, at, at, at,
       CASE WHEN kind = 'processing' THEN at END, CASE WHEN kind = 'processing' THEN 'w' || n END
FROM (
    SELECT n, now() - n * interval '1 minute' AS at,
           CASE WHEN n % 500 = 1 THEN 'failed' WHEN n % 500 IN (2, 100, 3, 4) THEN 'pending'
                WHEN n % 5000 = 5 THEN 'processing' ELSE 'completed' END AS kind
    FROM generate_series(1, 50000) AS n
) AS seed;
INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, last_heartbeat_at)
SELECT 'w' || n, 'ingest_processor', CASE WHEN n < 3 THEN 'running' ELSE 'stopped' END, now() - n * interval '1 hour'
FROM generate_series(0, 5000) AS n;
INSERT INTO intake.simplicity_batches (file_name, sha256, created_at)
SELECT 'f', repeat('a', 64), now() - n * interval '1 minute' FROM generate_series(1, 20000) AS n;
INSERT INTO ops.intake_logs (event_type, created_at)
SELECT 'e', now() - n * interval '1 minute' FROM generate_series(1, 20000) AS n;
ANALYZE ops.job_queue, ops.worker_heartbeats, intake.simplicity_batches, ops.intake_logs;
"""
PARAMETERS: dict[str, object] = {
    "stale_after": timedelta(minutes=5),
    "stale_by_type": "{}",
    "window": timedelta(hours=1),
    "limit": 20,
    "count_to": 101,
    "error_limit": ERROR_LIMIT,
    "job_types": ["rare", "common"],
}
EXPECTED = {
    "list_heartbeats": {"worker_heartbeats_last_idx"},
    "read_queue_snapshot": {"job_queue_claim_idx", "job_queue_processing_idx", "job_queue_failed_idx"},
    "list_failed_jobs": {"job_queue_failed_idx"},
    "count_failed_jobs": {"job_queue_failed_idx"},
    "count_exhausted_jobs": {"job_queue_failed_idx"},
    "list_throughput": {"job_queue_updated_idx"},
    "list_oldest_pending": {"job_queue_claim_idx"},
    "list_next_due": {"job_queue_claim_idx", "job_queue_processing_idx"},
    "list_unclaimed": {"job_queue_claim_idx"},
    "list_running_jobs": {"job_queue_processing_idx"},
    "list_batches": {"simplicity_batches_created_idx"},
    "list_intake_events": {"intake_logs_created_idx"},
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def explain(conn: Connection, query: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
    row = await (await conn.execute(f"EXPLAIN (FORMAT json) {query}", parameters)).fetchone()
    assert row
    found = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return list(nodes(found[0]["Plan"]))


def scanned_whole(plan: list[dict[str, Any]]) -> list[str]:
    return [node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan" and "Relation Name" in node]


@pytest.fixture(scope="module")
def history(postgres_server: PostgresServer, superuser: Superuser) -> Iterator[str]:
    """The name of a database with a long history, which each test copies: filling it takes 1 s."""
    for urls in make_test_database(postgres_server, superuser, TEMPLATE):
        with psycopg.connect(urls.owner, autocommit=True) as conn:
            for seed in (SEED, SEED_RUNS, SEED_INCIDENTS, SEED_MESSAGES, SEED_ENFORCEMENT):
                conn.execute(seed)
            name = conn.info.dbname
        yield name


@pytest.fixture
async def seeded(postgres_server: PostgresServer, superuser: Superuser, history: str) -> AsyncIterator[Connection]:
    """A session as the owner of a copy."""
    for urls in make_test_database(postgres_server, superuser, history):
        async with await psycopg.AsyncConnection.connect(urls.owner, autocommit=True) as conn:
            yield conn


async def test_operated_reads_use_their_indexes(seeded: Connection) -> None:
    missing, whole = {}, {}
    for name, indexes in EXPECTED.items():
        plan = await explain(seeded, DIALECTS["runbook"][name], PARAMETERS)
        used = {node["Index Name"] for node in plan if "Index Name" in node}
        missing[name] = indexes - used
        whole[name] = [table for table in scanned_whole(plan) if table not in ("worker_heartbeats", "job_types")]

    assert missing == {name: set() for name in EXPECTED}
    assert whole == {name: [] for name in EXPECTED}


CLAIMS = [["rare"], ["rare", "common"], ["common", "nobody's"]]


async def test_a_claim_walks_no_backlog(seeded: Connection) -> None:
    await seeded.execute("UPDATE ops.job_queue SET status = 'completed' WHERE status = 'pending' AND job_type = 'rare'")
    await seeded.execute(
        "INSERT INTO ops.job_queue (job_type) SELECT 'common' FROM generate_series(1, 20000); ANALYZE ops.job_queue"
    )

    assert [types for types in CLAIMS if await blocks_of_a_claim(seeded, types) >= 200] == []


async def test_a_claim_walks_past_nothing_that_is_scheduled_for_later(seeded: Connection) -> None:
    await seeded.execute(
        "INSERT INTO ops.job_queue (job_type, priority, run_at) SELECT kind, 1 + n % 3, now() + n * interval '1 minute'"
        " FROM generate_series(1, 20000) AS n, unnest(ARRAY['rare', 'common']) AS kind; ANALYZE ops.job_queue"
    )

    assert [types for types in CLAIMS if await blocks_of_a_claim(seeded, types) >= 200] == []


async def blocks_of_a_claim(conn: Connection, types: list[str]) -> int:
    """Return the number of 8 kB pages that a claim reads; the minimum, because pages of the catalog come on top at
    times."""
    explained = "EXPLAIN (ANALYZE, BUFFERS, FORMAT json) SELECT FROM ops.claim_pending_job(%s, 'w')"
    rows = [await (await conn.execute(explained, (types,))).fetchone() for _ in range(5)]
    return min(int(row[0][0]["Plan"]["Shared Hit Blocks"]) for row in rows if row)


# 50 000 runs that ended, with what belongs to them, and one open run in each state.
SEED_RUNS = """
ALTER TABLE chatops.runs DISABLE TRIGGER USER;
ALTER TABLE chatops.run_steps DISABLE TRIGGER USER;
ALTER TABLE chatops.run_decisions DISABLE TRIGGER USER;
INSERT INTO chatops.runs (
    state, environment, playbook, parameters, plan, plan_hash, risk, title, services, reason, channel, approvals_needed,
    kinds, format, created_at, expires_at, approved_at, started_at, ended_at
)
SELECT state, 'staging', 'scale', '{}', '{}', repeat('a', 64), 'high', 'Scale', '{dragonfly-api}', '', 'c', 1,
    '{ScaleService}', 1, at, at + interval '15 minutes', at, at, CASE WHEN chatops.is_final(state) THEN at END
FROM (
    SELECT now() - (50010 - n) * interval '1 minute' AS at,
        CASE WHEN n > 50000 THEN (enum_range(NULL::chatops.run_state))[n - 50000]
             ELSE (ARRAY['succeeded', 'failed', 'cancelled', 'expired', 'voided'])[1 + n % 5]::chatops.run_state
        END AS state
    FROM generate_series(1, 50010) AS n
) AS seed;
INSERT INTO chatops.run_steps (run_id, position, step, state)
SELECT id, position, '{}', 'done' FROM chatops.runs CROSS JOIN generate_series(0, 2) AS position;
INSERT INTO chatops.run_decisions (run_id, user_id, team_id, approve, reason, plan_hash, policy_hash)
SELECT id, 'U1', 'T1', true, '', plan_hash, 'p' FROM chatops.runs;
INSERT INTO chatops.audit (seq, at, actor, event, run_id, details, hash)
SELECT id, now(), 'U1', 'run.filed', id, '{}', repeat('0', 64) FROM chatops.runs;
INSERT INTO chatops.leases (name, owner, epoch, until) SELECT 'run:' || id, 'a', 1, created_at FROM chatops.runs;
ANALYZE chatops.runs, chatops.run_steps, chatops.run_decisions, chatops.audit, chatops.leases;
"""
RUN_PARAMETERS = {
    "run_id": 40_000,
    "except_run": 40_000,
    "services": ["dragonfly-api"],
    "kinds": ["ScaleService"],
    "format": 1,
    "to": "cancelled",
    "from": ["approved"],
    "outcome": "",
    "position": 0,
    "owner": "a",
    "epoch": 1,
    "intent": "{}",
    "evidence": None,
    "note": None,
    "state": "done",
    "limit": 20,
    "user_id": "U1",
    "team_id": "T1",
    "approve": True,
    "reason": "",
    "plan_hash": "a" * 64,
    "policy_hash": "p",
    "name": "run:40000",
    "longest_lease": timedelta(minutes=1),
    "only_playbook": None,
    "scheduled": False,
}
EXPECTED_OF_RUNS = {
    "read_run": {"runs_pkey"},
    "read_steps": {"run_steps_pkey"},
    "list_runs": {"runs_pkey"},
    "list_open_runs": {"runs_open_idx"},
    "transition_run": {"runs_pkey"},
    "list_runs_to_execute": {"runs_open_idx", "leases_pkey"},
    "take_services": {"runs_pkey"},
    "list_services_not_taken": {"runs_pkey"},
    "void_waiting_runs": {"runs_open_idx"},
    "expire_runs": {"runs_open_idx"},
    "request_cancel": {"runs_pkey"},
    "break_lease": {"leases_pkey"},
    "intend_step": {"run_steps_pkey", "runs_pkey", "leases_pkey"},
    "start_step": {"run_steps_pkey", "runs_pkey", "leases_pkey"},
    "finish_step": {"run_steps_pkey", "runs_pkey", "leases_pkey"},
    "resolve_unknown_step": {"run_steps_pkey", "runs_pkey"},
    "record_decision": {"runs_pkey"},
    "list_decisions": {"run_decisions_pkey"},
    "list_audit": {"audit_pkey"},
    "list_audit_of_run": {"audit_run_id_idx"},
}
SMALL = {"run_services"}  # never more rows than services


async def test_runs_are_found_by_their_indexes_however_many_have_ended(seeded: Connection) -> None:
    missing, whole = {}, {}
    for name, indexes in EXPECTED_OF_RUNS.items():
        plan = await explain(seeded, SQL[name], RUN_PARAMETERS)
        used = {node["Index Name"] for node in plan if "Index Name" in node}
        if "runs_open_idx" in used:
            used.add("runs_pkey")  # one open run is found as fast among the few open ones
        missing[name] = indexes - used
        whole[name] = [table for table in scanned_whole(plan) if table not in SMALL]

    assert missing == {name: set() for name in EXPECTED_OF_RUNS}
    assert whole == {name: [] for name in EXPECTED_OF_RUNS}


# The index by which each query finds recent rows, and its time column.
BY_TIME = {
    "list_unanswered_requests": ("runs_created_at_idx", "created_at"),
    "count_requests": ("runs_created_at_idx", "created_at"),
    "count_acts": ("audit_actor_idx", "at"),
    "list_opened_by": ("incidents_opened_at_idx", "opened_at"),
    "list_own_lines": ("incident_events_timeline_idx", "happened_at"),
    "read_ask_spending": ("asks_asked_at_idx", "asked_at"),
    "prune_alert_decisions": ("alert_decisions_at_idx", "at"),
    "prune_alerts": ("alerts_resolved_at_idx", "resolved_at"),
    "list_undeliverable": ("outbox_refused_at_idx", "refused_at"),
    "list_replica_changes": ("observed_replicas_seen_idx", "seen_at"),
    "prune_observed_replicas": ("observed_replicas_seen_idx", "seen_at"),
}
PARAMETERS_BY_TIME = {
    "window": timedelta(minutes=10),
    "within": timedelta(minutes=10),
    "older_than": timedelta(days=90),
    "user_id": "U1",
    "actor": "U1",
    "event": "incident.escalated",
    "kind": "reported",
    "environment": "staging",
    "delivery": "d",
    "incident_id": 10_000,
    "ask_id": 1,
    "limit": 3,
}
SPREAD = """
UPDATE chatops.incidents SET since = now() - id * interval '1 hour', opened_at = now() - id * interval '1 hour';
INSERT INTO chatops.alert_decisions (at, fingerprint, decision, reason)
SELECT now() - n * interval '1 minute', 'queue', 'told', 'r' FROM generate_series(1, 20000) AS n;
INSERT INTO chatops.asks (asked_by_user, asked_by_team, asked_at)
SELECT 'U1', 'T1', now() - n * interval '1 hour' FROM generate_series(1, 20000) AS n;
UPDATE chatops.outbox SET refused_at = now() - interval '1 hour';
INSERT INTO chatops.observed_replicas (service, replicas, seen_at)
SELECT 'dragonfly-api', 1, now() - n * interval '6 minutes' FROM generate_series(20000, 1, -1) AS n;
ANALYZE chatops.incidents, chatops.alert_decisions, chatops.asks, chatops.outbox, chatops.observed_replicas;
"""


async def test_what_is_recent_is_found_without_reading_what_is_long_ago(seeded: Connection) -> None:
    """No index serves a comparison with clock_timestamp(), which has another value for each row."""
    await seeded.execute(SPREAD)

    unserved = []
    for name, (index, column) in BY_TIME.items():
        plan = await explain(seeded, SQL[name], PARAMETERS_BY_TIME)
        found = [node.get("Index Cond", "") for node in plan if node.get("Index Name") == index]
        if not any(f"{column} " in condition for condition in found):
            unserved.append((name, found, scanned_whole(plan)))

    assert unserved == []


async def test_leases_are_pruned_without_looking_at_every_run(seeded: Connection) -> None:
    await seeded.execute("DELETE FROM chatops.leases WHERE name NOT LIKE 'run:4321_'; ANALYZE chatops.leases")
    await seeded.execute("INSERT INTO chatops.leases (name, owner, epoch, until) VALUES ('leader', 'a', 1, now())")

    plan = await explain(seeded, SQL["prune_run_leases"], {"older_than": timedelta(days=1)})
    pruned = await seeded.execute(SQL["prune_run_leases"], {"older_than": timedelta(days=1)})

    assert scanned_whole(plan) == ["leases"]
    assert pruned.rowcount == 10


# 20 000 incidents that ended, with what belongs to them, and three that did not.
SEED_INCIDENTS = """
ALTER TABLE chatops.incidents DISABLE TRIGGER USER;
ALTER TABLE chatops.incident_pages DISABLE TRIGGER USER;
INSERT INTO chatops.incidents (
    state, environment, severity, title, services, since, chain, resolved_by_user, resolved_by_team, resolved_at, cause
)
SELECT CASE WHEN n > 20000 THEN 'open' ELSE 'resolved' END::chatops.incident_state, 'staging', 'sev1', 'No ingest',
    '{}', now(), '{}', ended, ended, CASE WHEN n <= 20000 THEN now() END, ended
FROM (SELECT n, CASE WHEN n <= 20000 THEN 'U1' END AS ended FROM generate_series(1, 20003) AS n) AS seed;
INSERT INTO chatops.alerts (fingerprint, state, since, fired_at, resolved_at, summary)
SELECT 'heartbeats.ingest', 'resolved', now(), now(), now(), 'No ingest' FROM generate_series(1, 20003);
INSERT INTO chatops.incident_alerts (alert_id, incident_id, fingerprint, line, since)
SELECT id, id, 'heartbeats.ingest', 'No ingest', now() FROM chatops.incidents;
INSERT INTO chatops.incident_pages (incident_id, number, level, reason) SELECT id, 1, 0, 'o' FROM chatops.incidents;
INSERT INTO chatops.outbox (key, channel, text, blocks, sent_version, ts, channel_id)
SELECT 'incident:' || id, 'C1', 'x', '[]', 1, id::text, 'C1' FROM chatops.incidents;
ANALYZE chatops.outbox;
INSERT INTO chatops.incident_events (incident_id, kind, text, channel_id, ts)
SELECT id, 'marked', 'x', 'C1', id::text FROM chatops.incidents;
INSERT INTO chatops.oncall_overrides (rotation, user_id, begins_at, ends_at, by_user, by_team)
SELECT 'primary', 'U1', now() - n * interval '1 hour', now() - (n - 2) * interval '1 hour', 'U1', 'T1'
FROM generate_series(1, 20000) AS n;
INSERT INTO chatops.oncall_reminders (rotation, user_id, gains, begins_at, ends_at, due_at)
SELECT 'primary', 'U1', true, later, later + interval '1 hour', later
FROM (SELECT now() + n * interval '1 hour' AS later FROM generate_series(-20, 20000) AS n) AS seed;
INSERT INTO chatops.oncall_swaps (
    rotation, user_id, team_id, other_user, begins_at, ends_at, other_begins_at, other_ends_at
)
SELECT 'primary', 'U1', 'T1', 'U2', now(), now() + interval '1 hour', now(), now() + interval '1 hour'
FROM generate_series(1, 20000);
INSERT INTO chatops.planned_silences (what, owner, reason, begins_at, ends_at, ended_at)
SELECT 'ingest', 'U1', 'r', now(), now() + interval '1 hour', CASE WHEN n > 3 THEN now() END
FROM generate_series(1, 20000) AS n;
ANALYZE chatops.planned_silences;
ANALYZE chatops.oncall_reminders, chatops.oncall_swaps;
ANALYZE chatops.incidents, chatops.alerts, chatops.incident_alerts, chatops.incident_pages, chatops.incident_events,
    chatops.oncall_overrides;
"""
SEED_MESSAGES = """
INSERT INTO chatops.outbox (key, channel, text, blocks)
SELECT CASE WHEN n % 1000 = 0 THEN 'policy:file:' || n || ':refused' ELSE 'run:' || n END, 'C1', 'x', '[]'
FROM generate_series(1, 20000) AS n;
ANALYZE chatops.outbox;
"""


async def test_the_last_message_about_a_file_is_found_without_reading_all_messages(seeded: Connection) -> None:
    plan = await explain(seeded, SQL["read_last_message_key"], {"prefix": "policy:file:"})

    assert scanned_whole(plan) == []
    assert "outbox_file_messages_idx" in {node.get("Index Name") for node in plan}


INCIDENT_PARAMETERS = {
    "incident_id": 10_000,
    "alert_id": 10_000,
    "override_id": 1,
    "user_id": "U1",
    "team_id": "T1",
    "by_user": "U1",
    "by_team": "T1",
    "cause": "c",
    "severity": "sev2",
    "due_in": timedelta(minutes=5),
    "cleared_at": None,
    "part": 1,
    "diagnosis": "d",
    "remedy": None,
    "number": 2,
    "level": 0,
    "reason": "r",
    "line": "l",
    "message_key": "m",
    "deployed_at": None,
    "diagnosed_since": None,
    "blocks": "[]",
    "drawn_at": None,
    "at": None,
    "happened_at": None,
    "kind": "k",
    "text": "t",
    "channel_id": "C1",
    "ts": "10000",
    "rotation": "primary",
    "since": datetime.now(UTC) - timedelta(days=92),
    "limit": 20,
    "swap_id": 1,
    "state": "accepted",
    "now": datetime.now(UTC),
}
EXPECTED_OF_INCIDENTS = {
    "read_incident": {"incidents_pkey"},
    "find_incident_of_message": {"outbox_incident_ts_idx", "incidents_pkey"},
    "list_open_incidents": {"incidents_unresolved_idx"},
    "list_incidents": {"incidents_pkey"},
    "lock_incident": {"incidents_pkey"},
    "acknowledge_incident": {"incidents_pkey"},
    "unacknowledge_incident": {"incidents_pkey"},
    "resolve_incident": {"incidents_pkey"},
    "change_severity": {"incidents_pkey"},
    "note_activity": {"incidents_pkey"},
    "note_reminder": {"incidents_pkey"},
    "set_due": {"incidents_pkey"},
    "set_cleared": {"incidents_pkey"},
    "note_briefed": {"incidents_pkey"},
    "read_picture": {"incidents_pkey"},
    "store_picture": {"incidents_pkey"},
    "count_page": {"incidents_pkey"},
    "list_pages": {"incident_pages_pkey"},
    "join_alert": {"alerts_pkey"},
    "read_joined_alert": {"incident_alerts_pkey"},
    "list_joined_alerts": {"incident_alerts_incident_id_idx"},
    "list_alerts_of_open_incidents": {"incidents_unresolved_idx", "incident_alerts_incident_id_idx"},
    "change_alert_line": {"incident_alerts_pkey"},
    "clear_alert": {"incident_alerts_pkey"},
    "list_events": {"incident_events_timeline_idx"},
    "remove_mark": set[str](),  # by one of two indexes
    "list_planned_silences": {"planned_silences_begins_at_idx"},
    "list_overrides": {"oncall_overrides_ends_at_idx"},
    "list_overrides_since": {"oncall_overrides_ends_at_idx"},
    "end_overrides": {"oncall_overrides_ends_at_idx"},
    "end_override": set[str](),  # by one of two indexes
    "take_due_oncall_reminders": {"oncall_reminders_due_at_idx"},
    "read_swap": {"oncall_swaps_pkey"},
    "settle_swap": {"oncall_swaps_pkey"},
    "confirm_override": {"oncall_overrides_pkey"},
}


async def test_incidents_are_found_by_their_indexes_however_many_have_ended(seeded: Connection) -> None:
    missing, whole = {}, {}
    for name, indexes in EXPECTED_OF_INCIDENTS.items():
        plan = await explain(seeded, SQL[name], INCIDENT_PARAMETERS)
        used = {node["Index Name"] for node in plan if "Index Name" in node}
        if "incidents_unresolved_idx" in used:
            used.add("incidents_pkey")  # one unresolved incident is found as fast among the few unresolved ones
        missing[name] = indexes - used
        whole[name] = scanned_whole(plan)

    assert missing == {name: set() for name in EXPECTED_OF_INCIDENTS}
    assert whole == {name: [] for name in EXPECTED_OF_INCIDENTS}


# 40 batches of 500 judgments, each with an assessment and a memo of one of 200 profiles; a few payments.
SEED_ENFORCEMENT = """
INSERT INTO intake.simplicity_batches (id, file_name, sha256)
SELECT lpad(n::text, 32, '0')::uuid, 'f', repeat('a', 64) FROM generate_series(1, 40) AS n;
INSERT INTO public.judgments (id, case_number, county, plaintiff, defendant, judgment_amount, filing_date, batch_id)
SELECT md5(n::text)::uuid, 'C-' || n, 'Kings', 'P', 'D', n, '2024-01-02', lpad((n % 40 + 1)::text, 32, '0')::uuid
FROM generate_series(1, 20000) AS n;
INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)
SELECT id, 'r', '2024-02-03', 1 FROM public.judgments LIMIT 5000;
INSERT INTO enforcement.memos (id, facts) SELECT lpad(n::text, 32, '0')::uuid, '{}' FROM generate_series(0, 199) AS n;
INSERT INTO enforcement.assessments
    (judgment_id, as_of, principal, interest, per_diem, least_owed, least_per_diem, renewal_opens_on, lien_ends_on,
     presumed_paid_on, score, score_reasons, cautions, memo_id)
SELECT id, '2025-01-02', 1, 1, 0, 2, 0, '2033-01-02', '2034-01-02', '2044-01-02', 50, '{}', '{}',
       lpad((judgment_amount::integer % 200)::text, 32, '0')::uuid
FROM public.judgments;
ANALYZE public.judgments, enforcement.payments, enforcement.memos, enforcement.assessments;
"""
ONE_BATCH = {"batch_id": "0" * 31 + "7", "after": "8" + "0" * 31, "limit": 100, "max_requests": 3}


async def test_a_page_of_judgments_is_read_without_the_rest_of_its_batch(seeded: Connection) -> None:
    plan = await explain(seeded, SQL["list_judgments"], ONE_BATCH)

    assert {node.get("Index Name") for node in plan} >= {
        "judgments_batch_page_idx",
        "payments_judgment_id_reference_key",
    }
    assert scanned_whole(plan) == []
    assert [node for node in plan if node["Node Type"] == "Sort" and "judgment.id" in node["Sort Key"]] == []


async def test_wanted_memos_are_found_from_their_batch(seeded: Connection) -> None:
    plan = await explain(seeded, SQL["list_wanted_memos"], ONE_BATCH)

    assert "judgments_batch_page_idx" in {node.get("Index Name") for node in plan}
    assert "judgments" not in scanned_whole(plan)
