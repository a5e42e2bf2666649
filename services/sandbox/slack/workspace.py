"""The local Slack's state in one place: who there is, what was said, what each person sees, what the app called."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.sandbox.slack import cast
from services.sandbox.slack.changes import Change, ChangeKind, Changes, Subscription
from services.sandbox.slack.delivery import Delivery
from services.sandbox.slack.errors import NothingThereError
from services.sandbox.slack.events import Events
from services.sandbox.slack.faults import Faults
from services.sandbox.slack.files import FileStore
from services.sandbox.slack.messages import MessageStore
from services.sandbox.slack.model import Call, Channel, Message, Refusal, View
from services.sandbox.slack.saved import SavedWorkspace
from services.sandbox.slack.socket_mode import SocketMode
from services.sandbox.slack.tickets import Tickets
from services.sandbox.slack.views import ViewStore

if TYPE_CHECKING:
    from services.sandbox.slack.actor import Actor

MAX_CALLS = 10_000
MAX_REFUSALS = 200
SUBSCRIBED_EVENTS = frozenset(
    {"app_mention", "app_home_opened", "message.channels", "message.im", "reaction_added", "reaction_removed"}
)


class Workspace:
    """One team with one installed app.

    directory: where messages and Home tabs are kept between starts; nothing is kept without it.
    clock: Unix time in seconds.
    base_url: where this server is reached, such as `http://127.0.0.1:8800`; learnt from the first request if empty.
    subscribed_events: the event types that the app's manifest asks for.
    commands: the slash commands that the app's manifest declares.
    strict: whether a second message in one channel within a second is refused with 429, as real Slack may.
    broadcasts_allowed: whether `<!channel>` and its like may stand in what the app sends.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
        base_url: str = "",
        subscribed_events: frozenset[str] = SUBSCRIBED_EVENTS,
        commands: frozenset[str] = frozenset({"/dragonfly"}),
        strict: bool = False,
        broadcasts_allowed: bool = False,
    ) -> None:
        self.clock = clock
        self.base_url = base_url
        self.subscribed_events = subscribed_events
        self.strict = strict
        self.broadcasts_allowed = broadcasts_allowed
        self.team = cast.TEAM
        self.bot = cast.BOT
        self.bot_id = cast.BOT_ID
        self.commands = commands
        self.people = cast.PEOPLE
        self.users = {user.id: user for user in (*cast.PEOPLE, cast.BOT, cast.SLACKBOT)}
        self.groups = {group.id: group for group in (cast.OPERATORS, cast.APPROVERS)}
        self.channels = {channel.id: channel for channel in cast.new_channels()}
        self.changes = Changes()
        self.messages = MessageStore(self.changes)
        self.views = ViewStore(self.changes)
        self.files = FileStore()
        self.tickets = Tickets(clock)
        self.faults = Faults()
        self.sockets = SocketMode(self.changes)
        self.delivery: Delivery = self.sockets
        self.calls: deque[Call] = deque(maxlen=MAX_CALLS)
        self.refusals: deque[Refusal] = deque(maxlen=MAX_REFUSALS)
        self.events = Events(self)
        self.last_post_at: dict[str, float] = {}  # channel -> Unix time
        self._last_ts_us = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._saved = SavedWorkspace(directory, self) if directory else None

    def subscribe(self) -> AbstractContextManager[Subscription]:
        """`with workspace.subscribe() as stream: async for change in stream`."""
        return self.changes.subscribe()

    def acting_as(self, user: str) -> "Actor":
        """This person's hands: typing, clicking, submitting. Raises NothingThereError for nobody."""
        from services.sandbox.slack.actor import Actor  # it needs the workspace itself

        if user not in self.users:
            raise NothingThereError(f"There is nobody with the id `{user}`.")
        return Actor(self, self.users[user])

    def messages_for(self, user: str, channel: str) -> list[Message]:
        """What this person sees in the channel, oldest first, with what only they can see."""
        return [m for m in self.messages.in_channel(channel) if m.is_visible_to(user)]

    def thread_for(self, user: str, channel: str, thread_ts: str) -> list[Message]:
        """A thread as this person sees it: its first message, then the replies."""
        return [m for m in self.messages.thread(channel, thread_ts) if m.is_visible_to(user)]

    def modal_for(self, user: str) -> View | None:
        return self.views.top_for(user)

    def home_for(self, user: str) -> View | None:
        return self.views.home_for(user)

    def find_channel(self, name_or_id: str) -> Channel | None:
        wanted = name_or_id.removeprefix("#")
        by_name = (channel for channel in self.channels.values() if channel.name == wanted)
        return self.channels.get(wanted) or next(by_name, None)

    def direct_channel(self, user: str) -> Channel:
        """The direct message between this person and the app, made when it is first asked for."""
        channel_id = "D" + user[1:]
        if channel_id not in self.channels:
            self.channels[channel_id] = Channel(channel_id, "", [user, self.bot.id], im_user=user)
            self.changes.publish(Change(ChangeKind.CHANNEL, channel=channel_id, user=user))
        return self.channels[channel_id]

    def new_ts(self) -> str:
        """The next message timestamp: later than every one before, even within a microsecond."""
        self._last_ts_us = max(int(self.clock() * 1_000_000), self._last_ts_us + 1)
        return f"{self._last_ts_us // 1_000_000}.{self._last_ts_us % 1_000_000:06d}"

    def continue_after(self, ts: str) -> None:
        """Make all later timestamps larger than this one, whatever the clock says."""
        seconds, _, micros = ts.partition(".")
        self._last_ts_us = max(self._last_ts_us, int(seconds) * 1_000_000 + int(micros or 0))

    def post(self, message: Message) -> None:
        """Add a message, and tell the app of it as Slack does, its own messages included."""
        self.messages.add(message)
        self.events.message_posted(message)

    def record_call(self, call: Call) -> None:
        self.calls.append(call)

    def record_refusal(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)
        self.changes.publish(Change(ChangeKind.REFUSED, channel=refusal.channel, user=refusal.user))

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let this go on by itself, until `close`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def start(self) -> None:
        """Read what was saved, and keep saving from now on."""
        if self._saved:
            self._saved.restore()
            self.run(self._saved.keep_saving())

    async def close(self) -> None:
        """Stop background work, close the sockets, save a last time."""
        await self.sockets.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.delivery.close()
        if self._saved:
            await self._saved.save()
