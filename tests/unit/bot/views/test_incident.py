"""An incident's messages, buttons, timeline and postmortem: readable on a phone, and safe for any content."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.commands.incident import postmortem, postmortem_answer
from bot.views.incident import incident_message, paged_message, reminder, summary
from bot.views.incident_buttons import owner_buttons
from bot.views.incidents import incidents_answer, timeline_answer
from bot.views.pages import direct_message, direct_message_after
from playbooks.last_deploys import RAN_WELL
from playbooks.model import Status
from services.clients.pagers.pagerduty import read_event
from services.domain.channels import Channel
from services.domain.escalation_chain import Chain
from services.domain.incidents import Incident, IncidentEvent, IncidentRecord, IncidentSeverity, JoinedAlert, PageSent
from services.domain.notifications import Notification, NotificationState, PageEvent
from services.domain.people import outsider
from services.domain.phone_lines import PHONE_LIMIT, shown_width
from services.domain.services import Service
from services.sandbox.slack.limits import violations
from tests.answers import pager_event, signed, user
from tests.unit.bot.incidents.builders import ANN, BEN, CHAIN, FIVE, NOW, TEN, acknowledged, alert, incident, resolved

PAGES = [PageSent(7, 1, 0, "an alert opened it", NOW)]
FULL = (
    "PAGE prod · ingest is down (0 of 1), last beat 11:55 UTC, worker dead: Railway runs 0 of 1"
    " · deploy e9a70d3b CRASHED 11:54 UTC (commit by Tom) · 0 waiting · DB ok"
)
DEPLOYED = NOW - FIVE - TEN
SINCE = f"{int((NOW - FIVE).timestamp())}^{{time}}"
CALM_LINE = "dev · ingest 1 of 1 alive · fine since 08:03 UTC, watched until 08:33 UTC because it fired again before"
EVIL = "<!channel> `x` *b* <https://evil|good> ``` \N{RIGHT-TO-LEFT OVERRIDE}" + "A" * 9000
Content = tuple[str, list[dict[str, Any]]]


def reported(state: NotificationState, means: Channel) -> Notification:
    key, event = "incident:7:page:1:x", PageEvent.TRIGGERED
    return Notification(key, means, "ann", "s", "t", "incident:7", state, 1, None, NOW, NOW, 0.0, event, key, NOW)


def message(one: Incident, alerts: list[JoinedAlert] | None = None, chain: Chain = CHAIN) -> Content:
    return incident_message(one, [alert()] if alerts is None else alerts, PAGES, chain)


def labels(blocks: list[dict[str, Any]]) -> list[str]:
    """Labels of the buttons in rows, in order; `…` stands for the overflow menu."""
    found = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    return [element["text"]["text"] if element["type"] == "button" else "…" for element in found]


def menu(blocks: list[dict[str, Any]]) -> list[str]:
    found = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
    return [option["value"] for element in found for option in element.get("options", [])]


@pytest.mark.parametrize(
    ("one", "first"),
    [
        (incident(), "🔴 ingest is down (0 of 2) since 11:55 UTC · prod"),
        (acknowledged(), "🟡 *ACKNOWLEDGED* by <@U0ANN> · ingest is down (0 of 2) since 11:55 UTC · prod"),
        (resolved(), "✅ *RESOLVED* · No ingest · prod"),
        (incident(severity=IncidentSeverity.SEV3), "🔵 *OPEN* · ingest is down (0 of 2) since 11:55 UTC · prod"),
    ],
)
def test_the_first_line_is_the_answer(one: Incident, first: str) -> None:
    assert message(one)[0] == first


def test_the_lines_are_what_why_work_and_who() -> None:
    shown = message(incident(due_at=NOW + FIVE), [alert(line=FULL)])[1]

    assert shown[0]["text"]["text"] == f"🔴 *ingest is down* (0 of 1) since <!date^{SINCE}|2026-11-23 11:55 UTC> · prod"
    why, work, who = shown[1]["text"]["text"].split("\n")
    assert (
        why
        == "last beat 11:55 UTC, worker dead: Railway runs 0 of 1 · deploy e9a70d3b CRASHED 11:54 UTC (commit by Tom)"
    )
    assert work == "0 waiting · DB ok"
    assert who.startswith("📟 paged ann")


CRASHES = "deploy e9a70d3b of ingest crashes at start (FileNotFoundError)"
BY_DEPLOY = {"diagnosis": CRASHES, "diagnosed_since": NOW - FIVE - timedelta(minutes=1)}
AWAY = {"diagnosis": "The database is gone", "diagnosed_since": NOW - TEN}


@pytest.mark.parametrize(
    ("one", "line", "first", "second"),
    [
        pytest.param(
            incident(**BY_DEPLOY), FULL, f"🔴 {CRASHES} since 11:54 UTC · prod",
            "ingest is down (0 of 1) · 0 waiting · DB ok", id="bad deploy",
        ),
        pytest.param(
            acknowledged(**BY_DEPLOY), FULL,
            "🟡 *ACKNOWLEDGED* by <@U0ANN> · deploy e9a70d3b of ingest crashes at start… since 11:54 UTC · prod",
            "ingest is down (0 of 1) · 0 waiting · DB ok", id="bad deploy, acknowledged",
        ),
        pytest.param(
            resolved(**BY_DEPLOY), FULL, f"✅ *RESOLVED* · {CRASHES} · prod", "*Cause:*", id="bad deploy, over"
        ),
        pytest.param(
            incident(**AWAY), "PAGE prod · api has no database, HTTP 503 · queue unknown",
            "🔴 The database is gone since 11:50 UTC · prod", "api has no database · queue unknown",
            id="Postgres stopped",
        ),
        pytest.param(
            incident(diagnosis="api does not answer", diagnosed_since=None),
            "PAGE prod · api does not answer, timeout · no deploy of api · 0 waiting · DB ok",
            "🔴 api does not answer since 11:55 UTC · prod", "timeout · no deploy of api", id="slow API",
        ),
        pytest.param(
            incident(diagnosis="ingest is down (0 of 1)", diagnosed_since=NOW - TEN),
            FULL.replace("0 of 1)", "0 of 2)"),
            "🔴 ingest is down (0 of 2) since 11:50 UTC · prod", "last beat 11:55 UTC", id="killed worker",
        ),
        pytest.param(
            incident(diagnosis="ingest crashes at start: deploy e9a70d3b at 11:54 UTC"), FULL,
            "🔴 ingest crashes at start: deploy e9a70d3b at 11:54 UTC · prod",
            "ingest is down (0 of 1) · 0 waiting · DB ok", id="stored by a former version",
        ),
    ],
)  # fmt: skip
def test_the_first_line_names_the_cause_once_it_is_known(one: Incident, line: str, first: str, second: str) -> None:
    text, blocks = message(one, [alert(line=line)])

    assert text == first
    assert blocks[1]["text"]["text"].startswith(second)


@pytest.mark.parametrize(
    ("one", "line", "first"),
    [
        (
            incident(cleared_at=NOW, **BY_DEPLOY),
            "Resolved prod · ingest 1 of 1 alive",
            "🟢 *CLEARED*",
        ),
        (acknowledged(**BY_DEPLOY), CALM_LINE, "🟢 ingest 1 of 1 alive: fine since 08:03 UTC"),
    ],
)
def test_cleared_incident_is_not_titled_by_its_cause(one: Incident, line: str, first: str) -> None:
    text, blocks = message(one, [alert(line=line, cleared_at=one.cleared_at)])

    assert text.startswith(first)
    assert "e9a70d3b" not in f"{text}{blocks[:2]}"


@pytest.mark.parametrize(
    ("fingerprint", "is_named"), [("heartbeats.ingest", True), ("crash_loop.ingest", True), ("backlog", False)]
)
def test_a_cause_is_not_that_of_an_alert_which_joined_later_and_fires_alone(fingerprint: str, is_named: bool) -> None:
    one = incident(fingerprint="heartbeats.ingest", **BY_DEPLOY)

    text = message(one, [alert(fingerprint=fingerprint, line="PAGE prod · ingest is bad")])[0]

    assert (CRASHES in text, "ingest is bad" in text) == (is_named, not is_named)


def test_title_typed_by_a_person_stays_first() -> None:
    text, blocks = message(incident(opened_by=ANN, diagnosis="api does not answer"), [])

    assert text == "🔴 No ingest since 11:55 UTC · prod"
    assert blocks[1]["text"]["text"].startswith("api does not answer")


def test_a_cause_that_repeats_the_first_line_gives_its_place_to_what_the_alert_knows() -> None:
    one = incident(diagnosis="ingest is down (0 of 1) since 11:55 UTC")

    assert message(one, [alert(line=FULL)])[1][1]["text"]["text"].startswith("last beat 11:55 UTC, worker dead")


def test_notifications_outside_slack_are_listed_with_the_paged_people() -> None:
    sent = [reported(NotificationState.SENT, Channel.WEBHOOK), reported(NotificationState.FAILED, Channel.EMAIL)]

    shown = str(incident_message(incident(), [alert()], PAGES, CHAIN, sent)[1])

    assert "· pager ✓ · e-mail not reached" in shown


def test_notifications_of_an_earlier_page_do_not_stand_beside_the_people_paged_last() -> None:
    earlier = reported(NotificationState.FAILED, Channel.WEBHOOK)
    key = "incident:7:page:2:x"
    last = replace(reported(NotificationState.SENT, Channel.WEBHOOK), key=key, page_key=key)
    pages = [*PAGES, PageSent(7, 2, 1, "not acknowledged yet", NOW)]

    shown = str(incident_message(incident(), [alert()], pages, CHAIN, [earlier, last])[1])

    assert "· pager ✓" in shown
    assert "not reached" not in shown


@pytest.mark.parametrize("line", [FULL, FULL.replace("ingest is down (0 of 1)", "x" * 900)])
@pytest.mark.parametrize("one", [incident(), incident(environment="e" * 300), acknowledged()])
def test_the_first_line_fits_a_notification(one: Incident, line: str) -> None:
    text = message(one, [alert(line=line)])[0]

    assert len(re.sub(r"<@\w+>", "Olivia Berg", text).replace("*", "")) <= PHONE_LIMIT
    assert "since 11:55 UTC" in text


def test_a_long_name_at_pagerduty_does_not_take_the_room_of_what_is_wrong() -> None:
    body, _ = signed(pager_event("acknowledged", "key", agent=user("Wolfeschlegelsteinhausenbergerdorff " * 5)))
    event = read_event(body)
    assert event is not None
    assert event.by is not None

    text = message(acknowledged(acknowledged_by=outsider("PagerDuty", event.by.name)), [alert()])[0]

    assert "Wolfeschlegelsteinhausenberger (PagerDuty) · ingest is down" in text
    assert shown_width(text) <= PHONE_LIMIT


def test_a_watched_incident_is_green_and_names_the_end_of_the_watch() -> None:
    calm = "dev · ingest 1 of 1 alive · fine since 08:03 UTC, watched until 08:33 UTC because it fired again before"

    assert message(acknowledged(), [alert(line=calm)])[0].startswith("🟢 ingest 1 of 1 alive: fine since 08:03 UTC")


def test_a_watched_incident_offers_no_restart_and_no_rollback() -> None:
    calm = alert(
        line="dev · ingest 1 of 1 alive · fine since 08:03 UTC, watched until 08:33 UTC because it fired again before"
    )
    found = {"remedy": "rollback ingest to 8d02b64e", "diagnosis": "ingest crashes at start"}

    assert labels(message(acknowledged(**found), [calm])[1]) == ["Resolve…", "Health", "…"]
    assert labels(message(incident(**found), [calm])[1]) == ["Acknowledge", "Health", "Queue", "…"]
    assert [button["text"]["text"] for button in owner_buttons(acknowledged(**found), [calm])] == ["Resolve…", "Health"]


def test_a_remedy_stays_while_another_alert_is_not_fine() -> None:
    calm = alert(
        line="dev · ingest 1 of 1 alive · fine since 08:03 UTC, watched until 08:33 UTC because it fired again before"
    )

    assert "Restart ingest" in labels(message(acknowledged(), [calm, alert()])[1])


def test_a_cleared_incident_names_the_person_who_resolves_it() -> None:
    over = [alert(line="Resolved prod · ingest 2 of 2 alive", cleared_at=NOW)]

    unowned, owned = (message(one, over)[0] for one in (incident(cleared_at=NOW), acknowledged(cleared_at=NOW)))

    assert unowned.startswith("🟢 *CLEARED*")
    assert "<@" not in unowned
    assert owned.startswith("🟢 *CLEARED*")
    assert "<@U0ANN>" in owned


def test_firing_alerts_come_before_cleared_ones() -> None:
    both = [alert(line="Resolved prod · a", cleared_at=NOW), alert(2, line="PAGE prod · b")]

    assert summary(incident(), both) == "prod · b since 11:55 UTC"


def test_without_an_alert_the_title_is_what_is_wrong() -> None:
    assert message(incident(), [])[0] == "🔴 No ingest since 11:55 UTC · prod"


def test_the_message_names_who_is_paged_and_who_is_next() -> None:
    text = str(message(incident(due_at=NOW + FIVE))[1])

    assert "📟 paged ann <!date^" in text
    assert "next ben <!date^" in text
    assert "called" not in str(message(acknowledged())[1])


def test_the_next_level_that_pages_the_same_person_says_again() -> None:
    alone = replace(CHAIN, levels=(CHAIN.levels[0], replace(CHAIN.levels[0], name="secondary")))

    assert "next ann again <!date^" in str(message(incident(due_at=NOW + FIVE), chain=alone)[1])


def test_an_incident_names_problems_of_the_on_call_schedule() -> None:
    assert "level 1 (primary) has no one" in str(
        message(incident(), chain=Chain(notes=("level 1 (primary) has no one on call",)))[1]
    )
    assert "no approver" in str(message(incident(), chain=Chain())[1])


@pytest.mark.parametrize(
    ("one", "alerts", "expected"),
    [
        (incident(), [alert()], ["Acknowledge", "Restart ingest", "Roll back…", "…"]),
        (incident(fingerprint="deployments.ingest"), [alert()], ["Acknowledge", "Deployments", "Roll back…", "…"]),
        (acknowledged(), [alert()], ["Restart ingest", "Roll back…", "Resolve…", "…"]),
        (incident(deployed_at=DEPLOYED), [alert()], ["Acknowledge", "Roll back…", "Restart ingest", "…"]),
        (
            acknowledged(remedy="rollback ingest to 8d02b64e", deployed_at=DEPLOYED),
            [alert()],
            ["Roll back to 8d02b64e", "Restart ingest", "Resolve…", "…"],
        ),
        (
            acknowledged(remedy="restart ingest", deployed_at=DEPLOYED),
            [alert()],
            ["Roll back…", "Restart ingest", "Resolve…", "…"],
        ),
        (incident(cleared_at=NOW), [alert(cleared_at=NOW)], ["Resolve…", "Health", "…"]),
        (incident(services=()), [], ["Acknowledge", "Health", "Queue", "…"]),
        (resolved(), [alert()], ["Timeline", "Draft postmortem", "Postmortem"]),
    ],
)
def test_three_buttons_fit_what_is_wrong_and_the_rest_is_in_the_menu(
    one: Incident, alerts: list[JoinedAlert], expected: list[str]
) -> None:
    assert labels(message(one, alerts)[1]) == expected


@pytest.mark.parametrize(
    ("before", "first", "style"),
    [
        (timedelta(minutes=30), "Roll back…", None),
        (timedelta(minutes=30, seconds=1), "Restart ingest", None),
        (RAN_WELL + timedelta(seconds=1), "Roll back…", None),
        (RAN_WELL, "Roll back…", "primary"),
        (timedelta(), "Roll back…", "primary"),
        (timedelta(seconds=-1), "Restart ingest", None),
        (None, "Restart ingest", None),
    ],
)
def test_a_rollback_comes_first_for_half_an_hour_after_a_deploy_and_is_green_for_minutes(
    before: timedelta | None, first: str, style: str | None
) -> None:
    deployed_at = None if before is None else NOW - FIVE - before

    row = message(acknowledged(deployed_at=deployed_at))[1][-2]["elements"]

    assert (row[0]["text"]["text"], row[0].get("style")) == (first, style)


@pytest.mark.parametrize("fingerprint", ["backlog.ingest", "failure_rate.ingest", "database.ingest"])
def test_a_deploy_just_made_makes_no_read_green(fingerprint: str) -> None:
    one = acknowledged(fingerprint=fingerprint, deployed_at=NOW - FIVE)

    row = [*message(one)[1][-2]["elements"], *owner_buttons(one, [alert()])]

    assert [button.get("style") for button in row] == [None] * len(row)


def test_a_deploy_is_reported_by_the_fact_and_not_by_the_words_of_the_line() -> None:
    assert labels(message(acknowledged(), [alert(line=FULL)])[1])[0] == "Restart ingest"


@pytest.mark.parametrize(
    ("diagnosis", "remedy", "expected"),
    [
        (None, None, [("Roll back…", None), ("Restart ingest", None)]),
        ("d", "rollback ingest to 8d02b64e", [("Roll back to 8d02b64e", "primary"), ("Restart ingest", None)]),
        ("d", "restart ingest", [("Roll back…", None), ("Restart ingest", "primary")]),
        ("The database is gone", None, [("Roll back…", None), ("Restart ingest", None)]),
    ],
)
def test_incident_buttons_keep_their_places_for_any_diagnosis(
    diagnosis: str | None, remedy: str | None, expected: list[tuple[str, str | None]]
) -> None:
    found = acknowledged(diagnosis=diagnosis, remedy=remedy, deployed_at=DEPLOYED)

    row = message(found)[1][-2]["elements"]

    assert [(one["text"]["text"], one.get("style")) for one in row[:2]] == expected


def test_incident_buttons_keep_their_places_for_any_order_of_alerts() -> None:
    opened = incident(fingerprint="restarts.ingest", deployed_at=DEPLOYED)
    other = alert(2, fingerprint="deployments.ingest")

    rows = [labels(message(opened, alerts)[1]) for alerts in ([alert()], [alert(), other], [other, alert()], [other])]

    assert rows == [["Acknowledge", "Roll back…", "Restart ingest", "…"]] * 4


TWO_STEPS = ("backlog.ingest", "failure_rate.ingest", "database.ingest", "deployments.ingest", "grants.ingest")


@pytest.mark.parametrize("make", [incident, acknowledged])
@pytest.mark.parametrize("fingerprint", TWO_STEPS)
@pytest.mark.parametrize("remedy", ["rollback ingest to 8d02b64e", "restart ingest"])
def test_a_remedy_that_no_button_stands_for_comes_last_and_moves_none(
    make: Callable[..., Incident], fingerprint: str, remedy: str
) -> None:
    before = message(make(fingerprint=fingerprint))[1][-2]["elements"]
    after = message(make(fingerprint=fingerprint, diagnosis="d", remedy=remedy))[1][-2]["elements"]

    same_verb = [n for n, one in enumerate(before) if one.get("value", "").split(" ")[0] == remedy.split()[0]]
    at = same_verb[0] if same_verb else len(before)
    assert (after[at]["value"], after[at]["style"]) == (remedy, "primary")
    kept = [one["action_id"].split(".")[0] + one.get("value", "menu") for one in before]
    assert [one["action_id"].split(".")[0] + one.get("value", "menu") for one in after if one is not after[at]] == [
        one for n, one in enumerate(kept) if n not in same_verb
    ]


@pytest.mark.parametrize("make", [incident, acknowledged])
def test_a_remedy_found_before_the_incident_was_calm_is_offered_when_it_fires_again(
    make: Callable[..., Incident],
) -> None:
    one = make(fingerprint="backlog.ingest", diagnosis="d", remedy="rollback ingest to 8d02b64e")
    calm = alert(
        line="dev · ingest 1 of 1 alive · fine since 08:03 UTC, watched until 08:33 UTC because it fired again before"
    )

    assert "Roll back to 8d02b64e" not in labels(message(one, [calm])[1])
    assert labels(message(one, [alert()])[1])[-1] == "Roll back to 8d02b64e"


def test_the_owners_buttons_keep_their_places_and_what_is_found_later_comes_last() -> None:
    before = owner_buttons(acknowledged(), [alert()])
    after = owner_buttons(acknowledged(diagnosis="d", remedy="rollback ingest to 8d02b64e"), [alert()])

    kept = [button["text"]["text"] for button in before]
    assert [button["text"]["text"] for button in after] == [*kept, "Roll back to 8d02b64e"]
    assert after[-1]["style"] == "primary"


def test_the_owners_buttons_keep_their_places_where_the_rule_has_no_step() -> None:
    before = owner_buttons(acknowledged(fingerprint="unknown.ingest"), [alert()])
    after = owner_buttons(acknowledged(fingerprint="unknown.ingest", diagnosis="d", remedy="restart ingest"), [alert()])

    assert [one["value"] for one in after] == [*(one["value"] for one in before), "restart ingest"]


def test_the_menu_loses_its_last_entry_only_when_an_alert_is_over() -> None:
    firing = menu(message(incident(), [alert()])[1])
    over = menu(message(incident(), [alert(cleared_at=NOW)])[1])

    assert firing[:-1] == over


def test_the_first_step_is_primary_when_the_diagnosis_found_it() -> None:
    row = message(incident(remedy="rollback ingest to 8d02b64e", deployed_at=DEPLOYED))[1][-2]["elements"]

    assert [one.get("style") for one in row[:3]] == ["primary", "primary", None]
    assert row[1]["value"] == "rollback ingest to 8d02b64e"


def test_the_menu_has_what_the_buttons_lack() -> None:
    assert menu(message(incident())[1]) == [
        "incident resolve 7",
        "incident escalate 7",
        "ask",
        "stop-workers ingest",
        "silence heartbeats.ingest 1h incident 7",
    ]
    assert menu(message(acknowledged())[1])[0] == "incident ack 7"
    assert "stop-workers api" not in menu(message(incident(services=(Service.API,)))[1])


def test_a_direct_message_has_its_two_buttons() -> None:
    text, blocks = direct_message(incident(), [alert()], PAGES[0], "dragonfly-incidents")

    assert text.startswith("🔴 ingest is down (0 of 2)")
    assert labels(blocks) == ["Acknowledge", "Escalate", "Open the thread"]
    assert "#dragonfly-incidents" in str(blocks)


def test_direct_message_shows_the_assignee_the_next_steps() -> None:
    text, blocks = direct_message_after(acknowledged(), [alert()], ANN.user_id)

    assert "ACKNOWLEDGED" in text
    assert "*You're assigned.*" in str(blocks)
    assert labels(blocks) == ["Restart ingest", "Logs of ingest", "Resolve…", "Open the thread"]
    over = direct_message_after(acknowledged(cleared_at=NOW), [alert(cleared_at=NOW)], ANN.user_id)[1]
    assert labels(over) == ["Resolve…", "Health", "Open the thread"]


@pytest.mark.parametrize(
    ("one", "words", "shown"),
    [
        (acknowledged(), "<@U0ANN> is assigned.", ["Open the thread"]),
        (resolved(), "No action", ["Open the thread"]),
        (incident(), "assigned yet", ["Acknowledge", "Open the thread"]),
    ],
)
def test_the_other_paged_people_see_who_acknowledged(one: Incident, words: str, shown: list[str]) -> None:
    _, blocks = direct_message_after(one, [alert()], BEN.user_id)

    assert words in str(blocks)
    assert labels(blocks) == shown


def test_a_page_mentions_its_people_and_names_the_reason() -> None:
    text, blocks = paged_message(PageSent(7, 2, 1, "no answer", NOW), CHAIN.levels[1])
    first, _ = paged_message(PAGES[0], CHAIN.levels[1])

    assert text.startswith("📟 <@U0BEN> *Level 2* (secondary)")
    assert text.endswith(": no answer")
    assert blocks[1]["elements"][0]["text"] == "also ben by pager"
    assert first.startswith("📟 <@U0BEN> *Level 1* (secondary)")
    assert PAGES[0].reason not in first


@pytest.mark.parametrize(("fingerprint", "is_listed"), [("crash_loop.ingest", False), ("backlog.ingest", True)])
def test_incident_does_not_list_an_alert_of_the_same_outage_again(fingerprint: str, is_listed: bool) -> None:
    other = alert(2, fingerprint=fingerprint, line="PAGE prod · something else")

    assert ("something else" in str(message(incident(), [alert(), other])[1])) is is_listed


def test_reminder_asks_the_assignee_or_everyone() -> None:
    assigned, _ = reminder(acknowledged(), "nothing happened for 30 min")

    assert assigned.startswith("⏰ <@U0ANN>")
    assert "incident 7" in assigned
    assert "nothing happened for 30 min" in assigned
    assert "have cleared" in reminder(incident(cleared_at=NOW), "x")[0]
    assert "not acknowledged" in reminder(incident(), "x")[0]


EVENT = IncidentEvent(7, NOW, "opened", None, "opened: PAGE prod")
MARKED = IncidentEvent(7, NOW + FIVE, "marked", BEN, "it was the pool", "C1", "1.2")


def record(one: Incident, *events: IncidentEvent) -> IncidentRecord:
    return IncidentRecord(one, (alert(),), tuple(PAGES), events)


def test_the_timeline_reports_who_did_what_and_what_was_marked() -> None:
    text = timeline_answer(record(incident(), EVENT, MARKED)).text

    assert EVENT.text in text
    assert "📌 <@U0BEN> it was the pool" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "opened: PAGE prod · ingest is down (0 of 2), last 6 min ago · 318 waiting",
            "opened: ingest is down (0 of 2)",
        ),
        ("also firing: PAGE prod · api does not answer · DB ok", "also firing: api does not answer"),
        ("opened: PAGE prod", "opened: PAGE prod"),
        ("opened: ingest is down", "opened: ingest is down"),
    ],
)
def test_a_line_stored_by_a_former_version_is_shown_as_one_short_line(text: str, shown: str) -> None:
    stored = replace(EVENT, text=text)
    story = record(incident(), stored)

    assert timeline_answer(story).text.endswith(shown)
    assert f" {shown}\n" in postmortem(story, {})


def test_a_recovered_alert_is_not_red_and_comes_after_firing_ones() -> None:
    calm = alert(2, line=CALM_LINE)

    shown, blocks = message(acknowledged(), [calm, alert()])
    assert "ingest is down" in shown
    assert "1 of 1 alive" not in str(blocks)
    shown, blocks = message(acknowledged(diagnosis="ingest crashes at start"), [alert(line=CALM_LINE), calm])
    assert shown.startswith("🟢")
    assert "🔴" not in str(blocks)
    assert "crashes" not in str(blocks)


def test_an_incident_shows_a_persons_words_in_full() -> None:
    marked = replace(MARKED, text="I saw: PAGE prod · ingest is down · 318 waiting")

    assert "318 waiting" in timeline_answer(record(incident(), marked)).text


def test_a_long_timeline_shows_its_end_and_counts_the_rest() -> None:
    answer = timeline_answer(record(incident(), *[EVENT] * 100))

    assert "40 earlier lines in `incident export 7`" in str(answer.blocks)


def test_the_list_has_what_is_open_first() -> None:
    answer = incidents_answer([resolved(), incident()], now=NOW)

    assert answer.text.splitlines()[0] == "🔴 *1 incident open*"
    assert "incident 7, SEV1" in answer.text
    assert answer.status is Status.FAIL
    assert incidents_answer([resolved()], now=NOW).status is Status.OK


# The postmortem


def test_the_postmortem_has_the_four_times() -> None:
    ended = resolved(first_acknowledged_at=NOW + FIVE, cleared_at=NOW + FIVE)

    text = postmortem(record(ended, EVENT, MARKED), {BEN.user_id: "Ben Osei"})

    for line in (
        "| began | unknown, first seen 2026-11-23 11:55 UTC |",
        "| time to detect | unknown, at least 5 min |",
        "| time to acknowledge | 5 min |",
        "| time to mitigate | 10 min |",
        "| time to resolve | 15 min |",
        "| people paged | 1 time, up to level 1 |",
        "| services | ingest |",
    ):
        assert line in text.splitlines()
    assert "a bad deploy" in text
    assert "- 2026-11-23 12:05 (marked) Ben Osei it was the pool" in text


def test_the_postmortem_detects_from_the_last_heartbeat() -> None:
    began = IncidentEvent(7, NOW - TEN, "began", None, "last heartbeat of ingest")

    text = postmortem(record(resolved(cleared_at=NOW + FIVE), began, EVENT), {})

    for line in (
        "| began | 2026-11-23 11:50 UTC (last heartbeat of ingest) |",
        "| time to detect | 10 min |",
        "| time to mitigate | 15 min |",
        "| time to resolve | 20 min |",
    ):
        assert line in text.splitlines()


def test_the_postmortem_does_not_call_its_own_first_sight_a_detection() -> None:
    text = postmortem(record(resolved(since=NOW), EVENT), {})

    assert "| time to detect | unknown |" in text.splitlines()


def test_postmortem_says_unknown_user_when_slack_has_no_name() -> None:
    text = postmortem(record(resolved(), MARKED), {})

    assert "(marked) an unknown user it was the pool" in text
    assert BEN.user_id not in text


def test_postmortem_leaves_unknown_times_unknown() -> None:
    text = postmortem(record(incident(), EVENT), {})

    assert "| time to acknowledge | not acknowledged |" in text
    assert "| time to mitigate | unknown" in text
    assert "| time to resolve | not resolved yet |" in text


def test_no_markup_comes_out_of_the_postmortem() -> None:
    text = postmortem(
        record(resolved(title=EVIL, cause="# Big\n\n| a |"), IncidentEvent(7, NOW, "marked", ANN, EVIL, "C1", "1")),
        {ANN.user_id: EVIL},
    )

    assert "<!channel>" not in text
    assert "](https" not in text
    assert "\n# Big" not in text
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text


def test_the_postmortem_is_a_file() -> None:
    answer = postmortem_answer(record(resolved(), EVENT), {})

    assert answer.file is not None
    assert answer.file.name == "incident-7.md"


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
def test_slack_accepts_incident_messages_with_hostile_content(method: str) -> None:
    alerts = [alert(n, line=EVIL) for n in range(40)]
    states = [incident(title=EVIL), acknowledged(title=EVIL), resolved(title=EVIL, cause=EVIL)]
    contents: list[Any] = [message(one, some) for one in states for some in ([], alerts)]
    contents += [
        direct_message(states[0], alerts, PAGES[0], EVIL),
        *(direct_message_after(one, alerts, ANN.user_id) for one in states),
    ]
    contents += [paged_message(PageSent(7, 1, 0, EVIL, NOW), CHAIN.levels[0]), reminder(states[1], EVIL)]
    events = [IncidentEvent(7, NOW, "marked", ANN, EVIL, "C1", str(n)) for n in range(200)]
    for answer in (timeline_answer(record(states[2], *events)), incidents_answer(states * 7, now=NOW + TEN)):
        contents.append((answer.text, list(answer.blocks)))

    found = [
        violation
        for text, blocks in contents
        for violation in violations({"text": text, "blocks": blocks}, surface="message", method=method)
    ]

    assert found == []


def test_the_picture_of_an_incident_stands_below_its_buttons_once_it_is_over() -> None:
    hour = [{"type": "header"}]

    def blocks(one: Incident, picture: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return incident_message(one, [alert()], PAGES, CHAIN, (), picture)[1]

    for over in (resolved(), incident(cleared_at=NOW), acknowledged(cleared_at=NOW)):
        plain = blocks(over, [])
        assert blocks(over, hour) == [*plain[:-1], *hour, plain[-1]]  # no button moves
    for still in (incident(), acknowledged()):
        assert blocks(still, hour) == blocks(still, [])
