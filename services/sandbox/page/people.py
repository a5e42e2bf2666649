"""Passes a person's acts on the page to the local Slack: typing, clicking, submitting, closing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, Field

from services.sandbox.slack import model
from services.sandbox.slack.actor import Actor, acting_as
from services.sandbox.slack.blocks import Answer
from services.sandbox.slack.model import NothingThereError
from services.sandbox.slack.workspace import Workspace

_PEOPLE = frozenset(user.id for user in model.PEOPLE)


def _known(user_id: str) -> str:
    if user_id not in _PEOPLE:
        raise ValueError("no person in this workspace has that id")
    return user_id


class _Act(BaseModel):
    viewer: Annotated[str, AfterValidator(_known)]


class Say(_Act):
    channel: str
    text: str = Field(max_length=12_000)
    thread_ts: str | None = None


class Click(_Act):
    """The use of a control in a message (`channel` and `ts`) or a view."""

    action_id: str
    block_id: str
    value: Answer = None
    answers: dict[str, dict[str, Answer]] = {}
    channel: str = ""
    ts: str = ""
    view_id: str | None = None


class Submit(_Act):
    view_id: str
    answers: dict[str, dict[str, Answer]]


class CloseModal(_Act):
    """Closing a modal. `all_of_them`: the whole stack, as the cross does."""

    view_id: str
    all_of_them: bool = False


class Dismiss(_Act):
    channel: str
    ts: str


class Shortcut(_Act):
    callback_id: str
    channel: str
    ts: str


class React(_Act):
    name: str
    channel: str
    ts: str


class OpenHome(_Act):
    pass


class Outcome(BaseModel):
    """The result of an act. `problem`: the error that Slack shows this person, such as `operation_timeout`, or None."""

    problem: str | None = None


class People:
    """The acts of people. Each returns once the app has acknowledged; its effects arrive as live updates."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def say(self, act: Say) -> Outcome:
        if act.channel not in self._workspace.channels:
            raise NothingThereError("There is no such channel.")
        if act.text.strip():
            await self._actor(act).type(act.channel, act.text.strip(), thread_ts=act.thread_ts or None)
        return Outcome()  # Slack shows errors in the channel

    async def click(self, act: Click) -> Outcome:
        actor = self._actor(act)
        used: Any = {"block_id": act.block_id, "value": act.value, "answers": act.answers}
        if act.view_id:
            return Outcome(problem=await actor.click_in_view(act.view_id, act.action_id, **used))
        return Outcome(problem=await actor.click(act.channel, act.ts, act.action_id, **used))

    async def submit(self, act: Submit) -> Outcome:
        await self._actor(act).submit(act.view_id, act.answers)
        return Outcome()  # errors are shown beside the fields

    async def close(self, act: CloseModal) -> Outcome:
        """Close a modal. One that was closed at the same moment, by another key, is no problem."""
        with suppress(NothingThereError):
            await self._actor(act).close_modal(act.view_id, all_of_them=act.all_of_them)
        return Outcome()

    async def dismiss(self, act: Dismiss) -> Outcome:
        """Remove an ephemeral message for the person who sees it."""
        message = self._workspace.messages.find(act.channel, act.ts)
        if message and message.visible_to == act.viewer:
            self._workspace.messages.remove(message)
        return Outcome()

    async def shortcut(self, act: Shortcut) -> Outcome:
        return Outcome(problem=await self._actor(act).shortcut(act.callback_id, act.channel, act.ts))

    async def react(self, act: React) -> Outcome:
        self._actor(act).react(act.channel, act.ts, act.name)
        return Outcome()

    async def open_home(self, act: OpenHome) -> Outcome:
        self._actor(act).open_home()
        return Outcome()

    def _actor(self, act: _Act) -> Actor:
        return acting_as(self._workspace, act.viewer)


def build_people_router(workspace: Workspace) -> APIRouter:
    """One route per act."""
    router = APIRouter(prefix="/page", route_class=_Route)
    people = People(workspace)
    acts = (
        people.say,
        people.click,
        people.submit,
        people.close,
        people.dismiss,
        people.shortcut,
        people.react,
        people.open_home,
    )
    for act in acts:
        router.add_api_route(f"/{act.__name__.replace('_', '-')}", act, methods=["POST"])
    return router


class _Route(APIRoute):
    """Reports the use of a deleted object to the person (409) instead of the log."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_or_show_error(request: Request) -> Response:
            try:
                return await handle(request)
            except NothingThereError as exc:
                raise HTTPException(409, str(exc)) from exc

        return handle_or_show_error
