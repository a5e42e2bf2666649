import asyncio
import json
from pathlib import Path

import pytest

from services.sandbox.slack.actor import typed_command, typed_message
from services.sandbox.slack.messages import MAX_PER_CHANNEL, MAX_WAITING, Change, ChangeKind, Changes, MessageStore
from services.sandbox.slack.model import ANN, BOT, GENERAL_ID, INCIDENTS_ID, OLIVIA, Message
from services.sandbox.slack.views import MAX_RESPONSES, RESPONSE_LIFETIME_S, TRIGGER_LIFETIME_S, TicketError, Tickets
from services.sandbox.slack.workspace import Workspace

NOW = 1_700_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def message(workspace: Workspace, text: str, *, thread_ts: str | None = None, visible_to: str | None = None) -> Message:
    posted = Message(INCIDENTS_ID, workspace.new_ts(), BOT.id, text, thread_ts=thread_ts, visible_to=visible_to)
    workspace.messages.add(posted)
    return posted


def test_timestamps_only_grow_even_when_the_clock_stands_still() -> None:
    workspace = Workspace(clock=Clock())

    stamps = [workspace.new_ts() for _ in range(3)]

    assert stamps == ["1700000000.000000", "1700000000.000001", "1700000000.000002"]


def test_each_person_sees_the_channel_and_their_own_ephemerals() -> None:
    workspace = Workspace()
    message(workspace, "ours")
    message(workspace, "mine", visible_to=OLIVIA.id)

    assert [m.text for m in workspace.messages_for(OLIVIA.id, INCIDENTS_ID)] == ["ours", "mine"]
    assert [m.text for m in workspace.messages_for(ANN.id, INCIDENTS_ID)] == ["ours"]
    assert workspace.messages_for(ANN.id, GENERAL_ID) == []


def test_replies_stand_in_their_thread_and_broadcast_ones_in_both() -> None:
    workspace = Workspace()
    first = message(workspace, "down")
    message(workspace, "looking", thread_ts=first.ts)
    workspace.messages.change(message(workspace, "resolved", thread_ts=first.ts), reply_broadcast=True)

    assert [m.text for m in workspace.messages_for(ANN.id, INCIDENTS_ID)] == ["down", "resolved"]
    assert [m.text for m in workspace.thread_for(ANN.id, INCIDENTS_ID, first.ts)] == ["down", "looking", "resolved"]


def test_a_removed_reply_leaves_its_thread() -> None:
    workspace = Workspace()
    first = message(workspace, "down")
    reply = message(workspace, "looking", thread_ts=first.ts)

    workspace.messages.remove(reply)

    assert workspace.thread_for(ANN.id, INCIDENTS_ID, first.ts) == [first]


def test_the_oldest_messages_go_when_a_channel_is_full() -> None:
    store = MessageStore(Changes())

    for number in range(MAX_PER_CHANNEL + 1):
        store.add(Message(INCIDENTS_ID, f"{number}.0", BOT.id))

    assert store.find(INCIDENTS_ID, "0.0") is None
    assert len(store.in_channel(INCIDENTS_ID)) == MAX_PER_CHANNEL


async def test_a_listener_gets_each_message_and_who_may_see_it() -> None:
    workspace = Workspace()

    with workspace.subscribe() as changes:
        posted = message(workspace, "mine", visible_to=OLIVIA.id)
        change = await changes.next_change()

    assert change == Change(ChangeKind.MESSAGE_POSTED, INCIDENTS_ID, posted.ts, None, OLIVIA.id)


async def test_a_slow_listener_is_reported_that_it_missed_something() -> None:
    changes = Changes()

    with changes.subscribe() as stream:
        for _ in range(MAX_WAITING + 1):
            changes.publish(Change(ChangeKind.CONNECTION))

        assert await stream.next_change() == Change(ChangeKind.MISSED)


def test_a_trigger_lives_three_seconds_and_works_once() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    in_time, late = tickets.new_trigger(ANN.id), tickets.new_trigger(ANN.id)

    clock.now = NOW + TRIGGER_LIFETIME_S
    assert tickets.use_trigger(in_time) == ANN.id
    with pytest.raises(TicketError, match="exchanged_trigger_id"):
        tickets.use_trigger(in_time)

    clock.now = NOW + TRIGGER_LIFETIME_S + 0.001
    with pytest.raises(TicketError, match="expired_trigger_id"):
        tickets.use_trigger(late)


def test_a_response_url_lives_half_an_hour_and_works_five_times() -> None:
    clock = Clock()
    tickets = Tickets(clock)
    used, late = tickets.new_response(ANN.id, INCIDENTS_ID), tickets.new_response(ANN.id, INCIDENTS_ID)

    clock.now = NOW + RESPONSE_LIFETIME_S
    for _ in range(MAX_RESPONSES):
        tickets.use_response(used)
    with pytest.raises(TicketError, match="used_url"):
        tickets.use_response(used)

    clock.now = NOW + RESPONSE_LIFETIME_S + 0.001
    with pytest.raises(TicketError, match="expired_url"):
        tickets.use_response(late)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("@dragonfly health", f"<@{BOT.id}> health"),
        (f"<@{BOT.id}> health", f"<@{BOT.id}> health"),
        ("in #general & <b>", f"in <#{GENERAL_ID}|general> &amp; &lt;b&gt;"),
        ("mail ann@ann.example #404", "mail ann@ann.example #404"),
        ("<!channel> @nobody", "&lt;!channel&gt; @nobody"),
    ],
)
def test_typed_message_is_escaped_and_known_names_become_ids(typed: str, stored: str) -> None:
    assert typed_message(Workspace(), typed) == stored


def test_a_command_names_people_beside_their_id() -> None:
    assert typed_command(Workspace(), "@ann") == f"<@{ANN.id}|ann>"


async def test_messages_and_homes_outlive_a_restart_but_ephemerals_do_not(tmp_path: Path) -> None:
    before = Workspace(tmp_path)
    await before.start()
    first = message(before, "down")
    message(before, "looking", thread_ts=first.ts)
    message(before, "mine", visible_to=OLIVIA.id)
    before.post(Message(before.direct_channel(ANN.id).id, before.new_ts(), BOT.id, "psst"))
    before.views.publish(ANN.id, {"type": "home", "blocks": []})
    await before.close()

    after = Workspace(tmp_path, clock=lambda: 0.0)
    await after.start()
    await after.close()

    assert [m.text for m in after.thread_for(OLIVIA.id, INCIDENTS_ID, first.ts)] == ["down", "looking"]
    assert [m.text for m in after.messages_for(OLIVIA.id, INCIDENTS_ID)] == ["down"]
    assert [m.text for m in after.messages_for(ANN.id, after.direct_channel(ANN.id).id)] == ["psst"]
    assert after.home_for(ANN.id) is not None
    assert after.new_ts() > first.ts


async def test_changes_are_saved_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.sandbox.slack.workspace.SAVE_AT_MOST_EVERY_S", 0.01)
    workspace = Workspace(tmp_path)
    await workspace.start()
    await asyncio.sleep(0)  # lets the saver begin to listen

    message(workspace, "down")

    async with asyncio.timeout(5):
        while not (tmp_path / "slack.json").exists():
            await asyncio.sleep(0.005)
    saved = json.loads((tmp_path / "slack.json").read_text())
    assert [each["text"] for each in saved["messages"]] == ["down"]
    await workspace.close()


async def test_a_damaged_file_is_set_aside_and_does_not_stop_the_demo(tmp_path: Path) -> None:
    (tmp_path / "slack.json").write_text('{"messages": [')
    workspace = Workspace(tmp_path)

    await workspace.start()
    await workspace.close()

    assert (tmp_path / "slack.damaged").read_text() == '{"messages": ['
