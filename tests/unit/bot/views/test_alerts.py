"""What a phone shows at 3 a.m."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.views.alerts import Surroundings, disabled, firing, resolved
from playbooks._contract import Finding, Status
from services.domain.deployments import Deployment, DeploymentStatus
from services.domain.jobs import QueueSnapshot
from services.domain.services import Service

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
FINDING = Finding("heartbeats.ingest", Status.FAIL, "ingest 0 of 2 beating", "last beat 6 min ago", Service.INGEST)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def surroundings(author: str = "Ann") -> Surroundings:
    deploy = Deployment("d1", DeploymentStatus.SUCCESS, ago(14), commit_sha="a1b2c3d4e5f6", author=author)
    return Surroundings("prod", QueueSnapshot(NOW, 318, ago(9), 0, 0, 0), deploy)


def test_first_line_is_the_answer() -> None:
    text, _ = firing(FINDING, surroundings(), as_of=NOW, since=NOW)

    assert text == (
        "🔴 PAGE prod · ingest 0 of 2 beating, last beat 6 min ago · 318 waiting, oldest 9 min · DB ok"
        " · last deploy a1b2c3d4 14 min ago by Ann"
    )


def test_next_steps_are_buttons() -> None:
    _, blocks = firing(FINDING, surroundings(), as_of=NOW, since=NOW)

    [row] = [block for block in blocks if block["type"] == "actions"]
    assert [button["value"] for button in row["elements"]] == ["heartbeats ingest", "logs ingest", "health"]


def test_what_is_not_known_is_said_or_left_out() -> None:
    text, _ = firing(FINDING, Surroundings(None), as_of=NOW, since=NOW)

    assert text.startswith("🔴 PAGE environment unknown · ingest")
    assert text.endswith("queue unknown")


def test_hostile_author_pages_nobody() -> None:
    text, blocks = firing(FINDING, surroundings("<!channel>"), as_of=NOW, since=NOW)

    assert "<!channel>" not in f"{text} {blocks}"


def test_resolved_message_has_no_buttons() -> None:
    text, blocks = resolved(FINDING, Surroundings("prod"), since=ago(7), at=NOW)

    assert text.startswith("🟢 Resolved prod")
    assert "lasted 7 min" in str(blocks)
    assert "actions" not in {block["type"] for block in blocks}


def test_disabled_settings_name_the_variables() -> None:
    text, _ = disabled([("RAILWAY_TOKEN", "is not set")], "dev")

    assert "`RAILWAY_TOKEN` is not set" in text
