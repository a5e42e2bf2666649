"""Mentions that the bot answers, and the words in them that are the command."""

from __future__ import annotations

from typing import Any

import pytest

from bot.slack.request_origin import NOT_SPEECH, Mention, read_mention

BOT = "U0BOT"


def event(text: str = f"<@{BOT}> ack", **more: Any) -> dict[str, Any]:
    return {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "5.0", "text": text, **more}


@pytest.mark.parametrize(
    "subtype", [None, "thread_broadcast", "me_message", "file_share", "something_that_slack_invents_next"]
)
def test_read_mention_accepts_every_kind_of_message_by_a_person(subtype: str | None) -> None:
    found = read_mention(event(subtype=subtype) if subtype else event(), BOT)

    assert found == Mention(" ack")


@pytest.mark.parametrize("subtype", NOT_SPEECH)
def test_read_mention_ignores_system_events(subtype: str) -> None:
    assert read_mention(event(subtype=subtype), BOT) is None


def test_every_kind_that_is_left_out_has_its_reason() -> None:
    assert all(reason.strip() for reason in NOT_SPEECH.values())
    assert not {"thread_broadcast", "me_message", "file_share"} & set(NOT_SPEECH)


def test_a_program_is_not_answered() -> None:
    assert read_mention(event(bot_id="B1"), BOT) is None
    assert read_mention(event(bot_id="B1", subtype="file_share"), BOT) is None


@pytest.mark.parametrize(
    ("text", "line", "before"),
    [
        (f"<@{BOT}> ack", "ack", ""),
        (f"<@{BOT}|dragonfly> ack", "ack", ""),
        (f"<@{BOT}>ack", "ack", ""),
        (f"<@U2> I have it. <@{BOT}> ack", "ack", "<@U2> I have it."),
        (f"<@U2> <@U3> <@{BOT}> oncall override <@U2> 2h", "oncall override <@U2> 2h", "<@U2> <@U3>"),
        (f"queue <@{BOT}>", "", "queue"),
        (f"<@{BOT}> queue <@{BOT}>", "queue", ""),
        (f"<@{BOT}>", "", ""),
    ],
)
def test_words_after_the_bot_s_own_mention_are_for_it(text: str, line: str, before: str) -> None:
    found = read_mention(event(text), BOT)

    assert found is not None
    assert (found.line.strip(), found.before.strip()) == (line, before)


def test_before_slack_reported_who_we_are_any_mention_counts() -> None:
    found = read_mention(event("<@U2> ack"), None)

    assert found == Mention(" ack")


def test_an_edited_message_is_an_edit() -> None:
    found = read_mention(event(edited={"user": "U1", "ts": "6.0"}), BOT)

    assert found == Mention(" ack", is_edit=True)
