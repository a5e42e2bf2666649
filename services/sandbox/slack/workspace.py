"""The state of the local Slack, saved across restarts."""

import asyncio
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from services.sandbox.slack import model
from services.sandbox.slack.delivery import Delivery, Envelope, EnvelopeKind, NotDeliveredError, SocketMode
from services.sandbox.slack.faults import Faults
from services.sandbox.slack.messages import (
    Change,
    ChangeKind,
    Changes,
    FileStore,
    MessageStore,
    Subscription,
    file_json,
)
from services.sandbox.slack.model import Call, Channel, Json, Message, Refusal, View
from services.sandbox.slack.setup import AppSetup
from services.sandbox.slack.views import Tickets, ViewStore


def message_json(workspace: "Workspace", message: Message, *, with_metadata: bool = False) -> Json:
    shape: Json = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts}
    shape["team"] = workspace.team.id
    author = workspace.users.get(message.user)
    if author is not None and author.team_id:
        shape |= {"user_team": author.team_id, "source_team": author.team_id}
    optional = {
        "thread_ts": message.thread_ts,
        "blocks": message.blocks,
        "edited": message.edited,
        "bot_id": message.bot_id,
        "app_id": workspace.app_of(message).app.id if message.bot_id else None,
        "metadata": message.metadata if with_metadata else None,
        "reactions": [{"name": n, "users": u, "count": len(u)} for n, u in message.reactions.items()],
        "files": _files(workspace, message),
        "username": message.username,
    }
    shape |= {key: value for key, value in optional.items() if value}
    return shape | _thread_summary(workspace, message)


def _thread_summary(workspace: "Workspace", message: Message) -> Json:
    replies = [reply for reply in workspace.messages.replies(message.channel, message.ts) if reply.visible_to is None]
    if not replies:
        return {}
    users = list(dict.fromkeys(reply.user for reply in replies))
    counts = {"reply_count": len(replies), "reply_users": users, "reply_users_count": len(users)}
    return {"thread_ts": message.ts, "latest_reply": replies[-1].ts} | counts


def _files(workspace: "Workspace", message: Message) -> list[Json]:
    files = (workspace.files.find(file_id) for file_id in message.files)
    created = int(float(message.ts))
    return [file_json(file, created=created, base_url=workspace.base_url) for file in files if file]


VIEW_DEFAULTS: Json = {
    "private_metadata": "",
    "callback_id": "",
    "external_id": "",
    "clear_on_close": False,
    "notify_on_close": False,
    "submit": None,
    "close": None,
}


def view_json(workspace: "Workspace", view: View) -> Json:
    ids = {"id": view.id, "hash": view.hash, "root_view_id": view.root_id, "previous_view_id": view.previous_id}
    app = {"team_id": workspace.team.id, "app_id": workspace.app.id, "bot_id": workspace.bot_id}
    return VIEW_DEFAULTS | view.content | ids | app | {"state": {"values": view.state}}


RETRY_AFTER_S: tuple[float, ...] = (0.0, 60.0, 300.0)  # as Slack: almost at once, after 1 min, after 5 min


class Events:
    """Sends events to the app. `retry_after_s`: the pauses before redeliveries, which tests shorten."""

    def __init__(self, workspace: "Workspace") -> None:
        self.retry_after_s = RETRY_AFTER_S
        self._workspace = workspace

    def message_posted(self, message: Message) -> None:
        """Send `message`, and `app_mention` if it mentions the app. Ephemeral messages cause no event."""
        if message.visible_to is not None:
            return
        channel = self._workspace.channels[message.channel]
        shape = message_json(self._workspace, message) | {"channel": channel.id, "event_ts": message.ts}
        kind = "im" if channel.im_user else "channel"
        self._publish(
            f"message.{kind}s" if kind == "channel" else "message.im", shape | {"channel_type": kind}, channel
        )
        if f"<@{self._workspace.bot.id}>" in message.text and message.bot_id is None:
            self._publish("app_mention", shape | {"type": "app_mention"}, channel)

    def reaction_changed(self, message: Message, user: str, name: str, *, added: bool) -> None:
        kind = "reaction_added" if added else "reaction_removed"
        item: Json = {"type": "message", "channel": message.channel, "ts": message.ts}
        event: Json = {"type": kind, "user": user, "reaction": name, "item": item, "item_user": message.user}
        event["event_ts"] = self._workspace.new_ts()
        self._publish(kind, event, self._workspace.channels[message.channel])

    def home_opened(self, user: str) -> None:
        home = self._workspace.home_for(user)
        channel = self._workspace.direct_channel(user).id
        event: Json = {"type": "app_home_opened", "user": user, "channel": channel, "tab": "home"}
        event["event_ts"] = self._workspace.new_ts()
        if home is not None:
            event["view"] = view_json(self._workspace, home)
        self._publish("app_home_opened", event, None)

    def _publish(self, subscription: str, event: Json, channel: Channel | None) -> None:
        needs_bot = channel is not None and self._workspace.bot.id not in channel.members
        if subscription in self._workspace.subscribed_events and not needs_bot:
            is_shared = channel is not None and channel.is_ext_shared
            self._workspace.run(self.deliver(self._callback(event) | {"is_ext_shared_channel": is_shared}))

    async def deliver(self, payload: Json) -> bool:
        """Deliver with Slack's retries. True if the app accepted it in the end."""
        envelope = Envelope(EnvelopeKind.EVENT, payload)
        for pause_s in (*self.retry_after_s, None):
            try:
                await self._workspace.delivery.send(envelope)
            except NotDeliveredError as error:
                if pause_s is None or not error.may_retry:
                    return False
                await asyncio.sleep(pause_s)
                envelope = replace(envelope, retry_attempt=envelope.retry_attempt + 1, retry_reason=error.reason)
            else:
                return True
        return False

    def _callback(self, event: Json) -> Json:
        workspace = self._workspace
        authorization = {
            "enterprise_id": None,
            "team_id": workspace.team.id,
            "user_id": workspace.bot.id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
        return {
            "token": "local-verification-token",
            "team_id": workspace.team.id,
            "api_app_id": workspace.app.id,
            "event": event,
            "type": "event_callback",
            "event_id": "Ev" + secrets.token_hex(5).upper(),
            "event_time": int(workspace.clock()),
            "authorizations": [authorization],
            "is_ext_shared_channel": False,
        }


SAVE_AT_MOST_EVERY_S = 1.0
FILE_NAME = "slack.json"


class SavedWorkspace:
    def __init__(self, directory: Path, workspace: "Workspace") -> None:
        self._path = directory / FILE_NAME
        self._workspace = workspace

    def restore(self) -> None:
        """Read the file, if there is one. Fields that this version does not know are left out."""
        if not self._path.exists():
            return
        try:
            self._restore(json.loads(self._path.read_text()))
        except (ValueError, KeyError, TypeError):
            self._path.replace(self._path.with_suffix(".damaged"))  # the demo starts empty instead of failing

    def _restore(self, saved: Json) -> None:
        known = {field.name for field in fields(Message)}
        for values in saved["messages"]:
            message = Message(**{key: value for key, value in values.items() if key in known})
            if message.channel.startswith("D"):
                self._workspace.open_direct(message.channel)
            self._workspace.messages.restore(message)
            self._workspace.continue_after(message.ts)
        for values in saved["homes"]:
            self._workspace.views.homes[values["user"]] = View(**values)

    async def keep_saving(self) -> None:
        """Save shortly after changes, many changes at once."""
        with self._workspace.subscribe() as changes:
            async for _ in changes:
                await asyncio.sleep(SAVE_AT_MOST_EVERY_S)
                changes.clear()
                await self.save()

    async def save(self) -> None:
        """Write a new file and rename it, so that a crash leaves the old or the new one."""
        await asyncio.to_thread(self._write, self._snapshot())

    def _snapshot(self) -> Json:
        """The messages and Home tabs to save; no ephemeral messages, which real Slack loses on a reload too."""
        messages = [dict(vars(message)) for message in self._workspace.messages if message.visible_to is None]
        return {"messages": messages, "homes": [asdict(view) for view in self._workspace.views.homes.values()]}

    def _write(self, snapshot: Json) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(snapshot))
        beside.replace(self._path)


class Timestamps:
    """Timestamps of messages: Unix seconds with 6 decimals, each later than the one before."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_us = 0

    def new(self) -> str:
        self._last_us = max(int(self._clock() * 1_000_000), self._last_us + 1)
        return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"

    def continue_after(self, ts: str) -> None:
        seconds, _, micros = ts.partition(".")
        self._last_us = max(self._last_us, int(seconds) * 1_000_000 + int(micros or 0))


MAX_CALLS = 10_000
MAX_REFUSALS = 200
SUBSCRIBED_EVENTS = frozenset(
    {"app_mention", "app_home_opened", "message.channels", "message.im", "reaction_added", "reaction_removed"}
)


class Workspace:
    """One team, as one of its apps sees it; `install` adds another app to the same team.

    directory: keeps messages and Home tabs between starts; nothing is kept without it.
    clock: Unix time in seconds.
    base_url: this server's URL, such as `http://127.0.0.1:8800`; taken from the first request if empty.
    subscribed_events: the event types in the app's manifest.
    app: the app, with its bot and its slash command. beside: another app of the same team.
    strict: True to refuse a second message in one channel within 1 s with 429, as real Slack may.
    broadcasts_allowed: True if the app may send `<!channel>` and the like.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        base_url: str = "",
        subscribed_events: frozenset[str] = SUBSCRIBED_EVENTS,
        strict: bool = False,
        broadcasts_allowed: bool = False,
        app: model.App = model.DRAGONFLY,
        beside: "Workspace | None" = None,
    ) -> None:
        self.clock = clock
        self.base_url = base_url
        self.subscribed_events = subscribed_events
        self.strict = strict
        self.broadcasts_allowed = broadcasts_allowed
        self.app = app
        self.bot = app.bot
        self.bot_id = app.bot_id
        self.commands = frozenset({app.command})
        self.people = model.PEOPLE
        self.groups = {group.id: group for group in (model.OPERATORS, model.APPROVERS, model.ON_CALL)}
        # Shared by all apps of the team. `installed`: in the order in which they were installed.
        self.installed: list[Workspace] = beside.installed if beside else []
        self.installed.append(self)
        self.team: model.Team = beside.team if beside else model.TEAM
        self.users: dict[str, model.User] = (
            beside.users if beside else {user.id: user for user in (*model.PEOPLE, model.SLACKBOT)}
        )
        self.users[app.bot.id] = app.bot
        self.channels: dict[str, Channel] = beside.channels if beside else {one.id: one for one in model.new_channels()}
        self.changes: Changes = beside.changes if beside else Changes()
        self.messages: MessageStore = beside.messages if beside else MessageStore(self.changes)
        self.files: FileStore = beside.files if beside else FileStore()
        self.timestamps: Timestamps = beside.timestamps if beside else Timestamps(clock)
        self.refusals: deque[Refusal] = beside.refusals if beside else deque(maxlen=MAX_REFUSALS)
        self.views = ViewStore(self.changes)
        self.tickets = Tickets(clock)
        self.faults = Faults()
        self.setup = AppSetup(app_token_of=app.id)
        self.sockets = SocketMode(self.changes, app_id=lambda: self.setup.app_token_of)
        self.delivery: Delivery = self.sockets
        self.calls: deque[Call] = deque(maxlen=MAX_CALLS)
        self.events = Events(self)
        self.last_post_at: dict[str, float] = {}  # channel -> Unix time
        self._statuses: dict[tuple[str, str], tuple[str, float]] = {}  # {(channel, thread): (app's status, its end)}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._saved = SavedWorkspace(directory, self) if directory else None

    def subscribe(self) -> AbstractContextManager[Subscription]:
        """`with workspace.subscribe() as stream: async for change in stream`."""
        return self.changes.subscribe()

    def messages_for(self, user: str, channel: str) -> list[Message]:
        """The messages that this person sees in the channel, oldest first, with those only they can see."""
        return [m for m in self.messages.in_channel(channel) if m.is_visible_to(user)]

    def thread_for(self, user: str, channel: str, thread_ts: str) -> list[Message]:
        """A thread as this person sees it: its first message, then the replies."""
        return [m for m in self.messages.thread(channel, thread_ts) if m.is_visible_to(user)]

    def modal_for(self, user: str) -> View | None:
        """This person's front modal, whichever app opened it."""
        return next((stack[-1] for stack in self._stacks(user)), None)

    def modal_depth(self, user: str) -> int:
        return next((len(stack) for stack in self._stacks(user)), 0)

    def _stacks(self, user: str) -> Iterator[list[View]]:
        return filter(None, (app.views.stack_for(user) for app in self.installed))

    def home_for(self, user: str) -> View | None:
        return self.views.home_for(user)

    def find_channel(self, name_or_id: str) -> Channel | None:
        wanted = name_or_id.removeprefix("#")
        by_name = (channel for channel in self.channels.values() if channel.name == wanted)
        return self.channels.get(wanted) or next(by_name, None)

    def install(self, app: model.App, *, base_url: str, channel: Channel) -> "Workspace":
        """Add an app; return the team as it sees it, with its own bot, connections, views and faults, and its channel.

        base_url: the URL at which this app reaches Slack's API.
        """
        events = self.subscribed_events
        other = Workspace(clock=self.clock, base_url=base_url, subscribed_events=events, app=app, beside=self)
        self.channels.setdefault(channel.id, channel)
        return other

    def app_of(self, message: Message) -> "Workspace":
        """The app that posted this message; this app for a person's message."""
        return next((one for one in self.installed if one.bot_id == message.bot_id), self)

    def app_in(self, channel: str) -> "Workspace":
        """The app whose direct message this channel is; this app for any other channel."""
        return next((one for one in reversed(self.installed) if channel.startswith(one.app.direct)), self)

    def open_direct(self, channel: str) -> None:
        """Create the direct message with this saved id."""
        app = self.app_in(channel)
        app.direct_channel("U" + channel.removeprefix(app.app.direct))

    def direct_channel(self, user: str) -> Channel:
        """The direct message between this person and the app, created at its first use."""
        channel_id = self.app.direct + user[1:]
        if channel_id not in self.channels:
            self.channels[channel_id] = Channel(channel_id, "", [user, self.bot.id], im_user=user)
            self.changes.publish(Change(ChangeKind.CHANNEL, channel=channel_id, user=user))
        return self.channels[channel_id]

    def new_ts(self) -> str:
        """The next message timestamp, later than all before, even within a microsecond."""
        return self.timestamps.new()

    def continue_after(self, ts: str) -> None:
        """Make all later timestamps larger than this one, regardless of the clock."""
        self.timestamps.continue_after(ts)

    def post(self, message: Message) -> None:
        """Add a message, and send it to the apps as an event, as Slack does, their own messages included."""
        if message.bot_id and message.thread_ts:
            self._statuses.pop((message.channel, message.thread_ts), None)
        self.messages.add(message)
        for app in self.installed:
            app.events.message_posted(message)

    def set_status(self, channel: str, thread_ts: str, status: str, *, lasts_s: float) -> None:
        self._statuses[channel, thread_ts] = (status, self.clock() + lasts_s)
        self.changes.publish(Change(ChangeKind.MESSAGE_CHANGED, channel=channel, thread_ts=thread_ts))

    def status_of(self, channel: str, thread_ts: str) -> str:
        """The app's status in this thread; empty if it has none."""
        status, ends_at = self._statuses.get((channel, thread_ts), ("", 0.0))
        return status if self.clock() < ends_at else ""

    def record_call(self, call: Call) -> None:
        self.calls.append(call)

    def record_refusal(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)
        self.changes.publish(Change(ChangeKind.REFUSED, channel=refusal.channel, user=refusal.user))

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    @property
    def is_delivering(self) -> bool:
        """True if an event is being delivered to the app, or waits for its redelivery."""
        return bool(self._tasks)

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run this in the background, until `close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def start(self) -> None:
        """Read the saved state, and keep saving from now on."""
        if self._saved:
            self._saved.restore()
            self.run(self._saved.keep_saving())

    async def close(self) -> None:
        """Stop background work, close the sockets, and save a last time."""
        await self.sockets.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.delivery.close()
        if self._saved:
            await self._saved.save()
