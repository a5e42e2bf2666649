"""Tests with a person's help that commands, clicks and events reach the bot, which no API of Slack reports."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.setup.console import Console
from services.clients.slack import SlackClient
from services.clients.slack_setup import Connection, as_refused, connection
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.slack_setup import Exchange, Part, Refused, Shown

WITHIN_S = 60.0
ACTION = "setup_check"
_SAW = {"1": Shown.NOT_VALID, "2": Shown.OTHER_APP}


async def exchange_live(
    slack: SlackClient,
    app_token: Secret,
    channel: str,
    console: Console,
    *,
    bot_name: str,
    command: str,
    within_s: float = WITHIN_S,
) -> Exchange:
    """Open one connection, post a button, and wait for the actions that a person is asked for. Deletes the post.

    If the app has other connections, nothing is tried, because Slack would deliver to them. channel: name or id.
    """
    try:
        async with connection(slack, app_token) as ours:
            found = Exchange(hello=ours.hello, within_s=within_s)
            if found.others:
                return found
            live = _Live(slack, ours, console, secrets.token_hex(2))
            return await live.run(found, channel, bot_name, command)
    except SourceError as error:
        return Exchange(refused=as_refused(error), within_s=within_s)


class _Live:
    """One exchange. `code`: text by which its own commands and messages are recognized."""

    def __init__(self, slack: SlackClient, ours: Connection, console: Console, code: str) -> None:
        self._slack = slack
        self._ours = ours
        self._console = console
        self._code = code
        self._arrived: set[Part] = set()
        self._direct: Refused | None = None
        self._ended: Refused | None = None
        self._has_written = False

    async def run(self, found: Exchange, channel: str, bot_name: str, command: str) -> Exchange:
        posted, message = await self._post_button(channel)
        for line in self._steps(bot_name, command, found.within_s, has_button=posted is None):
            self._console.show(line)
        await self._wait(set(Part) - ({Part.BUTTON} if posted else set()), found.within_s)
        if message is not None:
            with contextlib.suppress(SourceError):
                await self._slack.delete(*message)
        arrived = frozenset(self._arrived)
        shown = await self._ask_what_was_shown(command) if arrived and Part.COMMAND not in arrived else None
        return replace(found, arrived=arrived, posted=posted, direct=self._direct, shown=shown, ended=self._ended)

    async def _wait(self, wanted: set[Part], within_s: float) -> None:
        """Wait until all parts have arrived, the person presses Enter, or the time is over."""
        listening = asyncio.create_task(self._listen_until_end(wanted))
        entered = asyncio.create_task(self._console.enter())
        try:
            await asyncio.wait({listening, entered}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            entered.cancel()
            listening.cancel()
            await asyncio.gather(entered, listening, return_exceptions=True)
        if not listening.cancelled():
            listening.result()  # raise a bug instead of reporting that nothing arrived

    def _steps(self, bot_name: str, command: str, within_s: float, *, has_button: bool) -> Sequence[str]:
        check = f"check {self._code}"
        steps = ["press the button *Works* under the message that the bot posted just now"] if has_button else []
        steps += [
            f"type in the same channel: {command} {check}",
            f"type in the same channel: @{bot_name} {check}",
            f"write to the bot directly (Apps → {bot_name} → Messages): {check}",
        ]
        numbered = [f"  {number}. {step}" for number, step in enumerate(steps, start=1)]
        return [f"Please do this in Slack, in any order, within {within_s:.0f} s; Enter ends it earlier:", *numbered]

    async def _post_button(self, channel: str) -> tuple[Refused | None, tuple[str, str] | None]:
        """Post the button. Returns (refusal or None, (channel id, ts) or None)."""
        text = f"Setup check {self._code} of this bot: it removes this message itself."
        button = {"type": "button", "action_id": ACTION, "value": self._code}
        blocks: list[dict[str, Any]] = [
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "actions", "elements": [button | {"text": {"type": "plain_text", "text": "Works"}}]},
        ]
        try:
            return None, await self._slack.post(channel, text, blocks)
        except SourceError as error:
            return as_refused(error), None

    async def _listen_until_end(self, wanted: set[Part]) -> None:
        try:
            if not await self._listen(wanted):
                self._ended = Refused("disconnected", "the connection to Slack ended too early", is_unknown=True)
        except SourceError as error:
            self._ended = as_refused(error)

    async def _listen(self, wanted: set[Part]) -> bool:
        """True once all wanted parts have arrived; False if the connection ended before."""
        async for envelope in self._ours.envelopes():
            part, user = self._recognize(envelope)
            is_new = part is not None and part not in self._arrived
            self._arrived |= {part} if part is not None else set()
            await self._acknowledge(envelope, part)
            if part is None or not is_new:
                continue
            self._console.show(f"  {part.value}: arrived")
            await self._write_to(user)
            if not wanted - self._arrived - ({Part.DIRECT} if self._direct else set()):
                return True
        return False

    async def _acknowledge(self, envelope: Mapping[str, Any], part: Part | None) -> None:
        """Acknowledge our own parts. Slack redelivers events of others, but not commands, so these get a hint."""
        is_command = envelope.get("type") == "slash_commands"
        event = (envelope.get("payload") or {}).get("event") or {}
        is_echo = bool(event.get("bot_id")) or self._code in str(event.get("text"))
        if part is not None or is_echo:
            await self._ours.acknowledge(envelope, {"text": "It arrived."} if is_command else None)
        elif is_command:
            await self._ours.acknowledge(envelope, {"text": "The bot is being set up. Type it again in a minute."})

    async def _write_to(self, user: str) -> None:
        """Write to the first person who acts, to test that the bot can send direct messages."""
        if self._has_written or not user:
            return
        self._has_written = True
        text = f"Setup check {self._code}: the bot can write to you. Answer with: check {self._code}"
        try:
            await self._slack.post(user, text, [])
        except SourceError as error:
            self._direct = as_refused(error)

    def _recognize(self, envelope: Mapping[str, Any]) -> tuple[Part | None, str]:
        """Return the part and the user id of an envelope; (None, "") if it does not belong to this exchange."""
        payload = envelope.get("payload") or {}
        match envelope.get("type"):
            case "slash_commands" if self._code in str(payload.get("text")):
                return Part.COMMAND, str(payload.get("user_id") or "")
            case "interactive":
                return self._recognize_press(payload)
            case "events_api":
                return self._recognize_event(payload.get("event") or {})
            case _:
                return None, ""

    def _recognize_press(self, payload: Mapping[str, Any]) -> tuple[Part | None, str]:
        actions = payload.get("actions") or ()
        is_ours = any(one.get("action_id") == ACTION and one.get("value") == self._code for one in actions)
        return (Part.BUTTON, str((payload.get("user") or {}).get("id") or "")) if is_ours else (None, "")

    def _recognize_event(self, event: Mapping[str, Any]) -> tuple[Part | None, str]:
        if event.get("bot_id") or self._code not in str(event.get("text")):
            return None, ""  # the bot's own message also arrives as an event
        kinds = {"app_mention": Part.MENTION, "message": Part.DIRECT if event.get("channel_type") == "im" else None}
        return kinds.get(str(event.get("type"))), str(event.get("user") or "")

    async def _ask_what_was_shown(self, command: str) -> Shown | None:
        """Ask what Slack showed, because an unknown command and another app's command both arrive nowhere here."""
        if not self._console.is_person:
            return None
        self._console.show(f"{command} did not arrive. What did Slack show after you typed it?")
        self._console.show("  1. 'not a valid command'   2. another app's answer, or nothing   3. I did not type it")
        with contextlib.suppress(EOFError):
            return _SAW.get(await self._console.ask("1, 2 or 3: "))
        return None
