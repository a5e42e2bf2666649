"""The answers of the read commands, the timeline's words, and every refused plan or word; `make golden` rewrites it."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.commands.deployments import deployments_answer
from bot.commands.env import env_answer
from bot.commands.failed_jobs import failed_jobs_answer
from bot.commands.failed_jobs import unknown_answer as failed_jobs_unknown
from bot.commands.incident import postmortem_answer
from bot.commands.intake import batch_answer, intake_answer
from bot.commands.logs import LogView, logs_answer
from bot.commands.migrations import migrations_answer
from bot.commands.policy import Ruling, policy_answer
from bot.commands.queue import queue_answer
from bot.commands.reveal import reveal_answer
from bot.commands.sha import sha_answer
from bot.commands.silence import (
    cancelled_answer,
    ended_answer,
    planned_answer,
    reasons_answer,
    silenced_answer,
    silences_answer,
)
from bot.commands.stop_workers import presets_answer
from bot.commands.throughput import throughput_answer
from bot.commands.why import refusals_answer, why_alert_answer, why_answer
from bot.last_known import KnownOverrides
from bot.types import Answer
from bot.views.audit import audit_answer, verification_answer
from bot.views.findings import findings_answer, unavailable_answer
from bot.views.history import history_answer
from bot.views.notes import notice_answer
from bot.views.verify import verify_answer
from playbooks import env, intake, log_patterns, logs, migrations, preflight, queue, throughput, verify
from playbooks.checks import checkout, deployments, security
from playbooks.checks.oncall import Facts
from playbooks.checks.settings import Group
from playbooks.failed_jobs import group
from playbooks.model import Risk
from services.domain.alerts import AlertDecision, AlertHistory, PlannedSilence
from services.domain.audit import AuditReport, AuditRow
from services.domain.batches import Batch, IntakeEvent, RowFault
from services.domain.database import Exposure, MigrationStatus
from services.domain.deployments import DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.incidents import IncidentRecord
from services.domain.jobs import FailedJob, LockWait, PendingJob
from services.domain.oncall import Override
from services.domain.people import Person
from services.domain.privacy import Privacy
from services.domain.runs import Record, RunState
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits
from services.domain.windows import Recurrence
from tests.messages.conftest import Compare
from tests.messages.render import answer_text
from tests.unit.bot.alerts import builders as alerts
from tests.unit.bot.commands import test_heartbeats as beats
from tests.unit.bot.commands import test_logs as lines
from tests.unit.bot.commands import test_migrations as schema
from tests.unit.bot.commands import test_oncall_views as oncall
from tests.unit.bot.commands import test_sha as shas
from tests.unit.bot.incidents.builders import incident, resolved
from tests.unit.bot.views.test_audit import ROW
from tests.unit.bot.views.test_incident import PAGES
from tests.unit.bot.views.test_pictures import BEATS, USE, history, step
from tests.unit.bot.views.test_run import DONE, a_run, journal
from tests.unit.playbooks import test_env, test_queue, test_throughput, test_verify
from tests.unit.playbooks.healthy import HEALTHY, NOW, serving
from tests.unit.test_refusals import argument, calls, posted

API, INGEST = Service.API, Service.INGEST
HOUR = timedelta(hours=1)
AWAY = Unavailable("database", "no answer within 5 s")
ROOT = Path(__file__).resolve().parents[2]


def jobs_texts() -> dict[str, Answer]:
    stuck = PendingJob("8d1bfe22", "simplicity_ingest", 1, NOW - HOUR, NOW - HOUR)
    orphan = test_queue.running("0a1b2c3d", beat_ago=None)
    wait = LockWait(7, "dragonfly-worker-ingest", "ExclusiveLock", "ops.job_queue", 45, (8,))
    seen = {
        "queue": test_queue.facts((stuck,), (orphan,), (wait,)),
        "queue, empty": test_queue.facts(),
        "queue, unknown": queue.Facts(StaleLimits(HOUR), AWAY, AWAY, AWAY, AWAY, system=RUNBOOK),
    }
    texts = {
        name: queue_answer(
            queue.check(facts),
            queue.list_jobs(facts),
            None if isinstance(facts.lock_waits, Unavailable) else facts.lock_waits,
            as_of=NOW,
            is_known=not isinstance(facts.waiting, Unavailable),
        )
        for name, facts in seen.items()
    }
    failed = group([FailedJob("8d1bfe22", "simplicity_ingest", 5, 'ValueError: no county "Kings"', NOW)] * 3)
    done = throughput.summarise(test_throughput.minutes(2, failed=1), timedelta(minutes=10))
    return texts | {
        "failed-jobs": failed_jobs_answer(failed, total=3, window=HOUR, reveal_until=1, system=RUNBOOK),
        "failed-jobs, none": failed_jobs_answer([], total=0, window=HOUR, system=RUNBOOK),
        "failed-jobs, unknown": failed_jobs_unknown(AWAY, HOUR),
        "throughput": throughput_answer(throughput.check(done), done, timedelta(minutes=10)),
        "history": history_answer(
            history(step(0, 0, 12.0), step(23, 7), workers=BEATS, usage=USE),
            environment="prod",
            system=RUNBOOK,
            service=None,
        ),
        "history, nothing recorded": history_answer(history(), environment="prod", system=RUNBOOK, service=INGEST),
        "throughput, unknown": throughput_answer(throughput.check(AWAY), None, timedelta(minutes=10)),
    }


def service_texts() -> dict[str, Answer]:
    states = {service: serving(service) for service in RUNBOOK.services}
    failed = replace(shas.DEPLOYMENT, id="d2", status=DeploymentStatus.FAILED, author="Ann")
    listed = [failed, shas.DEPLOYMENT]
    logged = [lines.line("psycopg.OperationalError: server is shutting down", minutes_ago=1, severity="error")]
    view = LogView(INGEST, lines.CHOICE, (), logged, "", False, Privacy.BALANCED, 0, patterns=log_patterns.RUNBOOK)
    arrived = test_verify.ARRIVED
    other = replace(arrived, heartbeats=AWAY, wanted_sha=test_verify.OTHER)
    return {
        "heartbeats": beats.answer(beats.BUSY, ingest=2),
        "heartbeats, none": beats.answer(ingest=0),
        "heartbeats, unknown": unavailable_answer("heartbeats", AWAY, private=False),
        "deployments": deployments_answer(API, deployments.check(states, RUNBOOK), listed, states[API], now=NOW),
        "sha": sha_answer([shas.FINE, shas.WRONG], shas.SAME, moment=NOW),
        "verify": verification(arrived),
        "verify, not arrived": verification(other),
        "logs": logs_answer(view),
        "logs, empty": logs_answer(replace(view, lines=())),
        "logs, of the failed one": logs_answer(replace(view, choice=logs.Choice(failed, "the last that failed"))),
        "env": env_answer(env.check(test_env.facts({})), {API: "https://railway.com/project/p/service/s"}),
        "env, fine": env_answer(env.check(test_env.facts()), {}),
    }


def verification(facts: verify.Facts) -> Answer:
    steps = verify.steps(facts)
    return verify_answer(*verify.verdict(facts, steps), steps, moment=facts.as_of)


def database_texts() -> dict[str, Answer]:
    applied = HEALTHY.migrations
    assert isinstance(applied, MigrationStatus)
    off = MigrationStatus(schema.applied(1), ("20260101000000_new",), ("20251201000000_step_0",), ("20270101000000",))
    open_ = [Exposure("grants", "ops.job_queue", "anon", "SELECT"), Exposure("rls", "intake.files", "", "is off")]
    boxes = preflight.Facts(
        [Group("database"), Group("railway", ("RAILWAY_TOKEN is not set",))],
        test_env.facts(),
        off,
        open_,
        checkout.Facts(Unavailable("git", "not a git repository"), is_pushed=AWAY),
    )
    bad = Batch("0a1b2c3d-0000", "completed", "simplicity", NOW, 3, 0, 3)
    fine = Batch("1b2c3d4e-0000", "completed", "simplicity", NOW, 3, 3, 0)
    events = [
        *[IntakeEvent(NOW, "batch_completed", "simplicity")] * 3,
        IntakeEvent(NOW, "batch_refused", "simplicity", "the header lacks Case Number"),
    ]
    faults = [RowFault("Amount: not an amount like $1,200.00", 3)]
    health = HEALTHY.intake
    return {
        "migrations": migrations_answer(migrations.check(applied), applied, migrations.newest(applied)),
        "migrations, off": migrations_answer(migrations.check(off), off, migrations.newest(off)),
        "security-audit": findings_answer("security audit", security.check(open_, RUNBOOK), private=True),
        "security-audit, unknown": findings_answer("security audit", security.check(AWAY, RUNBOOK), private=True),
        "preflight": findings_answer("preflight", preflight.check(boxes), private=True),
        "intake": intake_answer(
            intake.check(intake.Facts(health, [bad, fine], events, NOW, system=RUNBOOK)), [bad, fine], events, now=NOW
        ),
        "intake, unknown": intake_answer(
            intake.check(intake.Facts(AWAY, AWAY, AWAY, NOW, system=RUNBOOK)), None, None, now=NOW
        ),
        "intake, one batch": batch_answer(bad, intake.check_batch(bad, faults, now=NOW, system=RUNBOOK), faults),
    }


def people_texts() -> dict[str, Answer]:
    standing_in = Override(1, "primary", "U2", oncall.NOW, oncall.NOW + HOUR, Person("U1", "T1"), NOW)
    gone = replace(oncall.SCHEDULE, rotations={"primary": replace(oncall.ROTATION, until=NOW.astimezone(UTC).date())})
    rulings = [Ruling("request", True, "line 19"), Ruling("approve", False, "They don't have permission.")]
    refusal = replace(ROW, event="run.approve.refused", details={"why": "you can't approve your own request"})
    return {
        "oncall": oncall.answer(Facts(oncall.SCHEDULE, [], oncall.NOW)),
        "oncall, override": oncall.answer(
            Facts(oncall.SCHEDULE, [standing_in], oncall.NOW), KnownOverrides((standing_in,))
        ),
        "oncall, gap": oncall.answer(Facts(gone, [], oncall.NOW)),
        "oncall, overrides unknown": oncall.answer(
            Facts(oncall.SCHEDULE, AWAY, oncall.NOW), KnownOverrides(AWAY, problem=AWAY)
        ),
        "oncall, without a file": notice_answer("There is no on-call file."),
        "policy explain": policy_answer("U0ANN", "rollback api", rulings, risk=Risk.HIGH, policy_hash="ab" * 32),
        "audit": audit_answer([ROW, refusal]),
        "audit, empty": audit_answer([]),
        "audit verify": verification_answer(AuditReport(ok=True, rows=14, head="ab" * 32)),
        "audit verify, changed": verification_answer(
            AuditReport(ok=False, rows=14, head="ab" * 32, first_bad_seq=3, what="its content was changed")
        ),
        "reveal": reveal_answer("ValueError: no county", source="job", service=None),
        "stop-workers without a reason": presets_answer("ingest"),
    }


def why_texts() -> dict[str, Answer]:
    words = ("pending", "not told", "told", "silenced", "watched", "passed", "resolved")
    decisions = tuple(AlertDecision(NOW, "heartbeats.ingest", 7, word, "the reason") for word in words)
    firing = AlertHistory("heartbeats.ingest", alerts.alert(held="silence 5: we know"), decisions)
    ended = AlertHistory("backlog", None, ())
    failed = Record(a_run(RunState.FAILED), list(journal(*[one.state for one in DONE])), [])
    refused = AuditRow(15, NOW, "U0OLIVIA", "run.confirm.refused", 12, {"why": "this request has expired"}, "ab" * 32)
    lasting = alerts.silence()
    weekly = Recurrence(frozenset({5}), time(2), timedelta(hours=2), ZoneInfo("Europe/Berlin"))
    following = weekly.next_after(NOW)
    planned = PlannedSilence(3, "ingest", "U0ANN", "backup", following.begins, following.ends, weekly)
    return {
        "why <alert>": why_alert_answer("heartbeats.ingest", [firing], [lasting]),
        "why <alert>, never seen": why_alert_answer("backlog", [ended], []),
        "why <run>, waiting": why_answer(Record(a_run(approvals_needed=2), [], [])),
        "why <run>, to confirm": why_answer(Record(a_run(RunState.PLANNED), [], [])),
        "why <run>, approved": why_answer(Record(a_run(RunState.APPROVED, started_at=None), [], [])),
        "why <run>, failed": why_answer(failed),
        "why refusal": refusals_answer([refused]),
        "why refusal, none": refusals_answer([]),
        "silence": silenced_answer(lasting),
        "silence without a reason": reasons_answer("ingest", "1h"),
        "silence end": ended_answer(lasting, by="U2"),
        "silences": silences_answer([lasting]),
        "silences, none": silences_answer([]),
        "silences, planned": silences_answer([], [planned]),
        "silence, planned": planned_answer(planned),
        "silence, planned, cancelled": cancelled_answer(planned, by="U0BEN"),
    }


def test_reads(golden: Compare) -> None:
    texts = {**service_texts(), **jobs_texts(), **database_texts(), **people_texts(), **why_texts()}
    golden("reads", {name: answer_text(answer) for name, answer in texts.items()})


def test_postmortem(golden: Compare) -> None:
    noticed = IncidentRecord(resolved(), (), tuple(PAGES), ())
    texts = {"resolved": noticed, "open": IncidentRecord(incident(), (), (), ())}
    files = {name: postmortem_answer(record, {}).file for name, record in texts.items()}
    golden("postmortem", {name: file.text if file else "-" for name, file in files.items()})


def test_refused_plans(golden: Compare) -> None:
    """Each reason why a change has no plan, with what to do instead; braces where names come in."""
    golden("no_plan", _sentences("NoPlan", ("why", 0), ("what_next", 1)))


def test_refused_words(golden: Compare) -> None:
    """Each word that a command does not take, with what to write instead."""
    texts = _sentences("wrong_word", ("problem", 1), ("what_next", 2))
    usage = _sentences("UsageError", ("what", 0), ("why", 99), ("what_next", 99))
    golden("usage", {name: "\n\n".join(filter(None, (texts.get(name), usage.get(name)))) for name in texts | usage})


def test_timeline(golden: Compare) -> None:
    """Lines that the bot writes into the timeline of an incident."""
    texts: dict[str, str] = {}
    for path in sorted((ROOT / "bot/incidents").glob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "record":
                kind, text = node.args[2:4]
                words = " | ".join(posted(text, tree) or ["{}"])
                texts[" ".join(posted(kind, tree))] = words
    golden("timeline", texts)


def _sentences(name: str, *arguments: tuple[str, int]) -> dict[str, str]:
    """By file: the sentences of every call of this name in the source."""
    texts: dict[str, str] = {}
    for where, call, tree in calls(name):
        parts = [argument(call, one, position) for one, position in arguments]
        lines = [" | ".join(posted(part, tree) or [f"<{ast.unparse(part)}>"]) for part in parts if part is not None]
        file = where.rpartition(":")[0]
        texts[file] = "\n\n".join(filter(None, [texts.get(file, ""), "\n".join(lines)]))
    return texts
