"""Messages about changes: plans, runs, approvals, refusals, dialogs; `make golden` rewrites it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.approvals.access import Refused
from bot.commands.context import outcome_answer
from bot.views import modals, notes, pages
from bot.views.errors import error_answer, no_dialog
from bot.views.external_deploys import Shown, ended, on_its_way
from bot.views.freezes import (
    ended_message,
    freeze_message,
    freezes_answer,
    lifted_answer,
    made_answer,
    reminder,
    window_message,
    window_over,
)
from bot.views.plan import dry_run_answer, manual_answer, no_plan_answer
from bot.views.rollback import choices, offer_answer
from bot.views.run import run_message
from bot.views.run_outcome import ended_line, outcome_words, sample_words, schema_words, standing_words
from bot.views.runs import decided_answer, filed_answer, record_answer, runs_answer
from playbooks import (
    deploy,
    golden_path,
    redeploy,
    requeue,
    restart,
    rollback,
    rollback_db,
    scale,
    stop_workers,
    unlock,
)
from playbooks.freeze import hold_back
from playbooks.model import NextStep, NoPlan, Risk, Status
from playbooks.plan import Plan
from playbooks.rollback_advice import Offer
from playbooks.steps import STEPS
from services.domain.errors import OperatorError, SourceError, Unavailable, UsageError
from services.domain.freezes import LAST, LOCK
from services.domain.runs import Decision, Record, Review, Run, RunState, RunStep, SelfApproval, StepState
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.domain.windows import Span
from tests.freezes import new_freeze
from tests.messages.conftest import Compare
from tests.messages.render import answer_text, dialog_text, message_text
from tests.unit.bot.incidents.builders import incident
from tests.unit.bot.views.test_decision_views import BEST
from tests.unit.bot.views.test_run import ANN, BROKEN_GLASS, DONE, NOW, OLIVIA, PLAN, a_run, journal
from tests.unit.playbooks import test_deploy as deploys
from tests.unit.playbooks import test_golden_path as golden_paths
from tests.unit.playbooks import test_requeue as requeues
from tests.unit.playbooks import test_restart as restarts
from tests.unit.playbooks import test_rollback as rollbacks
from tests.unit.playbooks import test_rollback_db as database_rollbacks
from tests.unit.playbooks import test_scale as scales
from tests.unit.playbooks import test_schema_gate as gates
from tests.unit.playbooks import test_stop_workers as stops
from tests.unit.playbooks import test_unlock as unlocks
from tests.unit.playbooks.builders import NOW as UNLOCKED_AT
from tests.unit.playbooks.builders import sha, state, stopped
from tests.unit.playbooks.test_steps import example
from tests.unit.test_refusals import argument, calls, posted

API, INGEST = Service.API, Service.INGEST
SELF_APPROVAL = SelfApproval(12, 4, NOW, NOW + timedelta(minutes=3))


def plan_text(made: Plan | NoPlan) -> str:
    return answer_text(dry_run_answer(made, made.playbook) if isinstance(made, Plan) else no_plan_answer(made))


def _frozen(exception: str) -> Plan | NoPlan:
    made = deploy.plan(deploys.facts(), "ingest", [INGEST], sha("e"))
    assert isinstance(made, Plan)
    return hold_back(made, [new_freeze(UNLOCKED_AT, service=INGEST)], UNLOCKED_AT, exception=exception, passed="")


def test_plans(golden: Compare) -> None:
    newer, left_behind = (gates.rolling(gates.schema(effect)) for effect in (gates.ADDS, gates.DROPS))
    met = gates.deploying({}, since=(gates.NAME,), since_schema=gates.schema(gates.DROPS))
    made: dict[str, Plan | NoPlan] = {
        "scale up": scale.plan(scales.facts(), INGEST, 3),
        "scale from zero": scale.plan(scales.facts(stopped(INGEST)), INGEST, 1),
        "scale to zero": scale.plan(scales.facts(state(INGEST, replicas=2)), INGEST, 0),
        "scale, no room": scale.plan(scales.facts(used=99), INGEST, 3),
        "scale, nothing to do": scale.plan(scales.facts(), INGEST, 1),
        "scale, the API to zero": scale.plan(scales.facts(), API, 0),
        "restart": restart.plan(restarts.facts(), INGEST),
        "restart through zero": restart.plan(restarts.facts(state(INGEST, replicas=2)), INGEST, through_zero=True),
        "restart, stopped": restart.plan(restarts.facts(stopped(INGEST)), INGEST),
        "restart, replicas unknown": restart.plan(restarts.facts(state(INGEST, replicas=None)), INGEST),
        "rollback": rollback.plan(rollbacks.facts(), "api", [API], sha("b")[:8]),
        "rollback, all": rollback.plan(rollbacks.facts(), "all", [*RUNBOOK.workers, API], sha("b")),
        "rollback, no target named": rollback.plan(rollbacks.facts(), "api", [API], None),
        "rollback, already there": rollback.plan(rollbacks.facts(), "api", [API], sha("c")),
        "rollback, unknown commit": rollback.plan(rollbacks.facts(), "api", [API], sha("e")),
        "rollback, older than the schema": rollback.plan(newer, "api", [API], sha("b")),
        "rollback, the schema has left it behind": rollback.plan(left_behind, "api", [API], sha("b")),
        "deploy": deploy.plan(deploys.facts(pending=("20260106",)), "ingest", [INGEST], sha("e")),
        "deploy, locked": deploy.plan(deploys.facts(locks=[deploys.LOCK]), "ingest", [INGEST], sha("e")),
        "deploy, frozen": _frozen(""),
        "deploy, frozen, as an exception": _frozen("the fix for the outage"),
        "deploy, already there": deploy.plan(deploys.facts(), "ingest", [INGEST], sha("c")),
        "deploy, short SHA": deploy.plan(deploys.facts(), "ingest", [INGEST], sha("e")[:8]),
        "deploy, the schema has left it behind": deploy.plan(met, "ingest", [INGEST], sha("b")),
        "redeploy": redeploy.plan(deploys.again(), INGEST),
        "redeploy, stopped": redeploy.plan(deploys.again(stopped(INGEST)), INGEST),
        "requeue": requeue.plan(requeues.facts([requeues.job(n) for n in range(7)]), "g-1a2b3c4d"),
        "requeue, no orphan": requeue.plan(requeues.facts([]), "orphans"),
        "requeue, pending": requeue.plan(requeues.facts([requeues.job(1, "pending")]), "job-1"),
        "unlock": unlock.plan(unlock.Facts("prod", UNLOCKED_AT, {API: unlocks.LOCK}, auto_deploy=False), API, "fixed"),
        "unlock, nothing to do": unlock.plan(unlock.Facts("prod", UNLOCKED_AT, {}, auto_deploy=True), API, "fixed"),
        "stop-workers": stop_workers.plan(stops.facts(), reason="wrong amounts"),
        "stop-workers, all stopped": stop_workers.plan(stops.facts(*(stopped(one) for one in RUNBOOK.workers))),
        "golden-path": golden_path.plan(golden_paths.facts()),
        "golden-path, kept": golden_path.plan(golden_paths.facts(), keep=True),
        "golden-path, API silent": golden_path.plan(golden_paths.facts(api=golden_paths.AWAY)),
        "golden-path clean": golden_path.plan_clean(golden_paths.facts(left=golden_paths.left("a", "b"))),
        "rollback-db": rollback_db.plan(database_rollbacks.facts(), database_rollbacks.NEW),
        "rollback-db, not the newest": rollback_db.plan(database_rollbacks.facts(), database_rollbacks.OLD),
        "without Railway": restart.plan(
            replace(restarts.facts(), states=Unavailable("Railway", "no answer within 5 s")), INGEST
        ),
    }
    golden("plans", {name: plan_text(plan) for name, plan in made.items()})


def test_steps(golden: Compare) -> None:
    steps = {name: example(kind) for name, kind in STEPS.items()}
    golden("steps", {name: f"{step.describe()}\n  by hand: {step.by_hand() or '-'}" for name, step in steps.items()})


def run_text(run: Run, steps: Sequence[RunStep] = DONE, decisions: Sequence[Decision] = (), **more: object) -> str:
    record = Record(run, list(steps), list(decisions), **more)  # type: ignore[arg-type]
    return message_text(*run_message(record, approvers=["S0APPROVERS"]))


def decision(*, approve: bool) -> Decision:
    return Decision(12, ANN, approve, "" if approve else "not during the import", PLAN.hash, "p", NOW)


def test_runs(golden: Compare) -> None:
    waiting = journal(*[StepState.PENDING] * 3)
    half = journal(StepState.DONE, StepState.RUNNING, StepState.PENDING)
    failed = journal(StepState.DONE, StepState.FAILED, StepState.SKIPPED)
    lost = journal(StepState.DONE, StepState.UNKNOWN, StepState.PENDING)
    unproved = journal(StepState.DONE, StepState.NOT_PROVED, StepState.DONE)
    steps = {RunState.FAILED: failed, RunState.UNKNOWN: lost, RunState.SUCCEEDED: DONE}
    texts = {}
    for one in RunState:
        began = None if one in (RunState.EXPIRED, RunState.VOIDED) else NOW
        shown = steps.get(one, half if one.is_final or one is RunState.RUNNING else waiting)
        texts[f"state {one.value}"] = run_text(a_run(one, started_at=began, reason="backlog"), shown)
    offered, counting = (
        replace(SELF_APPROVAL, offered_at=NOW),
        replace(SELF_APPROVAL, offered_at=NOW, reason="down", starts_at=NOW),
    )
    open_review = Review(12, ANN, NOW)
    at_night = NOW + timedelta(hours=14)
    texts |= {
        "waits, starts later": run_text(a_run(start_at=at_night, started_at=None), waiting),
        "approved, starts later": run_text(a_run(RunState.APPROVED, start_at=at_night, started_at=None), waiting),
        "denied": run_text(a_run(RunState.CANCELLED, started_at=None), waiting, [decision(approve=False)]),
        "approved": run_text(a_run(RunState.RUNNING), half, [decision(approve=True)]),
        "stopping": run_text(a_run(RunState.RUNNING, cancel_requested_by=ANN), half),
        "waits for two": run_text(a_run(approvals_needed=2), waiting),
        "requested from the terminal": run_text(a_run(requested_by=None), waiting),
        "approvers paged": run_text(a_run(requested_by=ANN), waiting, self_approval=SELF_APPROVAL),
        "self-approval offered": run_text(a_run(requested_by=ANN), waiting, self_approval=offered),
        "self-approval counting down": run_text(a_run(requested_by=ANN), waiting, self_approval=counting),
        "self-approved": run_text(
            a_run(RunState.SUCCEEDED, requested_by=ANN), DONE, review=open_review, self_approval=counting
        ),
        "break-glass": run_text(a_run(RunState.SUCCEEDED, plan=BROKEN_GLASS), DONE, review=open_review),
        "reviewed": run_text(
            a_run(RunState.SUCCEEDED, plan=BROKEN_GLASS), DONE, review=Review(12, OLIVIA, NOW, ANN, "fixed", NOW)
        ),
        "done, not proved": run_text(a_run(RunState.SUCCEEDED, outcome="Done, but not proved: no beat"), unproved),
        "for who asked: denied": ended_line(a_run(RunState.CANCELLED), [decision(approve=False)]) or "",
        "for who asked: expired": ended_line(a_run(RunState.EXPIRED), []) or "",
        "list": answer_text(runs_answer([a_run(), a_run(RunState.SUCCEEDED)], now=NOW)),
        "list, none": answer_text(runs_answer([], now=NOW)),
        "one": answer_text(record_answer(Record(a_run(reason="backlog"), waiting, [decision(approve=True)]))),
    }
    golden("runs", texts)


def test_outcomes(golden: Compare) -> None:
    states = {INGEST: state(INGEST, replicas=3), API: replace(stopped(API), unknown=None)}
    standing = standing_words([INGEST, API], states)
    stopped_at = journal(StepState.DONE, StepState.FAILED, StepState.SKIPPED)
    failed = [replace(one, note="not within 180 s") for one in stopped_at]
    lost = journal(StepState.DONE, StepState.UNKNOWN, StepState.PENDING)
    unproved = [replace(one, note="no beat") for one in journal(*[StepState.NOT_PROVED] * 3)]
    golden(
        "outcomes",
        {
            "proved": outcome_words(RunState.SUCCEEDED, DONE, planned=3, standing=standing),
            "not proved": outcome_words(RunState.SUCCEEDED, unproved, planned=3, standing=standing),
            "failed": outcome_words(RunState.FAILED, failed, planned=3, standing=standing),
            "failed, restored": outcome_words(RunState.FAILED, [*failed, DONE[0]], planned=3, standing=standing),
            "failed, not restored": outcome_words(RunState.FAILED, [*failed, failed[1]], planned=3, standing=standing),
            "unknown": outcome_words(RunState.UNKNOWN, lost, planned=3, standing=standing),
            "cancelled": outcome_words(RunState.CANCELLED, failed, planned=3, cancelled_by="@ann", standing=standing),
            "services": standing,
            "services unknown": standing_words([INGEST], Unavailable("Railway", "no answer within 5 s")),
            "schema unknown": schema_words(Unavailable("database", "no answer within 5 s")),
            "no test batch": sample_words(DONE) or "-",
        },
    )


def test_approvals(golden: Compare) -> None:
    run = a_run()
    asked = pages.PagedApprovers(("U0ANN", "U0BEN"), timedelta(minutes=3), None)
    not_alone = replace(asked, users=("U0ANN",), why_no_self_approval="`scale` always needs another approver")
    planned = a_run(RunState.PLANNED, approvals_needed=0)
    golden(
        "approvals",
        {
            "filed": answer_text(filed_answer(run)),
            "filed, approvers paged": answer_text(filed_answer(run, asked)),
            "filed, one approver paged": answer_text(filed_answer(run, not_alone)),
            "filed, others unanswered": answer_text(filed_answer(run, replace(asked, unanswered=(11, 9, 8)))),
            "more requests": message_text(*pages.more_requests(run, 2)),
            "more requests, below the last that paged": message_text(*pages.more_requests(run, 1, ["S0APPROVERS"])),
            "waits, others unanswered": message_text(*run_message(Record(replace(run, pages_approvers=False), ()))),
            "filed, to confirm": answer_text(filed_answer(planned)),
            "filed, starts": answer_text(filed_answer(a_run(RunState.APPROVED))),
            "approver paged": message_text(*pages.approver_page(run, 4, may_self_approve=True)),
            "approver paged, no self-approval": message_text(*pages.approver_page(run, 4, may_self_approve=False)),
            "decided: approved": message_text(*pages.approver_page_over(run, [decision(approve=True)])),
            "decided: denied": message_text(*pages.approver_page_over(run, [decision(approve=False)])),
            "decided: self-approved": message_text(*pages.approver_page_over(a_run(RunState.RUNNING), [])),
            "decided: expired": message_text(*pages.approver_page_over(a_run(RunState.EXPIRED), [])),
            "counted": answer_text(decided_answer(run, missing=1, notes=())),
            "refused": answer_text(
                outcome_answer(Refused("You can't approve your own request", "<@U0BEN> can approve it."), 12)
            ),
        },
    )


def test_rollback_offers(golden: Compare) -> None:
    other = replace(BEST, sha="c45e17a90b8f3d62", recommended=False)
    doubt = "A process of api died after it had worked for 10 min: restart it first"
    golden(
        "rollback",
        {
            "offer": answer_text(offer_answer("api", Offer((BEST, other)))),
            "no recommendation": answer_text(offer_answer("api", Offer((other,)))),
            "doubt": answer_text(offer_answer("api", Offer((other,), doubt, NextStep("Restart api", "restart api")))),
            "newer": answer_text(offer_answer("api", Offer((replace(other, is_newer=True),)))),
        },
    )


def test_dialogs(golden: Compare) -> None:
    run = a_run(plan=replace(PLAN, risk=Risk.CRITICAL))
    golden(
        "dialogs",
        {
            "loading": dialog_text(modals.loading_modal("Another target")),
            "deny": dialog_text(modals.deny_modal({})),
            "review": dialog_text(modals.review_modal({})),
            "self-approval": dialog_text(modals.self_approval_modal({})),
            "typed approval, starts later": dialog_text(
                modals.typed_modal(replace(run, start_at=NOW + timedelta(hours=14)), "scale ingest 2 prod", {})
            ),
            "typed approval": dialog_text(modals.typed_modal(run, "scale ingest 2 prod", {})),
            "target": dialog_text(modals.target_modal("api", choices([BEST]), {})),
            "stop workers": dialog_text(modals.stop_workers_modal("all", {})),
            "open an incident": dialog_text(modals.open_modal({})),
            "add a follow-up": dialog_text(modals.todo_modal([incident(id=7), incident(id=6)], {})),
            "add a follow-up in its thread": dialog_text(modals.todo_modal([incident(id=7)], {}, text="raise it")),
            "resolve an incident": dialog_text(modals.resolve_modal(7, {})),
            "masked": message_text("", [notes.kept_as("account 123456789 of Ann")]),
        },
    )


def test_answers_when_something_fails(golden: Compare) -> None:
    silent = SourceError("Slack", why="no answer within 3 s", retryable=True)
    golden(
        "errors",
        {
            "operator error": answer_text(error_answer(OperatorError("No", why="it is so", what_next="`runs`."))),
            "usage": answer_text(error_answer(UsageError("Which?", why="none is named", what_next="Name one."))),
            "database": answer_text(error_answer(SourceError("database", why="no answer within 5 s", retryable=True))),
            "database, while saving": answer_text(
                error_answer(SourceError("database", why="connection lost, while saving", outcome_unknown=True))
            ),
            "Railway": answer_text(error_answer(SourceError("Railway", why="HTTP 502", retryable=True))),
            "Railway, not to be retried": answer_text(
                error_answer(SourceError("Railway", why="token refused", retryable=False))
            ),
            "inside the bot": answer_text(error_answer(KeyError("x"), reference="a1b2")),
            "dialog": answer_text(error_answer(no_dialog(silent, "incident open <what is wrong>"))),
            "by hand": answer_text(manual_answer(PLAN, "the database does not answer", {}, RUNBOOK)),
        },
    )


def test_deployments_outside_the_bot(golden: Compare) -> None:
    about = Shown("prod", [INGEST], "ingest", "8d02b64e" * 5, None, NOW)
    golden(
        "external_deploys",
        {
            "deploying": message_text(*on_its_way(about, is_settled=False)),
            "verifying": message_text(*on_its_way(about, is_settled=True)),
            "held": message_text(*on_its_way(replace(about, is_held=True), is_settled=False)),
            "ended": message_text(*ended(about, Status.FAIL, "NOT deployed: 8d02b64e failed on ingest", [])),
            "skipped": message_text(*ended(replace(about, skipped=[API]), Status.OK, "Verified: ingest", [])),
        },
    )


def test_refusals(golden: Compare) -> None:
    """Every refusal that the source can make, with braces where names come in."""
    texts: dict[str, str] = {}
    for name, why, then in (("OperatorError", "why", "what_next"), ("Refused", "why", "what_next")):
        for where, call, tree in calls(name):
            parts = [argument(call, "what", 0) if name == "OperatorError" else None]
            parts += [argument(call, why, 99 if name == "OperatorError" else 0)]
            parts += [argument(call, then, 99 if name == "OperatorError" else 1)]
            lines = [" | ".join(posted(part, tree) or [f"<{ast.unparse(part)}>"]) for part in parts if part is not None]
            file = where.rpartition(":")[0]
            texts[file] = "\n\n".join(filter(None, [texts.get(file, ""), "\n".join(lines)]))
    golden("refusals", texts)


def test_freezes(golden: Compare) -> None:
    now, hour = UNLOCKED_AT, timedelta(hours=1)
    weekly = {"days": [4], "begins": "16:00", "zone": "Europe/Berlin", "end_days": 1, "end_clock": "00:00"}
    fixed = new_freeze(now, ends_at=now + 2 * hour)
    fridays = new_freeze(now, id=4, service=None, recurrence=weekly)
    span = fixed.span_at(now)
    assert span is not None
    messages = {
        "frozen": freeze_message(fixed, now),
        "locked without an end": freeze_message(new_freeze(now, kind=LOCK), now),
        "from later": freeze_message(new_freeze(now + hour, ends_at=now + 2 * hour), now),
        "every week": freeze_message(fridays, now),
        "a window begins": window_message(fixed, span),
        "a window is over": window_over(fridays, now),
        "over": ended_message(fixed, "over"),
        "lifted": ended_message(fixed, "lifted by U0ANN"),
        "lifted by a run of the terminal": ended_message(fixed, "lifted by terminal"),
        "reminder": reminder(fixed, span),
        "reminder without an end": reminder(new_freeze(now), Span(now, LAST)),
    }
    texts = {name: message_text(*content) for name, content in messages.items()}
    texts["answer"] = answer_text(made_answer(fixed, now))
    texts["lifted, answer"] = answer_text(lifted_answer([fixed]))
    texts["list"] = answer_text(freezes_answer([fridays, fixed], now))
    texts["list, none"] = answer_text(freezes_answer([], now))
    golden("freezes", texts)
