"""Lines without their reason or text open a modal; complete lines do not."""

import pytest

from bot.slack.payloads import prompt_for, quoted_words
from bot.types import Surface
from services.domain.message_origin import MessageOrigin
from services.sandbox.slack.limits import violations


@pytest.mark.parametrize(
    ("line", "service"), [("stop-workers", "workers"), ("stop-workers ingest", "ingest"), ("Stop workers", "workers")]
)
def test_a_stop_without_a_reason_is_asked_for_one(line: str, service: str) -> None:
    prompt = prompt_for(line, Surface.SLASH, channel="C1")

    assert prompt is not None
    assert prompt.line == f"stop-workers {service} <reason>"
    assert service in prompt.modal["blocks"][0]["text"]["text"]


@pytest.mark.parametrize(
    "line",
    ["", "health", "stop-workers ingest doubled rows", "stop-workers --dry-run", "stop-workers api", "stopworkers"],
)
def test_other_lines_open_no_modal(line: str) -> None:
    assert prompt_for(line, Surface.SLASH, channel="C1") is None


@pytest.mark.parametrize(
    ("line", "callback_id"),
    [
        ("incident open", "incident.open"),
        ("incident resolve 7", "incident.resolve"),
        ("Incident Resolve #7", "incident.resolve"),
    ],
)
def test_incident_line_without_its_text_opens_a_modal(line: str, callback_id: str) -> None:
    prompt = prompt_for(line, Surface.BUTTON, channel="C1")

    assert prompt is not None
    assert prompt.modal["callback_id"] == callback_id
    assert violations(prompt.modal, surface="modal") == []


@pytest.mark.parametrize(
    "line", ["incident open no ingest", "incident resolve 7 a wrong limit", "incident resolve", "incident ack 7"]
)
def test_complete_incident_line_opens_no_modal(line: str) -> None:
    assert prompt_for(line, Surface.SLASH, channel="C1") is None


def test_quoted_words_name_people_and_leave_out_our_own_mark() -> None:
    origin = MessageOrigin("prod", "🟥 prod")
    names = {"U0BEN": "Ben Osei", "S0APPROVERS": "@dragonfly-approvers"}
    message = {"text": "🟥 prod *primary*: <@U0BEN> asks <!subteam^S0APPROVERS> and <@U0NOBODY>"}

    words = quoted_words(message, 100, origin, lambda slack_id: names.get(slack_id, ""))

    assert words == "primary: @Ben Osei asks @dragonfly-approvers and @U0NOBODY"
