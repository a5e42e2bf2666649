"""Asks Slack about ids, one request per id at a time, and keeps the answers while Slack does not respond."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from services.domain.errors import SourceError, Unavailable
from services.slack.errors import SlackRefusedError

logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0  # a person waits for the answer

T = TypeVar("T")


@dataclass(frozen=True)
class Known(Generic[T]):
    """What Slack answered `age` ago."""

    value: T
    age: timedelta


class Lookups(Generic[T]):
    """One kind of look-up. `what` is for the log, `gone`: the refusals after which an old answer is dropped.

    clock: monotonic seconds.
    """

    def __init__(
        self,
        what: str,
        read: Callable[[str], Awaitable[T]],
        *,
        gone: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._read = read
        self._gone = gone
        self._clock = clock
        self._answers: dict[str, tuple[T, float]] = {}
        self._problems: dict[str, str] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def ask(self, ids: Iterable[str], *, fresh_s: float, timeout_s: float = TIMEOUT_S) -> None:
        """Ask about each id whose answer is `fresh_s` old or older. Never longer than the limit, never raises."""
        asked = self.begin(ids, fresh_s=fresh_s)
        if asked:
            await asyncio.wait(asked, timeout=timeout_s)

    def begin(self, ids: Iterable[str], *, fresh_s: float) -> list[asyncio.Task[None]]:
        """The same without waiting: the requests under way."""
        return [self._ask(one) for one in dict.fromkeys(ids) if not self._is_fresh(one, fresh_s)]

    def recall(self, slack_id: str) -> Known[T] | Unavailable:
        """The last answer, however old, or why there is none. Never asks."""
        if slack_id not in self._answers:
            return Unavailable("Slack", self._problems.get(slack_id, "no answer yet"))
        value, read_at = self._answers[slack_id]
        return Known(value, timedelta(seconds=self._clock() - read_at))

    @property
    def ids(self) -> frozenset[str]:
        """Everything that was asked for and answered or refused."""
        return frozenset({*self._answers, *self._problems})

    async def aclose(self) -> None:
        """Give up the requests under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_fresh(self, slack_id: str, fresh_s: float) -> bool:
        return slack_id in self._answers and self._clock() - self._answers[slack_id][1] < fresh_s

    def _ask(self, slack_id: str) -> asyncio.Task[None]:
        if slack_id not in self._asking:
            task = self._asking[slack_id] = asyncio.create_task(self._keep(slack_id))
            task.add_done_callback(lambda _: self._asking.pop(slack_id, None))
        return self._asking[slack_id]

    async def _keep(self, slack_id: str) -> None:
        asked_at = self._clock()  # before the request: whoever loses a right during it does not keep it for longer
        try:
            self._answers[slack_id] = await self._read(slack_id), asked_at
        except SourceError as error:
            logger.warning("%s %s not read: %s", self._what, slack_id, error.why)
            self._problems[slack_id] = error.why
            if isinstance(error, SlackRefusedError) and error.code in self._gone:
                self._answers.pop(slack_id, None)
