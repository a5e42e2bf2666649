"""Keys of deliveries: the same for repeated payloads, and no other."""

from __future__ import annotations

from typing import Any

from bot.slack.request_origin import delivery_key


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


def mention(event_id: str = "Ev1", **more: Any) -> dict[str, Any]:
    return {"event_id": event_id, "event": {"type": "app_mention", "channel": "C1", "ts": "5.0", **more}}


def test_delivery_key_is_the_same_for_every_event_of_a_message() -> None:
    keys = {delivery_key(mention(event_id)) for event_id in ("Ev1", "Ev2")} | {
        delivery_key(mention("Ev3", subtype="thread_broadcast"))
    }

    assert keys == {"message:C1:5.0"}


def test_another_message_or_channel_is_another_command() -> None:
    bodies = [mention(), mention(ts="5.1"), mention(channel="C2")]

    assert len({delivery_key(body) for body in bodies}) == 3


def test_each_edit_is_answered_once() -> None:
    first, again, second = (
        mention(name, edited={"user": "U1", "ts": ts}) for name, ts in zip("abc", "667", strict=True)
    )

    assert delivery_key(first) == delivery_key(again)
    assert len({delivery_key(mention()), delivery_key(first), delivery_key(second)}) == 3
