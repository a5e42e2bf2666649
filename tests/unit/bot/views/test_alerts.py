"""The message of an alert: its first line on a phone, its buttons, and its link to the runbook."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.commands.parsing import split_words
from bot.commands.registry import find
from bot.config.alerts import RULES
from bot.config.alerts_file import default_rules
from bot.slack.payloads import command_line
from bot.types import Surface
from bot.views.alerts import (
    Guide,
    Surroundings,
    alert_buttons,
    alert_message,
    disabled,
    end_line,
    notice,
    page_line,
)
from services.domain.alerts import Alert, AlertState, Severity
from services.domain.jobs import QueueSnapshot
from services.domain.people import Person
from services.domain.phone_lines import PHONE_LIMIT, shown_width
from services.domain.services import Service
from services.domain.systems import RUNBOOK as OUR_SYSTEM
from tests.runbook import RUNBOOK, needs_runbook
from tests.unit.bot.alerts.builders import alert, silence

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
GUIDE = Guide({"heartbeats": "Step 3: Worker Heartbeat Check", "deployments": "Deployment Verification"}, "", 20)
STALE = alert(title="ingest is down (0 of 2)", detail="last beat 6 min ago, worker dead: Railway runs 0 of 2; 2 stale")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def surroundings(deploy: str = "deploy a1b2c3d4 CRASHED 02:46 UTC (commit by Ann)") -> Surroundings:
    return Surroundings(
        "prod", QueueSnapshot(NOW, 318, ago(9), 0, 0, 0), {Service.INGEST: deploy, Service.API: "other"}
    )


def shown(*alerts: Alert, **more: Any) -> tuple[str, str]:
    """The text of the message, and its blocks as one string."""
    text, blocks = alert_message(alerts, (), GUIDE, **more)
    return text, str(blocks)


def buttons_of(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [element for block in blocks if block["type"] == "actions" for element in block["elements"]]


def test_the_page_line_is_the_answer() -> None:
    assert page_line(STALE, surroundings()) == (
        "PAGE prod · ingest is down (0 of 2), last beat 6 min ago, worker dead: Railway runs 0 of 2"
        " · deploy a1b2c3d4 CRASHED 02:46 UTC (commit by Ann) · 318 waiting, oldest since 02:51 UTC · DB ok"
    )


def test_a_notification_is_short() -> None:
    quiet = alert(severity=Severity.NOTIFY, title="ingest 1 of 2 alive")

    assert page_line(quiet, surroundings()) == "prod · ingest 1 of 2 alive"


def test_page_line_reports_unknown_facts_or_leaves_them_out() -> None:
    line = page_line(STALE, Surroundings(None))

    assert line.startswith("PAGE environment unknown · ingest")
    assert line.endswith("queue unknown")


def test_the_end_reports_what_is_so_now() -> None:
    assert end_line(alert(title="ingest 2 of 2 alive"), "prod") == "Resolved prod · ingest 2 of 2 alive"


@pytest.mark.parametrize(
    ("more", "beginning"),
    [
        ({}, "🔴 PAGE prod · ingest"),
        ({"severity": Severity.NOTIFY, "line": "prod · ingest"}, "🟠 prod · ingest"),
        ({"held": "silence 5: we know"}, "🔕 Silenced prod · ingest"),
        ({"fires": 2, "fine_since": NOW}, "🟡 Recovering prod · ingest"),
    ],
)
def test_the_first_word_reports_how_it_stands(more: dict[str, Any], beginning: str) -> None:
    text, _ = shown(alert(**more))

    assert text.startswith(beginning)


def test_a_resolved_alert_has_no_buttons() -> None:
    over = alert(AlertState.RESOLVED, since_s=420, line="Resolved prod · ingest 2 of 2 alive")

    text, blocks = shown(over)

    assert text.startswith("🟢 Resolved prod · ingest 2 of 2")
    assert "lasted 7 min" in blocks
    assert "actions" not in blocks


def test_several_alerts_share_a_message_the_most_urgent_first() -> None:
    over = alert(AlertState.RESOLVED, id=1, title="api ok")
    quiet = alert(id=2, severity=Severity.NOTIFY, title="3 orphaned jobs", line="prod · 3 orphaned jobs")

    text, blocks = shown(over, quiet, alert(id=3))

    assert text.splitlines()[0] == "🔴 PAGE prod · ingest is down (0 of 1) since 02:59 UTC · and 1 more alert"
    assert blocks.index("ingest is down* (0 of 1)") < blocks.index("🟠 3 orphaned") < blocks.index("🟢 api ok")
    assert blocks.count("ingest is down* (0 of 1)") == 1


def test_a_first_line_too_long_for_a_phone_continues_below() -> None:
    line = page_line(STALE, surroundings())

    text, blocks = alert_message([replace(STALE, line=line)], (), GUIDE)

    first, *below = text.splitlines()
    assert first == "🔴 PAGE prod · ingest is down (0 of 2) since 02:59 UTC"
    assert below == [
        "last beat 6 min ago, worker dead: Railway runs 0 of 2",
        "deploy a1b2c3d4 CRASHED 02:46 UTC (commit by Ann)",
        "318 waiting, oldest since 02:51 UTC",
        "DB ok",
    ]
    assert blocks[0]["text"]["text"].startswith("🔴 *PAGE* prod · *ingest is down* (0 of 2) since <!date^")


@pytest.mark.parametrize("title", ["ingest is down (0 of 2)", "word " * 60, "w" * 300, "<!channel> & " * 20])
def test_alert_first_line_fits_a_phone_for_any_title(title: str) -> None:
    text, _ = alert_message([alert(title=title, line=f"PAGE production-of-somebody · {title}")], (), GUIDE)

    first = text.splitlines()[0]
    assert shown_width(first) <= PHONE_LIMIT
    assert first.endswith(" since 02:59 UTC")


def test_many_alerts_fit_into_a_message() -> None:
    text, blocks = alert_message([alert(id=n, title="x" * 300) for n in range(500)], (), GUIDE)

    assert "499 more" in text
    assert len(blocks) < 50


def test_a_silence_names_its_owner_its_end_and_its_reason() -> None:
    quiet = alert(held="silence 5: we know")

    _, blocks = alert_message([quiet], [silence(reason="<!channel>"), silence("api", reason="other")], GUIDE)

    assert "silenced by <@U1> until <!date^" in str(blocks)
    assert "<!channel>" not in str(blocks)
    assert "other" not in str(blocks)


def test_next_steps_are_two_buttons_and_a_menu() -> None:
    _, blocks = alert_message([STALE], (), GUIDE)

    restart, roll_back, menu = buttons_of(blocks)
    assert [restart["value"], roll_back["value"]] == ["restart ingest", "rollback ingest"]
    assert [option["value"] for option in menu["options"]] == [
        "logs ingest",
        "silence heartbeats.ingest 1h",
        "stop-workers ingest",
        "why heartbeats.ingest",
    ]


def test_an_acknowledged_alert_reports_who_has_it() -> None:
    text, everything = shown(STALE, owners={STALE.id: Person("U1", "T1")})

    assert text == "🟡 Acknowledged by <@U1> · prod · ingest is down (0 of 1) since 02:59 UTC"
    assert "restart ingest" in everything


def test_unowned_alerts_come_before_acknowledged_ones() -> None:
    text, _ = shown(
        STALE, alert(id=8, severity=Severity.NOTIFY, line="prod · 318 waiting"), owners={7: Person("U1", "T1")}
    )

    assert text.splitlines()[0] == "🟠 prod · 318 waiting since 02:59 UTC · and 1 more alert"


@pytest.mark.parametrize("more", [{"state": AlertState.RESOLVED}, {"held": "silenced"}])
def test_resolved_or_silenced_alert_is_not_shown_as_acknowledged(more: dict[str, Any]) -> None:
    text, _ = shown(alert(**more), owners={7: Person("U1", "T1")})

    assert "Acknowledged" not in text


def test_every_button_of_every_rule_is_a_command_that_there_is() -> None:
    for rule, service in itertools.product(RULES, [None, *OUR_SYSTEM.services]):
        made = alert_buttons(alert(rule=rule, fingerprint=rule, service=service))

        options = [option for one in made for option in one.get("options", ())]
        pressed = [one for one in made if "value" in one] + [{**made[-1], "selected_option": one} for one in options]
        assert 1 <= sum(one["type"] == "button" for one in made) <= 2, (rule, service)
        for line in map(command_line, pressed):
            assert line, (rule, service)
            assert "{" not in line, (rule, service)
            find(split_words(line, Surface.BUTTON))


def test_the_runbook_is_a_link_where_its_address_is_known() -> None:
    linked = Guide(GUIDE.sections, "https://x.test/runbook.md", 20)

    _, blocks = alert_message([STALE], (), linked)

    assert "<https://x.test/runbook.md#step-3-worker-heartbeat-check|Runbook: Step 3: Worker" in str(blocks)
    assert "Runbook: Step 3: Worker Heartbeat Check" in shown(STALE)[1]
    assert "https://" not in shown(STALE)[1]


@needs_runbook
def test_every_alert_links_to_a_heading_of_the_runbook() -> None:
    rules, anchors = default_rules().rules, {}
    for rule in RULES:
        guide = Guide({rule: rules.section(rule)}, "https://x.test/runbook.md", 20)
        _, blocks = alert_message([alert(rule=rule, fingerprint=rule)], (), guide)
        [anchors[rule]] = re.findall(r"<https://x\.test/runbook\.md#([^|]+)\|Runbook: ", str(blocks))

    there_are = _anchors(RUNBOOK.read_text(encoding="utf-8"))
    assert {rule: anchor for rule, anchor in anchors.items() if anchor not in there_are} == {}


def _anchors(markdown: str) -> set[str]:
    """GitHub's anchors of the headings: lower case, no punctuation, hyphens for spaces. Fails if two are equal."""
    prose = re.sub(r"^ *```.*?^ *```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#{1,6} (.+)$", prose, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(set(anchors)) == len(anchors)
    assert set(re.findall(r"\]\(#([^)]+)\)", markdown)) <= set(anchors)
    return set(anchors)


def test_an_alert_from_railway_names_the_polling_interval() -> None:
    assert "every 20 s" in shown(alert(rule="deployments"))[1]
    assert "every 20 s" in shown(STALE)[1]  # its detail quotes Railway
    assert "20 s" not in shown(alert())[1]


def test_hostile_words_page_no_one() -> None:
    hostile = alert(title="<!channel> *x*", line="PAGE prod · <!channel>")

    text, blocks = shown(hostile, alert(id=8, title="<@U9>"))

    assert "<!channel>" not in f"{text} {blocks}"
    assert "<@U9>" not in blocks
    assert notice("<!channel>", to="U1")[0] == "<@U1> &lt;!channel&gt;"


def test_disabled_settings_name_the_variables() -> None:
    text, _ = disabled([("RAILWAY_TOKEN", "is not set")], "dev")

    assert "`RAILWAY_TOKEN` is not set" in text
