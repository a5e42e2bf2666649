"""Messages about alerts, pages, incidents, causes, an absent database and drills; `make golden` rewrites it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.drills.decide import PagedTarget, report
from bot.views import delivery, drill, outage, overrides, pages
from bot.views.alerts import Guide, Surroundings, alert_message, calm_line, disabled, end_line, over_words, page_line
from bot.views.diagnosis import Missing, TriageFacts, diagnosis_message, doctor_answer, gate_answer
from bot.views.incident import incident_message, late_page, page_over, paged_message, reminder
from bot.views.incidents import done_answer, incidents_answer, joined_answer, timeline_answer
from playbooks import doctor
from playbooks.recent_changes import Changes, Happening
from services.domain.alerts import AlertState, Severity
from services.domain.channels import Channel
from services.domain.errors import Unavailable
from services.domain.escalation_chain import Chain
from services.domain.health import ApiHealth
from services.domain.incidents import IncidentEvent, IncidentRecord, IncidentSeverity, PageSent
from services.domain.jobs import QueueSnapshot
from services.domain.notifications import NotificationState
from services.domain.oncall import OnCallPerson, Override
from services.domain.services import Service
from services.domain.shifts import Move, ShiftReminder, Swap, SwapState
from tests.messages.conftest import Compare
from tests.messages.render import answer_text, message_text
from tests.unit.bot.alerts import builders as alerts
from tests.unit.bot.alerts.test_rules import results
from tests.unit.bot.drills.test_decide import DRILL, FIRED, SECOND, after
from tests.unit.bot.incidents.builders import (
    ANN,
    BEN,
    CHAIN,
    FIVE,
    NOW,
    TEN,
    acknowledged,
    alert,
    incident,
    resolved,
)
from tests.unit.bot.views.test_diagnosis import gates
from tests.unit.bot.views.test_diagnosis_triage import BEFORE, INGEST
from tests.unit.bot.views.test_incident import FULL, PAGES, reported
from tests.unit.bot.views.test_outage import AT, SILENT, health
from tests.unit.playbooks.test_diagnosis import CASES, STOPPED, WELL

GUIDE = Guide({"heartbeats": "Step 3: Worker Heartbeat Check", "deployments": "Deployment Verification"}, "", 20)
MINUTE = timedelta(minutes=1)


def test_the_end_of_each_alert(golden: Compare) -> None:
    ends = {
        one.fingerprint: alerts.alert(
            AlertState.RESOLVED, rule=one.rule, service=one.finding.service, title=one.finding.title
        )
        for one in results().values()
    }
    golden("alerts_over", {name: over_words(end_line(end, "dev")) for name, end in ends.items()})


def test_alerts(golden: Compare) -> None:
    started = alerts.NOW - 14 * MINUTE
    deploy = "deploy a1b2c3d4 CRASHED 02:46 UTC (commit by Ann)"
    around = Surroundings("prod", QueueSnapshot(alerts.NOW, 318, started, 0, 0, 0), {Service.INGEST: deploy})
    firing = alerts.alert(detail="last beat 6 min ago, worker dead: Railway runs 0 of 1")
    firing = replace(firing, line=page_line(firing, around))
    calm = replace(firing, title="ingest 1 of 1 alive", fine_since=started)
    calm = replace(calm, line=calm_line(calm, "prod", until=alerts.NOW + TEN))
    over = alerts.alert(AlertState.RESOLVED, title="ingest 1 of 1 alive", fires=3)
    over = replace(over, line=end_line(over, "prod"))
    notify = replace(firing, severity=Severity.NOTIFY, id=8, fingerprint="queue.backlog", rule="backlog")
    silenced = [alerts.silence()]
    golden(
        "alerts",
        {
            "page line": firing.line,
            "page line, nothing known": page_line(firing, Surroundings(None)),
            "firing": message_text(*alert_message([firing], (), GUIDE)),
            "firing again": message_text(*alert_message([replace(firing, fires=3)], (), GUIDE)),
            "firing, with a second alert": message_text(*alert_message([firing, notify], (), GUIDE)),
            "firing, acknowledged": message_text(*alert_message([firing], (), GUIDE, owners={7: ANN})),
            "firing, part of an incident": message_text(*alert_message([firing], (), GUIDE, joined=4)),
            "firing, silenced": message_text(*alert_message([replace(firing, held="silenced")], silenced, GUIDE)),
            "fine for now": message_text(*alert_message([calm], (), GUIDE)),
            "resolved": message_text(*alert_message([over], (), GUIDE)),
            "settings missing": message_text(*disabled([("RAILWAY_API_TOKEN", "is not set")], "prod")),
        },
    )


def test_incidents(golden: Compare) -> None:
    sent = [reported(NotificationState.SENT, Channel.WEBHOOK), reported(NotificationState.FAILED, Channel.EMAIL)]
    cleared = [alert(line="Resolved prod · ingest 2 of 2 alive", cleared_at=NOW)]
    cause = "deploy e9a70d3b of ingest crashes at start"
    found = incident(
        diagnosis=cause, diagnosed_since=NOW - FIVE, remedy="rollback ingest to 8d0", deployed_at=NOW - FIVE
    )
    by_hand = acknowledged(opened_by=BEN)
    level_2 = PageSent(7, 2, 1, "not acknowledged yet", NOW)
    noted = [IncidentEvent(7, NOW, "opened", None, "opened by an alert: PAGE prod")]
    noted += [IncidentEvent(7, NOW + FIVE, "marked", BEN, "it was the pool", "C1", "1.2")]
    record = IncidentRecord(incident(), (alert(),), tuple(PAGES), tuple(noted))
    golden(
        "incidents",
        {
            "open": message_text(*incident_message(incident(due_at=NOW + FIVE), [alert(line=FULL)], PAGES, CHAIN)),
            "open, cause known": message_text(*incident_message(found, [alert(line=FULL)], PAGES, CHAIN)),
            "open, paged outside Slack": message_text(*incident_message(incident(), [alert()], PAGES, CHAIN, sent)),
            "open, no one to page": message_text(*incident_message(incident(), [alert()], [], Chain())),
            "open, SEV3": message_text(
                *incident_message(incident(severity=IncidentSeverity.SEV3), [alert()], [], CHAIN)
            ),
            "acknowledged": message_text(*incident_message(by_hand, [alert()], PAGES, CHAIN)),
            "cleared": message_text(*incident_message(incident(cleared_at=NOW), cleared, PAGES, CHAIN)),
            "cleared, acknowledged": message_text(
                *incident_message(acknowledged(cleared_at=NOW), cleared, PAGES, CHAIN)
            ),
            "resolved": message_text(*incident_message(resolved(), [alert()], PAGES, CHAIN)),
            "paged, in the thread": message_text(*paged_message(level_2, CHAIN.levels[1])),
            "paged too late": message_text(*late_page(acknowledged())),
            "reminder of its owner": message_text(*reminder(acknowledged(), "no activity since 11:30 UTC")),
            "reminder, no owner": message_text(*reminder(incident(), "no activity since 11:30 UTC")),
            "reminder, cleared": message_text(*reminder(incident(cleared_at=NOW), "no activity since 11:30 UTC")),
            "direct message": message_text(*pages.direct_message(incident(), [alert()], PAGES[0], "incidents")),
            "direct message, yours": message_text(*pages.direct_message_after(acknowledged(), [alert()], ANN.user_id)),
            "direct message, another's": message_text(
                *pages.direct_message_after(acknowledged(), [alert()], BEN.user_id)
            ),
            "direct message, no owner": message_text(*pages.direct_message_after(incident(), [alert()], BEN.user_id)),
            "direct message, resolved": message_text(*pages.direct_message_after(resolved(), [alert()], BEN.user_id)),
            "pager, acknowledged": "\n".join(page_over(acknowledged(), [alert()])),
            "pager, resolved": "\n".join(page_over(resolved(), [alert()])),
            "pager, no page any more": "\n".join(page_over(incident(), [alert()])),
            "notified outside Slack": message_text(*delivery.notified_elsewhere(sent)),
            "not reached, with a phone": message_text(
                *delivery.not_reached(sent[1], "mail server: refused (550)", ["+49 (30) 123-4567"])
            ),
            "not reached": message_text(*delivery.not_reached(sent[1], "mail server: refused (550)")),
            "answer to a button": answer_text(done_answer(acknowledged(), "Incident 7 is acknowledged.")),
            "open already": answer_text(joined_answer(incident(), "ingest is slow")),
            "open already, reported again": answer_text(joined_answer(incident(), "ingest is slow", is_repeated=True)),
            "list": answer_text(incidents_answer([resolved(), incident()], now=NOW)),
            "list, none": answer_text(incidents_answer([], now=NOW)),
            "timeline": answer_text(timeline_answer(record)),
        },
    )


def test_on_call(golden: Compare) -> None:
    made = Override(3, "primary", BEN.user_id, NOW, NOW + TEN, ANN, NOW)
    tomorrow = NOW + timedelta(days=1)
    planned = replace(made, id=4, begins_at=tomorrow, ends_at=tomorrow + TEN)
    ann, ben = (OnCallPerson(name, person.user_id) for name, person in (("ann", ANN), ("ben", BEN)))
    moved = Move("primary", NOW, NOW + TEN, ann, ben)
    reminder = ShiftReminder("primary", BEN.user_id, True, tomorrow, tomorrow + TEN)
    swap = Swap(5, "primary", ANN.user_id, "T1", BEN.user_id, NOW, NOW + TEN, tomorrow, tomorrow + TEN)
    golden(
        "oncall",
        {
            "override": message_text(*overrides.override_message(made, [ANN.user_id])),
            "override, for the substitute": message_text(*overrides.put_on_call_message(made, [ANN.user_id])),
            "override, taken": message_text(*overrides.put_on_call_message(replace(made, confirmed_at=NOW), ())),
            "override, for the relieved": message_text(*overrides.moved_messages(made, [moved])[ANN.user_id]),
            "override, later": message_text(*overrides.override_message(planned, [ANN.user_id, "U0OLIVIA"])),
            "override, later, for the relieved": message_text(
                *overrides.moved_messages(planned, [moved, replace(moved, begins=tomorrow)])[ANN.user_id]
            ),
            "override, cancelled": message_text(*overrides.cancelled_message(planned, [moved], BEN.user_id)),
            "reminder, gains": message_text(*overrides.reminder_message(reminder, None, now=NOW)),
            "reminder, loses": message_text(
                *overrides.reminder_message(replace(reminder, gains=False), ben, now=NOW + timedelta(hours=23))
            ),
            **{
                f"swap, {state}": message_text(*overrides.swap_message(replace(swap, state=state)))
                for state in SwapState
            },
            "override, ended": message_text(*overrides.ended_message("primary", ANN.user_id, BEN.user_id)),
            "override, ended, no one": message_text(*overrides.ended_message("primary", None, BEN.user_id)),
            "Slack only": answer_text(overrides.slack_only_answer(BEN.user_id, [1, 2], "oncall override primary")),
        },
    )


def test_diagnoses(golden: Compare) -> None:
    texts = {name: answer_text(doctor_answer(doctor.report(case.facts), notes=[])) for name, case in CASES.items()}
    stopped = doctor.report(STOPPED)
    changes = Changes(
        (Happening(NOW, "ingest: deployment of e9a70d3b (commit by Ann), crashed"),), ("runs: no answer",)
    )
    triage = {
        "reading": TriageFacts(),
        "with changes": TriageFacts(changes, stopped, [BEFORE]),
        "without some": TriageFacts(Missing("no answer within 5 s"), Missing("no answer within 5 s"), [BEFORE]),
        "nothing found": TriageFacts(Changes((), ()), doctor.report(WELL), [BEFORE]),
    }
    texts |= {f"incident, {name}": message_text(*diagnosis_message(one, INGEST, "abc")) for name, one in triage.items()}
    texts["all"] = answer_text(doctor_answer(stopped, notes=["took 9 ms"], show_all=True))
    texts["nothing is wrong"] = answer_text(doctor_answer(doctor.report(WELL), notes=[]))
    texts["gate"] = answer_text(gate_answer("prod gate", *gates(STOPPED)))
    golden("diagnoses", texts)


def test_database_outage(golden: Compare) -> None:
    read_only = ApiHealth(503, "degraded", "prod", "a1b2c3d4", True, AT, 3.0, db_writable=False)
    line = outage.away_line("prod", "no answer within 3.5 s", SILENT)
    full = outage.away_line("prod", "the database's disk is full", read_only, refuses_writes=True)
    blind = outage.away_line(None, "no answer within 3.5 s", health(db_connected=True))
    next_level = outage.paged_note(2, "secondary", mentions=["U0BEN"], skipped=["carl is absent"])
    end = AT + 11 * MINUTE
    page = ("🔴 PAGE prod", [{"type": "section", "text": {"type": "mrkdwn", "text": "🔴 *PAGE* prod"}}])
    golden(
        "outage",
        {
            "page": message_text(*outage.away(line, wakes=True, since=AT, paged=["U0ANN", "U0BEN"])),
            "page, acknowledged": message_text(*outage.away(line, wakes=True, since=AT, acknowledged_by="U0ANN")),
            "no writes": message_text(*outage.away(full, wakes=True, since=AT)),
            "only the bot": message_text(*outage.away(blind, wakes=False, since=AT)),
            "pager": line.text,
            "next level": message_text(*next_level),
            "acknowledged": message_text(*outage.acknowledged_note("U0ANN")),
            "over": message_text(*outage.back("prod", since=AT, at=end)),
            "over, writes": message_text(*outage.back(None, since=AT, at=end, refused_writes=True)),
            "over, in the thread": message_text(*outage.back_note(since=AT, at=end)),
            "Slack drops events": message_text(*delivery.dropped_events_message(AT)),
            "page sent directly": message_text(
                *delivery.direct_message(*page, channel="incidents", code="not_in_channel")
            ),
            "answer sent directly": message_text(*delivery.direct_answer(*page, code="is_archived")),
            "pager instead of Slack": delivery.pager_words("prod", "not_in_channel"),
            "API silent": outage.away_line("prod", "x", Unavailable("API", "HTTP 502")).text,
        },
    )


def test_drills(golden: Compare) -> None:
    pages = (
        PagedTarget("Ann", "webhook", after(1.2 * SECOND)),
        PagedTarget("Ben", "email", None, "mail server: refused (550)"),
        PagedTarget("Otto", "direct", None),
    )
    answered = report(replace(FIRED, pages=pages, answered_at=after(40 * SECOND), answered_by="U2"), "answered")
    missed = report(FIRED, "no acknowledgement within 5 minutes")
    golden(
        "drills",
        {
            "offer": answer_text(drill.offer_answer(0, None)),
            "offer, one before": answer_text(drill.offer_answer(2, replace(DRILL, report=answered))),
            "started": answer_text(drill.started_answer(DRILL)),
            "under way": answer_text(drill.under_way_answer(DRILL)),
            "answered": message_text(*drill.report_message(DRILL, answered)),
            "not answered": message_text(*drill.report_message(DRILL, missed)),
        },
    )
