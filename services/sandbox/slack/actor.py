"""What a person in the workspace can do: type, click, submit, close, open the Home tab."""

from typing import TYPE_CHECKING

from services.sandbox.slack import cast, payloads
from services.sandbox.slack.blocks import Answer, Answers, find_element, state_values
from services.sandbox.slack.delivery import Envelope, EnvelopeKind, NotDeliveredError
from services.sandbox.slack.errors import ApiError, NothingThereError
from services.sandbox.slack.model import Json, Message, User, View
from services.sandbox.slack.responses import respond
from services.sandbox.slack.submission import close, submit
from services.sandbox.slack.tickets import ResponseTicket
from services.sandbox.slack.typed_text import typed_command, typed_message

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace


__all__ = ["Actor", "NothingThereError"]


class Actor:
    """Each method returns once the app has acknowledged, or has failed to.

    What a method returns is the error that this person sees, such as `operation_timeout`, or None.
    """

    def __init__(self, workspace: "Workspace", user: User) -> None:
        self.workspace = workspace
        self.user = user

    async def type(self, channel: str, text: str, *, thread_ts: str | None = None) -> str | None:
        """Send what the composer holds: a message, or a command when it starts with a slash."""
        if channel not in self.workspace.channels:
            raise NothingThereError(f"There is no channel `{channel}`.")
        if text.startswith("/"):
            return await self._command(channel, text, thread_ts)
        self.say(channel, text, thread_ts=thread_ts)
        return None

    def say(self, channel: str, text: str, *, thread_ts: str | None = None) -> Message:
        """A plain message; the app learns of it through its events."""
        stored = typed_message(self.workspace, text)
        message = Message(channel, self.workspace.new_ts(), self.user.id, stored, thread_ts=thread_ts)
        self.workspace.post(message)
        return message

    async def click(
        self,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Answer = None,
        answers: Answers | None = None,
    ) -> str | None:
        """Use a button or another element of a message. `value` is what was chosen in a select, date and so on."""
        message = self._message(channel, ts)
        action = self._action(message.blocks, action_id, block_id, value)
        return await self._interact(payloads.message_action(self.workspace, self.user, message, action, answers))

    async def click_in_view(
        self,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Answer = None,
        answers: Answers | None = None,
    ) -> str | None:
        """Use an element of a modal or of the Home tab."""
        view = self._own_view(view_id)
        view.state = state_values(view.content["blocks"], answers)
        action = self._action(view.content["blocks"], action_id, block_id, value)
        return await self._interact(payloads.view_action(self.workspace, self.user, view, action))

    async def submit(self, view_id: str, answers: Answers | None = None) -> dict[str, str]:
        """Submit a modal. What is wrong, by block id; empty when it was taken."""
        return await submit(self.workspace, self.user, self._own_view(view_id), answers)

    async def close_modal(self, view_id: str, *, all_of_them: bool = False) -> None:
        """Cancel a modal, or with the cross the whole stack."""
        await close(self.workspace, self.user, self._own_view(view_id), all_of_them=all_of_them)

    def open_home(self) -> None:
        self.workspace.events.home_opened(self.user.id)

    async def shortcut(self, callback_id: str, channel: str, ts: str) -> str | None:
        """A message shortcut."""
        message = self._message(channel, ts)
        return await self._interact(payloads.message_shortcut(self.workspace, self.user, message, callback_id))

    def react(self, channel: str, ts: str, name: str) -> None:
        """Put a reaction on a message, or take one's own off again."""
        message = self._message(channel, ts)
        users = message.reactions.get(name, [])
        added = self.user.id not in users
        left = [*users, self.user.id] if added else [user for user in users if user != self.user.id]
        others = {key: value for key, value in message.reactions.items() if key != name}
        self.workspace.messages.change(message, reactions=others | ({name: left} if left else {}))
        self.workspace.events.reaction_changed(message, self.user.id, name, added=added)

    async def _command(self, channel: str, line: str, thread_ts: str | None) -> str | None:
        name, _, text = line.partition(" ")
        if thread_ts is not None:
            return self._told(channel, f"{name} is not supported in threads. Sorry!", thread_ts=thread_ts)
        if name not in self.workspace.commands:
            return self._told(channel, f"{name} is not a valid command.")
        escaped = typed_command(self.workspace, text.strip())
        payload = payloads.command(self.workspace, self.user, channel, name, escaped)
        try:
            answer = await self.workspace.delivery.send(Envelope(EnvelopeKind.COMMAND, payload))
        except NotDeliveredError as error:
            code = failure(error)
            self._told(channel, f'{name} failed with the error "{code}"')
            return code
        self._show_answer(channel, name, answer)
        return None

    def _show_answer(self, channel: str, name: str, answer: Json) -> None:
        """An acknowledgement may carry the answer itself."""
        if not answer.get("text") and not answer.get("blocks"):
            return
        try:
            respond(self.workspace, ResponseTicket(self.user.id, channel, expires_at=float("inf")), answer)
        except ApiError as error:
            self._told(channel, f'{name} failed with the error "{error.code}"')

    async def _interact(self, payload: Json) -> str | None:
        try:
            await self.workspace.delivery.send(Envelope(EnvelopeKind.INTERACTIVE, payload))
        except NotDeliveredError as error:
            return failure(error)
        return None

    def _action(self, blocks: list[Json], action_id: str, block_id: str | None, value: Answer) -> Json:
        found = find_element(blocks, action_id, block_id)
        if found is None:
            raise NothingThereError(f"There is nothing called `{action_id}` to use any more.")
        return payloads.action_of(self.workspace, *found, value)

    def _message(self, channel: str, ts: str) -> Message:
        message = self.workspace.messages.find(channel, ts)
        if message is None or not message.is_visible_to(self.user.id):
            raise NothingThereError("This message is gone, or only somebody else can see it.")
        return message

    def _own_view(self, view_id: str) -> View:
        view = self.workspace.views.find(view_id)
        if view is None or view.user != self.user.id:
            raise NothingThereError("This view is closed, or is somebody else's.")
        return view

    def _told(self, channel: str, text: str, *, thread_ts: str | None = None) -> str:
        """Slack itself says something that only this person sees."""
        message = Message(channel, self.workspace.new_ts(), cast.SLACKBOT.id, text, thread_ts=thread_ts)
        message.visible_to = self.user.id
        self.workspace.post(message)
        return text


def failure(error: NotDeliveredError) -> str:
    """What a person reads when the app did not acknowledge."""
    return "operation_timeout" if error.reason in ("timeout", "http_timeout") else "dispatch_failed"
