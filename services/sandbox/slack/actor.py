"""What a person in the workspace can do: type, click, submit, close, open the Home tab."""

from typing import TYPE_CHECKING

from services.sandbox.slack.model import Message, User

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace

Answers = dict[str, dict[str, str | list[str]]]  # {block_id: {action_id: text typed, or the value(s) chosen}}


class Actor:
    """Each method returns once the app has acknowledged, or has failed to: then this person is told so in Slack."""

    def __init__(self, workspace: "Workspace", user: User) -> None:
        self.workspace = workspace
        self.user = user

    async def type(self, channel: str, text: str, *, thread_ts: str | None = None) -> Message | None:
        """Send what the composer holds: a message, or a command when it starts with a slash."""
        raise NotImplementedError

    async def click(
        self,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: str | list[str] | None = None,
        answers: Answers | None = None,
    ) -> None:
        """Use a button or another element of a message. `value` is what was chosen in a select, date and so on."""
        raise NotImplementedError

    async def click_in_view(
        self,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: str | list[str] | None = None,
        answers: Answers | None = None,
    ) -> None:
        """Use an element of a modal or of the Home tab."""
        raise NotImplementedError

    async def submit(self, view_id: str, answers: Answers | None = None) -> dict[str, str]:
        """Submit a modal. The errors by block_id; empty when the app took it."""
        raise NotImplementedError

    async def close_modal(self, view_id: str, *, all_of_them: bool = False) -> None:
        raise NotImplementedError

    async def open_home(self) -> None:
        raise NotImplementedError

    async def shortcut(self, callback_id: str, channel: str, ts: str) -> None:
        """A message shortcut."""
        raise NotImplementedError
