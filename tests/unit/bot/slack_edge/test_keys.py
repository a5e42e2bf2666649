"""Which payloads are the same."""

from __future__ import annotations

from typing import Any

from bot.slack_edge.keys import delivery_key


def click(**more: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "team": {"id": "T1"},
        "user": {"id": "U1"},
        "trigger_id": "1.2.3",
        "container": {"message_ts": "10.1"},
        "actions": [{"action_id": "command.run.0", "action_ts": "11.1"}],
        **more,
    }


def test_event_is_known_by_its_id() -> None:
    assert delivery_key({"event_id": "Ev1", "event": {}}) == "event:Ev1"


def test_command_is_known_by_its_trigger() -> None:
    assert delivery_key({"command": "/dragonfly", "trigger_id": "1.2.3"}) == "trigger:1.2.3"


def test_click_stays_the_same_with_a_renewed_trigger() -> None:
    assert delivery_key(click()) == delivery_key(click(trigger_id="9.9.9"))


def test_second_click_person_or_message_is_another() -> None:
    others = [
        click(actions=[{"action_id": "command.run.0", "action_ts": "11.2"}]),
        click(user={"id": "U2"}),
        click(container={"message_ts": "10.2"}),
        click(actions=[{"action_id": "command.run.1", "action_ts": "11.1"}]),
    ]

    assert len({delivery_key(body) for body in [click(), *others]}) == 5


def test_payload_without_a_mark_has_no_key() -> None:
    assert delivery_key({"type": "event_callback"}) is None
