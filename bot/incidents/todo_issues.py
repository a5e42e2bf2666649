"""Makes a GitHub issue of each follow-up, once; leader only.

The row says that the issue may exist before GitHub is asked for it. An attempt after a crash or a lost answer looks
for the issue's marker first, and asks again only if it finds none. No call lasts until the next attempt (FIRST_RETRY).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from bot.incidents.store import IncidentStore
from bot.leader import Fence
from bot.periodic_tasks import PeriodicTask
from bot.views.todos import (
    Content,
    accepted_issues_message,
    issue_text,
    issue_title,
    no_issue_note,
    no_waiting_issues_message,
    refused_issues_message,
    todo_message,
    wanted_issues_message,
)
from services.clients.github import GitHubClient
from services.clients.postgres import incidents, messages, todos
from services.clients.postgres.pool import Connection, Database
from services.clients.postgres.queries import read_clock
from services.domain.errors import SourceError
from services.domain.messages import message_link
from services.domain.todos import WantedIssue

logger = logging.getLogger(__name__)

EVERY_S = 30.0
LEAVES_WITHIN_S = 2.0  # after the intent is stored; a process that was frozen for longer sends no request
FIRST_RETRY = timedelta(minutes=1)  # longer than a sent request may take, so that its issue can be found
LAST_RETRY = timedelta(hours=1)
MOST_ATTEMPTS = 30  # about a day
MOST_PER_ROUND = 10  # follow-ups without an issue that get one: 5 min of requests to GitHub
LOOK_BACK = timedelta(minutes=10)  # GitHub's clock may differ from ours
# HTTP statuses that are about the token or the repository, not about one follow-up.
REFUSES_ALL = frozenset({301, 302, 307, 308, 401, 403, 404, 410})
NOT_STORED = "what GitHub answered could not be stored; whether it exists is unknown"
DONE_BEFORE = "the follow-up was done before"


class TodoIssues(PeriodicTask):
    """Makes one issue per tick, because GitHub limits the pace; if none is due, takes follow-ups that have none yet."""

    name = "issues of follow-ups"

    def __init__(
        self,
        database: Database,
        incident_store: IncidentStore,
        github: GitHubClient,
        *,
        workspace_url: Callable[[], str | None],
        every_s: float = EVERY_S,
        leaves_within_s: float = LEAVES_WITHIN_S,
    ) -> None:
        super().__init__()
        self._database = database
        self._incident_store = incident_store
        self._github = github
        self._workspace_url = workspace_url
        self._leaves_within_s = leaves_within_s
        self._has_retried = False  # refused follow-ups, once per process: it may have another token
        self.interval_s = every_s

    async def tick(self, fence: Fence) -> None:
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            if not self._has_retried:
                await todos.retry_refused_issues(conn)
            wanted = await todos.next_wanted_issue(conn)
            if wanted is not None:
                pause = min(FIRST_RETRY * 2 ** min(wanted.attempts, 10), LAST_RETRY)
                await todos.begin_issue(conn, todo_id=wanted.todo_id, again_in=pause)
            else:
                await self._want_earlier(conn)
        self._has_retried = True
        if wanted is None:
            return
        if wanted.attempts >= MOST_ATTEMPTS:  # the last one did not end in a failure that could be stored
            await self._finish(fence, wanted, url=None, failed=NOT_STORED)
            return
        leaves_by = asyncio.get_running_loop().time() + self._leaves_within_s
        try:
            url, failed = await self._make(wanted, leaves_by)
        except SourceError as error:
            await self._after(fence, wanted, error)
            return
        await self._finish(fence, wanted, url=url, failed=failed)

    async def _want_earlier(self, conn: Connection) -> None:
        """Request issues for open follow-ups that have none so far, and list them in the channel."""
        found = await todos.want_issues(conn, limit=MOST_PER_ROUND)
        if found:
            content = wanted_issues_message(found, EVERY_S)
            channel = self._incident_store.place.channel
            await messages.store_content(conn, f"todos:issues:{found[0]}", channel, content)

    async def _make(self, wanted: WantedIssue, leaves_by: float) -> tuple[str | None, str | None]:
        """Find or create the issue; return its address, or why there is none. Raises SourceError."""
        if wanted.sent_at is not None:
            found = await self._github.find_issue(wanted.marker, since=wanted.sent_at - LOOK_BACK)
            if found is not None:
                return found, None
            leaves_by = asyncio.get_running_loop().time() + self._leaves_within_s
        if wanted.is_done:
            return None, DONE_BEFORE
        if asyncio.get_running_loop().time() > leaves_by:
            raise SourceError("bot", "this process was held up", retryable=True)
        thread = message_link(self._workspace_url(), wanted.channel_id, wanted.ts)
        text = issue_text(wanted, self._incident_store.place.environment, thread)
        return await self._github.create_issue(issue_title(wanted), text), None

    async def _after(self, fence: Fence, wanted: WantedIssue, error: SourceError) -> None:
        """Handle a failure: retry, give up, or postpone all. Notes that no issue exists where GitHub refused it."""
        logger.warning("the issue of follow-up %d: %s", wanted.todo_id, error.why)
        may_exist = error.outcome_unknown or wanted.sent_at is not None
        if error.http_status in REFUSES_ALL and not error.retryable:
            await self._postpone(fence, wanted, error.why, may_exist=may_exist)
        elif not error.retryable or wanted.attempts + 1 >= MOST_ATTEMPTS:
            unknown = "; whether it exists is unknown" if may_exist else ""
            await self._finish(fence, wanted, url=None, failed=f"{error.why}{unknown}")
        elif not may_exist:
            async with self._database.transaction() as conn:
                await fence.lock(conn)
                await todos.forget_issue_was_sent(conn, todo_id=wanted.todo_id)

    async def _postpone(self, fence: Fence, wanted: WantedIssue, why: str, *, may_exist: bool) -> None:
        """Postpone all follow-ups until GitHub accepts one, and tell why in one message in the channel.

        The refusal is about the token or the repository, not about one follow-up.
        """
        async with self._database.transaction() as conn:
            now = await fence.lock(conn)
            since = await todos.read_issues_refused_since(conn) or now
            waiting = await todos.postpone_refused_issues(
                conn, todo_id=wanted.todo_id, since=since, again_in=LAST_RETRY
            )
            if not may_exist:
                await todos.forget_issue_was_sent(conn, todo_id=wanted.todo_id)
            await self._notify_refused(conn, since, refused_issues_message(waiting, why, LAST_RETRY))
        self._incident_store.wake_ups.outbox.set()

    async def _end_refusal(self, conn: Connection, since: datetime, *, is_accepted: bool) -> None:
        """Resume refused follow-ups if GitHub accepted one, or report that none waits any more."""
        if is_accepted:
            await todos.resume_refused_issues(conn)
            await self._notify_refused(conn, since, accepted_issues_message(EVERY_S))
        elif await todos.read_issues_refused_since(conn) is None:
            await self._notify_refused(conn, since, no_waiting_issues_message())

    async def _notify_refused(self, conn: Connection, since: datetime, content: Content) -> None:
        channel = self._incident_store.place.channel
        await messages.store_content(conn, f"todos:issues:refused:{since.timestamp():.6f}", channel, content)

    async def _finish(self, fence: Fence, wanted: WantedIssue, *, url: str | None, failed: str | None) -> None:
        store = self._incident_store
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            since = await todos.read_issues_refused_since(conn)
            todo = await todos.finish_issue(conn, todo_id=wanted.todo_id, url=url, failed=failed)
            if since is not None:
                await self._end_refusal(conn, since, is_accepted=url is not None)
            incident = await incidents.read_incident(conn, wanted.incident_id)
            if todo is None or incident is None:
                return
            key = f"{incident.message_key}:todo:{todo.id}"
            await store.post(conn, incident, key, todo_message(todo, await read_clock(conn)))
            if failed is not None and failed != DONE_BEFORE:
                await store.post(conn, incident, f"{key}:issue", no_issue_note(todo, failed))
        store.wake_ups.outbox.set()
