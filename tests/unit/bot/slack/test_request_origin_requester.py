"""The requester of a payload, and the place of the answer."""

from __future__ import annotations

import pytest

from bot.slack.payloads import Payload
from bot.slack.request_origin import RequestOrigin, delivery_key, read_request_origin
from bot.types import Surface


def request_origin(body: Payload) -> RequestOrigin:
    found = read_request_origin(body)
    assert found is not None
    return found


def test_command_is_answered_in_its_channel() -> None:
    found = request_origin(
        {"command": "/d", "user_id": "U1", "team_id": "T1", "channel_id": "C1", "response_url": "http://r"}
    )

    assert (found.surface, found.channel_id, found.thread_ts) == (Surface.SLASH, "C1", None)
    assert found.response_url == "http://r"


def test_mention_is_answered_in_its_thread() -> None:
    event = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "5.0"}

    assert request_origin({"team_id": "T1", "event": event}).thread_ts == "5.0"
    assert request_origin({"team_id": "T1", "event": {**event, "thread_ts": "4.0"}}).thread_ts == "4.0"


def test_button_is_answered_below_its_message() -> None:
    body = {
        "user": {"id": "U1"},
        "team": {"id": "T1"},
        "channel": {"id": "C1"},
        "container": {"type": "message", "message_ts": "5.0", "channel_id": "C1"},
    }

    assert request_origin(body).thread_ts == "5.0"


def test_button_of_a_reply_was_pressed_in_its_thread_and_that_of_the_first_message_perhaps_not() -> None:
    user = {"id": "U1", "team_id": "T1"}
    for message, in_thread in (("5.0", True), ("4.0", False)):
        container = {"message_ts": message, "channel_id": "C1", "thread_ts": "4.0"}

        assert request_origin({"user": user, "container": container}).in_thread is in_thread


def test_button_of_an_ephemeral_message_opens_no_thread() -> None:
    container = {"message_ts": "5.0", "channel_id": "C1", "is_ephemeral": True}

    assert request_origin({"user": {"id": "U1", "team_id": "T1"}, "container": container}).thread_ts is None


def test_home_tab_has_no_channel() -> None:
    event = {"type": "app_home_opened", "user": "U1", "channel": "D1", "tab": "home"}

    assert request_origin({"team_id": "T1", "event": event}).home
    assert request_origin(
        {"user": {"id": "U1"}, "team": {"id": "T1"}, "container": {"type": "view", "view_id": "V1"}}
    ).home


def test_event_of_no_one_has_no_requester() -> None:
    assert read_request_origin({"event": {"type": "channel_rename"}}) is None


@pytest.mark.parametrize(
    "body",
    [
        {"command": "/dragonfly", "user_id": "U1", "team_id": "T1", "channel_id": "C1", "trigger_id": "1.2"},
        {
            "event": {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1.0"},
            "team_id": "T1",
            "event_id": "E1",
        },
        {
            "user": {"id": "U1"},
            "team": {"id": "T1"},
            "container": {"message_ts": "5.0", "channel_id": "C1"},
            "actions": [{"action_id": "run.ask_again", "action_ts": "6.0"}],
        },
        {"type": "view_submission", "user": {"id": "U1", "team_id": "T1"}, "trigger_id": "1.3", "view": {}},
    ],
    ids=["command", "mention", "button", "modal"],
)
def test_request_names_its_delivery_so_that_it_files_one_run(body: Payload) -> None:
    assert request_origin(body).request.delivery == delivery_key(body) is not None
