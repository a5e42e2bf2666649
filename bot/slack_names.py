"""What people and groups are called of whom only the Slack id is known, for text that notifies no one.

A mention notifies, and an id is unreadable. Names are read now and then and kept: no call waits for Slack.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bot.wake_ups import WakeUp, drive
from services.domain.errors import SourceError
from services.domain.oncall import is_group

if TYPE_CHECKING:
    from services.clients.slack import SlackClient

logger = logging.getLogger(__name__)

EVERY_S = 3600.0  # names hardly change
RETRY_S = 60.0
PATIENCE_S = 2.0  # a person waits behind this


def nameless(slack_id: str) -> str:
    """A word for a person whose name is unknown."""
    return "a user group" if is_group(slack_id) else "somebody"


class SlackNames:
    """One for the process. `slack_ids`: those that will be asked for; others are looked up when they are needed."""

    def __init__(self, slack: SlackClient, slack_ids: Iterable[str]) -> None:
        self._slack = slack
        self._wanted = set(slack_ids)
        self._names: dict[str, str] = {}
        self._asked = WakeUp()

    def of(self, slack_id: str) -> str:
        """ "@dragonfly-approvers", "Ann Keller"; a word that fits while the name is not known. Never asks Slack."""
        return self.known(slack_id) or nameless(slack_id)

    def known(self, slack_id: str) -> str:
        """The same, and "" while the name is not known."""
        if slack_id not in self._wanted:
            self._wanted.add(slack_id)
            self._asked.set()
        return self._names.get(slack_id, "")

    async def look_up(self, slack_ids: Iterable[str]) -> dict[str, str]:
        """What they are called; asks Slack for whom it has not told yet, a moment at most."""
        wanted = set(slack_ids)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                unknown = wanted - self._names.keys()
                groups = set(filter(is_group, unknown))
                if groups:
                    await self._read_groups()
                await self._read_users(unknown - groups)
        return {slack_id: self._names.get(slack_id) or nameless(slack_id) for slack_id in wanted}

    async def run(self) -> None:
        """Keep the names known, until cancelled."""
        await drive(self.read, self._asked)

    async def read(self) -> float:
        """Ask Slack for all of them; seconds until the next time. What it does not tell now keeps its old name."""
        groups = set(filter(is_group, self._wanted))
        results = [await self._read_groups()] if groups else []
        results.append(await self._read_users(self._wanted - groups))
        return EVERY_S if all(results) else RETRY_S

    async def _read_groups(self) -> bool:
        """False when it is worth to ask again soon."""
        try:
            handles = await self._slack.list_group_handles()
        except SourceError as error:
            logger.warning("what groups are called was not read: %s", error.why)
            return not error.retryable
        self._names |= {group: f"@{handle}" for group, handle in handles.items()}
        return True

    async def _read_users(self, user_ids: Iterable[str]) -> bool:
        """False as above; a person whom Slack does not know delays no other."""
        read = True
        for user_id in sorted(user_ids):
            try:
                self._names[user_id] = await self._slack.read_user_name(user_id)
            except SourceError as error:
                logger.warning("what a user is called was not read: %s", error.why)
                read = read and not error.retryable
        return read
