"""Writes a run's message and thread notes through the outbox, in the transaction that changes the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.types import Block
from bot.views.blocks import section
from bot.views.pages import approver_page_over
from bot.views.run_outcome import ended_line
from bot.views.text import escape, mention
from bot.wake_ups import WakeUps
from services.clients.postgres import approvals, runs
from services.clients.postgres.approvals import list_decisions
from services.clients.postgres.messages import replace_messages, store_message
from services.clients.postgres.notifications import end_pages
from services.clients.postgres.pool import Connection
from services.domain.notifications import PageEvent
from services.domain.runs import Record, Run, RunStep

# (the run's record without audit rows, newest audit hash or None) -> (fallback text, blocks)
MakeMessage = Callable[[Record, str | None], tuple[str, Sequence[Block]]]


def taken_over(steps: Sequence[RunStep]) -> str:
    """Write the thread's note that another replica continues the run."""
    over = sum(step.ended_at is not None for step in steps)
    return (
        f"The replica that executed this run has stopped. Another replica continues at step "
        f"{min(over + 1, len(steps))} of {len(steps)}, and first reads back the outcome of that step."
    )


class RunMessageWriter:
    """Writes a run's messages. `make_message` builds the message from the run's record."""

    def __init__(self, make_message: MakeMessage, wake_ups: WakeUps | None = None) -> None:
        self._make_message = make_message
        self.wake_ups = wake_ups or WakeUps()

    async def write(
        self, conn: Connection, run_id: int, *, head: str | None = None, thread_key: str | None = None
    ) -> None:
        """Write the run's message from its state in this transaction.

        thread_key: of the message in whose thread a new message is posted; a posted one stays where it is.
        """
        run = await runs.read_run(conn, run_id)
        if run is not None:
            await self.write_as(conn, run, await runs.read_steps(conn, run_id), head=head, thread_key=thread_key)

    async def write_as(
        self,
        conn: Connection,
        run: Run,
        steps: Sequence[RunStep],
        *,
        head: str | None = None,
        thread_key: str | None = None,
    ) -> None:
        """Write the run's message with these steps, whose notes need not be stored."""
        decisions = await approvals.list_decisions(conn, run.id)
        review = await approvals.read_review(conn, run.id)
        self_approval = await approvals.read_lone_start(conn, run.id)
        words, blocks = self._make_message(
            Record(run, steps, decisions, review=review, self_approval=self_approval), head
        )
        await store_message(
            conn, key=run.message_key, channel=run.channel, text=words, blocks=blocks, thread_key=thread_key
        )
        ended = ended_line(run, decisions)
        if ended is not None:
            await self._reply(conn, run, f"{run.message_key}:ended", ended)

    async def note(self, conn: Connection, run: Run, name: str, words: str, *, to: Sequence[str] = ()) -> None:
        """Add one line to the thread of the run's stored message; each `name` is added once.

        to: Slack ids of people and groups to mention.
        """
        safe = " ".join([*map(mention, to), escape(words)])
        await self._reply(conn, run, f"{run.message_key}:note:{name}", safe)

    async def _reply(self, conn: Connection, run: Run, key: str, words: str) -> None:
        await store_message(
            conn, key=key, channel=run.channel, thread_key=run.message_key, text=words, blocks=[section(words)]
        )


async def end_approver_pages(conn: Connection, run_id: int) -> None:
    """End the approvers' pages once no decision is needed: notify paged pagers, cancel unsent pages, and show the
    decision in the direct messages."""
    run = await runs.read_run(conn, run_id)
    if run is None:
        return
    text, blocks = approver_page_over(run, await list_decisions(conn, run_id))
    prefix = f"{run.message_key}:call:"
    await replace_messages(conn, key_prefix=prefix, since=run.created_at, text=text, blocks=blocks)
    await end_pages(
        conn,
        key_prefix=prefix,
        thread_key=run.message_key,
        event=PageEvent.RESOLVED,
        subject=f"OVER {run.environment}: run {run.id} no longer needs an approver",
        text=f"{run.title}. No action is needed.",
    )
