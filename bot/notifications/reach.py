"""Knows who is behind a target's name, and hands a page over to their pager or mail server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TypeVar

from bot.settings import DEFAULT_TARGET, Invalid, MailSettings, PagerSettings, Settings
from services.domain.errors import SourceError
from services.domain.notifications import Means, Page
from services.mail.client import MailServer
from services.process.log import describe_error
from services.webhooks.client import Webhooks

logger = logging.getLogger(__name__)

GroupT = TypeVar("GroupT", PagerSettings, MailSettings)
WhereT = TypeVar("WhereT")


class Reach:
    """One for the process; `aclose` ends its connections."""

    def __init__(self, settings: Settings, webhooks: Webhooks) -> None:
        self._settings = settings
        self._webhooks = webhooks

    def targets(self, means: Means) -> tuple[str, ...]:
        """The names that this bot's environment knows; none while its variables are malformed."""
        group = self._settings.pager if means is Means.WEBHOOK else self._settings.mail
        return () if isinstance(group, Invalid) else tuple(group.targets)

    def everybody(self) -> list[tuple[Means, str]]:
        """For when nobody can say who is on call: the target "default" of each means, or all where there is none."""
        found = [(means, name) for means in Means for name in self.targets(means)]
        return [each for each in found if each[1] == DEFAULT_TARGET] or found

    async def tell(self, means: Means, target: str, page: Page) -> None:
        """Hand it over once. Raises SourceError; `retryable` when another try may help.

        A mistake of ours is one too: raised as it is, it would end the leader's work, and again at each of its starts.
        """
        try:
            await self._tell(means, target, page)
        except SourceError:
            raise
        except Exception as error:
            logger.error("%s by %s: %s", page.key, means, describe_error(error))  # noqa: TRY400 - may hold an address
            raise SourceError("bot", f"the bot itself failed ({type(error).__name__})") from None

    async def _tell(self, means: Means, target: str, page: Page) -> None:
        match means:
            case Means.WEBHOOK:
                pagers = _usable(self._settings.pager).targets
                await self._webhooks.page(_named(pagers, target), page)
            case Means.EMAIL:
                mail = _usable(self._settings.mail)
                await _there(mail.server).send(_named(mail.targets, target), page)


def _usable(group: GroupT | Invalid) -> GroupT:
    if isinstance(group, Invalid):
        raise SourceError("settings", group.why)
    return group


def _named(known: Mapping[str, WhereT], target: str) -> WhereT:
    if target not in known:
        raise SourceError("settings", f"the bot's environment names no target `{target}` for it")
    return known[target]


def _there(server: MailServer | None) -> MailServer:
    if server is None:
        raise SourceError("settings", "SMTP_URL is not set")
    return server
