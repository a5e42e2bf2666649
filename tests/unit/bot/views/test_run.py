"""The message of a run: its first line names the state, every state is shown as it is, and Slack accepts it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.views.run import SHOWN_STEPS, headline, run_message
from bot.views.run_outcome import ended_line
from bot.views.run_steps import step_line
from bot.views.runs import record_answer, run_line
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import FreezeAutoDeploy, LockService, ScaleService, Soak, Step, VerifyHeartbeats
from playbooks.stored_steps import encode_step
from services.domain.people import Person
from services.domain.runs import (
    IN_DOUBT,
    MARKED_DONE,
    Decision,
    Record,
    Review,
    Run,
    RunState,
    RunStep,
    SelfApproval,
    StepState,
)
from services.domain.services import Service
from services.sandbox.slack.limits import violations
from tests.runs import run_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLIVIA, ANN = Person("U0OLIVIA001", "T1"), Person("U0ANN000001", "T1")
HOSTILE = "<!channel> `x` <https://evil|good> @here " + "y" * 5000
STEPS: tuple[Step, ...] = (
    ScaleService(Service.INGEST, 1, 2),
    VerifyHeartbeats(Service.INGEST, 2, 60),
    Soak(Service.INGEST, 120, 1),
)
PLAN = Plan(
    environment="prod",
    playbook="scale",
    parameters={"service": "ingest", "to": "2"},
    steps=STEPS,
    risk=Risk.HIGH,
    title="Scale ingest: 1 → 2",
    impact=("318 jobs are waiting, oldest 9 min",),
    warnings=("the pooler's limit is not known",),
    undo="scale ingest 1",
)


BROKEN_GLASS = replace(PLAN, risk=Risk.BREAK_GLASS)


def a_run(state: RunState = RunState.AWAITING_APPROVAL, plan: Plan = PLAN, **changes: Any) -> Run:
    fields: dict[str, Any] = {"state": state, "requested_by": OLIVIA, "approved_at": NOW, "started_at": NOW}
    if state.is_final:
        fields |= {"ended_at": NOW + timedelta(seconds=43), "outcome": "2 of 2 workers beat"}
    return run_of(plan, NOW, **(fields | changes))


def journal(*states: StepState, plan: Plan = PLAN) -> list[RunStep]:
    return [
        RunStep(12, position, encode_step(step), state, None, None, None, NOW, NOW + timedelta(seconds=12))
        for position, (step, state) in enumerate(zip(plan.steps, states, strict=True))
    ]


DONE = journal(*[StepState.DONE] * 3)


def labels(run: Run) -> list[str]:
    return [
        button["text"]["text"]
        for block in run_message(Record(run, DONE)).blocks
        if block["type"] == "actions"
        for button in block["elements"]
    ]


def menu(run: Run) -> list[str]:
    """The commands in the menu of a run whose steps are all done."""
    return [option["value"] for option in run_message(Record(run, DONE)).blocks[0]["accessory"]["options"]]


def shown(run: Run, steps: list[RunStep] = DONE) -> str:
    return json.dumps(run_message(Record(run, steps)).blocks, ensure_ascii=False)


def test_a_request_shows_what_an_approver_has_to_know() -> None:
    message = run_message(Record(a_run(reason="backlog"), journal(*[StepState.PENDING] * 3)), approvers=["S0APPROVERS"])

    text = json.dumps(message.blocks, ensure_ascii=False)
    assert message.text == "🟡 *WAITING FOR APPROVAL* · prod · *Scale ingest: 1 → 2*"
    for part in (
        "318 jobs are waiting, oldest 9 min",
        "⚠️ the pooler's limit is not known",
        "*Undo:* `scale ingest 1`",
        "1. Set ingest from 1 to 2 replicas",
        "<@U0OLIVIA001>: backlog",
        "<!subteam^S0APPROVERS>",
        f"<!date^{int((NOW + timedelta(minutes=15)).timestamp())}",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (a_run(), ["Approve", "Deny", "Details"]),
        (a_run(RunState.PLANNED, approvals_needed=0), ["Confirm", "Cancel", "Details"]),
        (a_run(approvals_needed=1, requested_by=None), ["Approve", "Deny", "Details"]),
        (a_run(RunState.APPROVED), ["Cancel", "Details"]),
        (a_run(RunState.RUNNING), ["Cancel", "Details"]),
        (a_run(RunState.RUNNING, cancel_requested_by=ANN), ["Details"]),
        (a_run(RunState.UNKNOWN), ["Mark done", "Retry", "Abort"]),
        (a_run(RunState.SUCCEEDED), []),
        (a_run(RunState.FAILED), ["Undo: scale ingest 1", "Details"]),
        (a_run(RunState.CANCELLED, started_at=None), ["Details"]),
        (a_run(RunState.EXPIRED, started_at=None), ["Request again", "Details"]),
        (a_run(RunState.VOIDED, started_at=None), ["Request again", "Details"]),
    ],
)
def test_only_buttons_that_can_be_used_are_there(run: Run, expected: list[str]) -> None:
    assert labels(run) == expected


def test_a_click_on_approve_is_asked_about_with_target_and_effect() -> None:
    approve = run_message(Record(a_run(), DONE)).blocks[-2]["elements"][0]

    assert approve["value"] == "12"
    assert approve["action_id"] == "run.approve"
    assert approve["confirm"]["title"]["text"] == "Scale ingest: 1 → 2?"
    assert "prod; 318 jobs are waiting" in approve["confirm"]["text"]["text"]


@pytest.mark.parametrize(("risk", "is_asked"), [(Risk.LOW, False), (Risk.HIGH, True)])
def test_a_low_risk_is_confirmed_with_one_click(risk: Risk, is_asked: bool) -> None:
    confirm = run_message(Record(a_run(RunState.PLANNED, replace(PLAN, risk=risk)), DONE)).blocks[-2]["elements"][0]

    assert confirm["action_id"] == "run.confirm"
    assert ("confirm" in confirm) is is_asked


def test_the_question_before_a_click_shows_whole_clauses_only() -> None:
    long = ["replaces 2 workers", "x" * 230, "nothing is deployed until unlock, whatever is pushed to main"]
    run = a_run(plan=replace(PLAN, impact=tuple(long)))

    asked = run_message(Record(run, DONE)).blocks[-2]["elements"][0]["confirm"]["text"]["text"]

    assert asked == f"prod; replaces 2 workers; {'x' * 230}; 1 more in the message"


def test_something_critical_is_approved_in_a_modal_not_in_a_dialog() -> None:
    run = a_run(plan=replace(PLAN, risk=Risk.CRITICAL), approvals_needed=2)

    assert "confirm" not in run_message(Record(run, DONE)).blocks[-2]["elements"][0]
    assert "(2 approvals needed)" in shown(run)


@pytest.mark.parametrize(("left", "line"), [(["j1"], "requeue j1"), (["j1", "j2"], "requeue orphans")])
def test_jobs_that_were_left_behind_can_be_requeued(left: list[str], line: str) -> None:
    steps = [replace(DONE[0], evidence={"orphans": left}), *DONE[1:]]

    [row] = [
        block for block in run_message(Record(a_run(RunState.SUCCEEDED), steps)).blocks if block["type"] == "actions"
    ]

    assert row["elements"][0]["value"] == line


def test_each_part_of_an_undo_has_its_button() -> None:
    plan = replace(PLAN, undo="scale ingest 2; scale enforcement 1")

    assert labels(a_run(RunState.FAILED, plan=plan)) == ["Undo: scale ingest 2", "Undo: scale enforcement 1", "Details"]
    assert menu(a_run(RunState.SUCCEEDED, plan=plan)) == ["run 12", "scale ingest 2", "scale enforcement 1"]


def test_a_done_run_has_its_steps_and_the_way_back_in_the_menu_of_its_first_line() -> None:
    run = a_run(RunState.SUCCEEDED)

    assert menu(run) == ["run 12", "scale ingest 1"]
    assert "accessory" not in run_message(Record(a_run(RunState.FAILED), DONE)).blocks[0]
    details = record_answer(Record(run, DONE)).blocks
    assert "Undo: scale ingest 1" in json.dumps(details)
    assert "Verify that 2 workers of ingest are alive" in json.dumps(details)


def test_a_done_run_reports_in_one_line_how_much_was_done_and_what_it_proved() -> None:
    [scaled, proved, watched] = DONE
    steps = [
        replace(scaled, note="2 replicas"),
        replace(proved, note="2 of 2 ingest workers alive"),
        replace(watched, note="nothing got worse in 120 s"),
    ]

    message = run_message(Record(a_run(RunState.SUCCEEDED, outcome="All is well."), steps))

    assert message.blocks[1]["text"]["text"] == (
        "All is well.\n3 of 3 steps in 43 s · 2 of 2 ingest workers alive · nothing got worse in 120 s"
    )
    assert [block["type"] for block in message.blocks] == ["section", "section", "context"]
    assert json.dumps(message.blocks).count("Scale ingest") == 1


@pytest.mark.parametrize(
    ("state", "last", "outcome"),
    [
        (RunState.FAILED, StepState.FAILED, "Stopped at step 3 of 3"),
        (RunState.SUCCEEDED, StepState.NOT_PROVED, f"{IN_DOUBT}: it"),
        (RunState.CANCELLED, StepState.SKIPPED, "Cancelled by @ann"),
    ],
)
def test_a_run_with_a_doubt_shows_each_step(state: RunState, last: StepState, outcome: str) -> None:
    steps = journal(StepState.DONE, StepState.DONE, last)

    assert any(block["type"] == "plan" for block in run_message(Record(a_run(state, outcome=outcome), steps)).blocks)


def test_a_doubt_is_written_once_in_the_sign() -> None:
    steps = journal(StepState.DONE, StepState.DONE, StepState.NOT_PROVED)
    run = a_run(RunState.SUCCEEDED, outcome="Done, but not proved: no beat.")

    message = run_message(Record(run, steps))

    assert "DONE, NOT PROVED" in message.text
    assert message.text.endswith(": no beat.")
    assert "but not proved" not in f"{message.text}{message.blocks}"
    assert '"no beat."' in json.dumps(message.blocks)


def test_progress_is_one_task_a_step() -> None:
    steps = journal(StepState.DONE, StepState.RUNNING, StepState.PENDING)

    message = run_message(Record(a_run(RunState.RUNNING), steps))

    [plan] = [block for block in message.blocks if block["type"] == "plan"]
    assert [task["status"] for task in plan["tasks"]] == ["complete", "in_progress", "pending"]
    assert message.text.startswith("🔵 *RUNNING* 1 of 3 · prod")


def test_the_evidence_stands_beside_its_step() -> None:
    [first, *rest] = DONE
    steps = [replace(first, evidence={"replicas": 2, "regions": {"x": 2}}), replace(rest[0], note="both beat"), rest[1]]

    text = shown(a_run(RunState.FAILED), steps)

    assert "12 s · replicas 2" in text
    assert "12 s · both beat" in text


def test_a_step_that_a_person_decided_about_names_them() -> None:
    first, second, last = journal(StepState.DONE, StepState.DONE, StepState.FAILED)
    marked = replace(second, note=f"{MARKED_DONE} (U0BEN000001)")

    text = shown(a_run(RunState.FAILED), [first, marked, last])

    assert '{"type": "text", "text": "12 s · marked done by "}, {"type": "user", "user_id": "U0BEN000001"}' in text
    assert step_line(marked).endswith(" — 12 s · marked done by <@U0BEN000001>")


def test_a_step_that_was_stopped_reads_otherwise_than_one_that_never_began() -> None:
    first, second, third = journal(StepState.DONE, StepState.SKIPPED, StepState.SKIPPED)
    never_began = replace(third, started_at=None)

    text = shown(a_run(RunState.CANCELLED), [first, second, never_began])

    assert "stopped · 12 s" in text
    assert text.count("skipped") == 1
    assert "unknown" not in text


def test_a_run_that_is_not_proved_says_so_first() -> None:
    steps = journal(StepState.DONE, StepState.NOT_PROVED, StepState.DONE)

    message = run_message(Record(a_run(RunState.SUCCEEDED), steps))

    assert message.text.startswith("⚠️ *DONE, NOT PROVED*")
    assert "not proved" in json.dumps(message.blocks)


def test_the_closing_message_has_the_outcome_the_times_and_the_audit_head() -> None:
    message = run_message(Record(a_run(RunState.SUCCEEDED), DONE), audit_head="ab12" * 16)

    text = json.dumps(message.blocks, ensure_ascii=False)
    assert message.text == "✅ *DONE* · prod · *Scale ingest: 1 → 2*: 2 of 2 workers beat"
    assert "3 of 3 steps in 43 s" in text
    assert "audit `ab12ab12ab12`" in text


def test_broken_glass_is_announced_with_its_reason_and_a_review_is_asked_for() -> None:
    run = a_run(RunState.RUNNING, plan=BROKEN_GLASS, reason="wrong <!channel> amounts")

    text = json.dumps(run_message(Record(run, DONE), approvers=["S0APPROVERS"]).blocks, ensure_ascii=False)

    assert "🚨 *Break-glass* by <@U0OLIVIA001>: wrong &lt;!channel&gt; amounts" in text
    assert "review by* <!subteam^S0APPROVERS>" in text


@pytest.mark.parametrize(("state", "can_be_closed"), [(RunState.RUNNING, False), (RunState.SUCCEEDED, True)])
def test_a_review_is_closed_with_a_button_once_the_run_is_over(state: RunState, can_be_closed: bool) -> None:
    record = Record(a_run(state, plan=BROKEN_GLASS), DONE, review=Review(12, OLIVIA, NOW))

    assert ("run.review" in json.dumps(run_message(record).blocks)) is can_be_closed


SELF_APPROVAL = SelfApproval(12, 4, NOW, NOW + timedelta(minutes=3))


@pytest.mark.parametrize(
    ("self_approval", "words", "action"),
    [
        (SELF_APPROVAL, "were paged", None),
        (replace(SELF_APPROVAL, offered_at=NOW), "can self-approve it", "run.alone"),
        (
            replace(SELF_APPROVAL, offered_at=NOW, reason="<!here> down", starts_at=NOW),
            "&lt;!here&gt; down",
            "run.veto",
        ),
    ],
)
def test_a_self_approval_has_the_button_that_can_be_used(
    self_approval: SelfApproval, words: str, action: str | None
) -> None:
    message = run_message(Record(a_run(requested_by=ANN), DONE, self_approval=self_approval))

    text = json.dumps(message.blocks)
    assert words in text
    assert [one for one in ("run.alone", "run.veto") if one in text] == ([action] if action else [])
    assert "run.approve" in text


def test_approve_buttons_keep_their_place_while_approvers_do_not_answer() -> None:
    run = a_run()
    moments = [
        SELF_APPROVAL,
        replace(SELF_APPROVAL, offered_at=NOW),
        replace(SELF_APPROVAL, offered_at=NOW, reason="r", starts_at=NOW),
    ]

    messages = [run_message(Record(run, DONE, self_approval=one)).blocks for one in (None, *moments)]
    messages.append(run_message(Record(run, DONE, (Decision(12, ANN, True, "", PLAN.hash, "p", NOW),))).blocks)

    places = [next(n for n, block in enumerate(blocks) if block["type"] == "actions") for blocks in messages]
    assert len(set(places)) == 1
    assert all(blocks[: places[0]] == messages[0][: places[0]] for blocks in messages)


def test_a_self_approved_run_shows_it_and_waits_for_a_review() -> None:
    self_approval = replace(SELF_APPROVAL, offered_at=NOW, reason="customers wait", starts_at=NOW)
    record = Record(
        a_run(RunState.SUCCEEDED, requested_by=ANN), DONE, review=Review(12, ANN, NOW), self_approval=self_approval
    )

    text = json.dumps(run_message(record, approvers=["S0APPROVERS"]).blocks, ensure_ascii=False)

    assert "🚨 *Self-approved* by <@U0ANN000001>: customers wait" in text
    assert "review by* <!subteam^S0APPROVERS>" in text


def test_a_closed_review_reports_who_noted_what() -> None:
    review = Review(12, OLIVIA, NOW, ANN, "right, <!here> mended", NOW)

    text = json.dumps(run_message(Record(a_run(RunState.SUCCEEDED, plan=BROKEN_GLASS), DONE, review=review)).blocks)

    assert "Reviewed by <@U0ANN000001>" in text
    assert "right, &lt;!here&gt; mended" in text
    assert "run.review" not in text
    assert "Waiting for review" not in text


@pytest.mark.parametrize(("count", "is_folded"), [(SHOWN_STEPS, False), (SHOWN_STEPS + 1, True)])
def test_a_long_plan_that_waits_shows_the_number_of_its_steps(count: int, is_folded: bool) -> None:
    plan = replace(PLAN, steps=tuple(PLAN.steps[0] for _ in range(count)))

    shown = json.dumps(run_message(Record(a_run(plan=plan))).blocks)

    assert (f"{count} steps, listed in *Details*" in shown) is is_folded
    assert (f"{count}. {PLAN.steps[0].describe()}" in shown) is not is_folded


def test_a_run_that_never_started_shows_no_steps() -> None:
    never = [replace(step, started_at=None, ended_at=None) for step in journal(*[StepState.SKIPPED] * 3)]

    text = shown(a_run(RunState.VOIDED, started_at=None), never)

    assert "No step was started" in text
    assert "skipped" not in text


def test_the_approvers_are_not_mentioned_any_more_once_they_decided() -> None:
    assert "subteam" not in json.dumps(
        run_message(Record(a_run(RunState.RUNNING), DONE), approvers=["S0APPROVERS"]).blocks
    )


def test_a_run_keeps_its_decisions_in_view() -> None:
    denied = Decision(12, ANN, False, "not during the import", PLAN.hash, "p", NOW)

    text = json.dumps(run_message(Record(a_run(RunState.CANCELLED), DONE, [denied])).blocks)

    assert "Denied by <@U0ANN000001>" in text
    assert "not during the import" in text


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("count", [0, 3, 50, 60])
def test_slack_takes_the_message_in_every_state(state: RunState, count: int) -> None:
    plan = replace(
        PLAN,
        steps=tuple(LockService(Service.API, HOSTILE) for _ in range(count)),
        title=HOSTILE,
        impact=(HOSTILE,) * 9,
        warnings=(HOSTILE,) * 9,
        undo="scale ingest 1",
    )
    steps = [replace(step, note=HOSTILE) for step in journal(*[StepState.DONE] * count, plan=plan)]
    decisions = [Decision(12, ANN, True, HOSTILE, PLAN.hash, "p", NOW)] * 12
    run = a_run(state, plan=plan, reason=HOSTILE, outcome=HOSTILE)

    message = run_message(Record(run, steps, decisions), audit_head="ab" * 32)

    payload = {"channel": "C1", "text": message.text, "blocks": message.blocks}
    assert list(violations(payload, surface="message", method="chat.update")) == []
    offered = [block for block in message.blocks if block["type"] == "actions" or "accessory" in block]
    assert offered, "the buttons are never what is left out"


@pytest.mark.parametrize("state", StepState)
def test_run_message_shows_only_done_steps_as_green(state: StepState) -> None:
    """For every kind of step: a refused freeze has the same state as an unproved scale."""
    steps = journal(state, StepState.DONE, StepState.DONE)

    message = run_message(Record(a_run(RunState.RUNNING), steps))

    [plan] = [block for block in message.blocks if block["type"] == "plan"]
    assert (plan["tasks"][0]["status"] == "complete") is (state is StepState.DONE)
    assert ("✅" in step_line(steps[0])) is (state is StepState.DONE)


def test_a_refused_step_is_not_shown_as_unproved() -> None:
    refused = replace(DONE[0], state=StepState.NOT_PROVED, note="not done: Railway: it refuses our token")
    unproved = replace(DONE[0], state=StepState.NOT_PROVED, note="could not be seen")

    assert "not proved" not in step_line(refused)
    assert "not proved" in step_line(unproved)


def test_denied_run_is_shown_as_denied() -> None:
    run = a_run(RunState.CANCELLED, outcome="denied: not today")

    assert headline(run, DONE).startswith("⛔ *DENIED*")
    assert run_line(run).startswith("⛔ *DENIED*")
    assert headline(a_run(RunState.CANCELLED), DONE).startswith("⚫ *CANCELLED*")


@pytest.mark.parametrize(
    ("outcome", "sign"),
    [("All is well.", "✅"), (f"{IN_DOUBT}: the freeze.", "⚠️"), (None, "✅")],
)
def test_the_list_of_runs_shows_what_is_not_proved(outcome: str | None, sign: str) -> None:
    assert run_line(a_run(RunState.SUCCEEDED, outcome=outcome)).startswith(sign)


DENIAL = Decision(12, ANN, False, "not <!channel>", PLAN.hash, "p", NOW)


@pytest.mark.parametrize(
    ("run", "decisions", "line"),
    [
        (a_run(RunState.CANCELLED), [DENIAL], "denied by <@U0ANN000001>: not &lt;!channel&gt;"),
        (a_run(RunState.SUCCEEDED, outcome="All is well."), [], "done"),
        (a_run(RunState.SUCCEEDED, outcome=f"{IN_DOUBT}: no."), [], f"{IN_DOUBT}: no"),
        (a_run(RunState.FAILED, outcome="Stopped at step 2 of 3: no."), [], "failed: Stopped at step 2 of 3: no"),
        (a_run(RunState.VOIDED, outcome="Void: run 7 started."), [], "Void: run 7 started"),
        (a_run(RunState.EXPIRED, outcome="not approved in time"), [], "expired: not approved in time"),
        (a_run(RunState.CANCELLED, cancel_requested_by=ANN, outcome=None), [], "cancelled"),
    ],
)
def test_the_requester_is_notified_of_the_outcome(run: Run, decisions: list[Decision], line: str) -> None:
    assert ended_line(run, decisions) == f"<@U0OLIVIA001>: {line} · *{run.title}* (run {run.id})"


@pytest.mark.parametrize(
    "run",
    [
        *(a_run(state) for state in RunState if not state.is_final),
        a_run(RunState.CANCELLED, cancel_requested_by=OLIVIA),
        a_run(RunState.SUCCEEDED, requested_by=None),
    ],
)
def test_no_one_is_reported_of_what_goes_on_or_of_what_they_did_themselves(run: Run) -> None:
    assert ended_line(run, []) is None


ROLLBACK = replace(
    PLAN,
    playbook="rollback",
    steps=(FreezeAutoDeploy(Service.INGEST), LockService(Service.INGEST, "rolled back"), LockService(Service.API, "x")),
    undo="rollback ingest to c45e17a9",
)


def test_a_rollback_offers_to_unlock_and_hides_the_way_back_to_what_was_broken() -> None:
    done = journal(StepState.DONE, StepState.DONE, StepState.DONE, plan=ROLLBACK)

    message = run_message(Record(a_run(RunState.SUCCEEDED, ROLLBACK), done))

    [row] = [block for block in message.blocks if block["type"] == "actions"]
    shown = [element["text"]["text"] for element in row["elements"]]
    menu = message.blocks[0]["accessory"]
    assert shown == ["Unlock ingest…"]
    assert row["elements"][0]["value"] == "unlock ingest after run 12"
    assert [option["value"] for option in menu["options"]] == [
        "run 12",
        "unlock api after run 12",
        "rollback ingest to c45e17a9",
    ]
    text = json.dumps(message.blocks, ensure_ascii=False)
    assert re.search("🔒 ingest stays locked: [^🔒]*not deployed", text)
    assert re.search("🔒 api stays locked: [^🔒]*push to main still", text)
    assert list(violations({"channel": "C1", "text": message.text, "blocks": message.blocks}, surface="message")) == []


def test_run_message_has_no_lock_when_it_was_not_made() -> None:
    steps = journal(StepState.DONE, StepState.SKIPPED, StepState.SKIPPED, plan=ROLLBACK)

    text = json.dumps(run_message(Record(a_run(RunState.CANCELLED, ROLLBACK), steps)).blocks)

    assert "stays locked" not in text
    assert "Unlock" not in text
