"""One run on the desk, in one transaction, locked: what was decided about it so far, and by whom it is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.approvals.calling import end_calls
from bot.approvals.decide import approvals_missing
from bot.approvals.people import People
from bot.approvals.policy import Policy
from bot.approvals.rights import Refused
from bot.runs.telling import Teller
from services.domain.approvals import Decision
from services.domain.errors import OperatorError
from services.domain.runs import UNDECIDED, Person, Run, RunState
from services.postgres import approvals, runs
from services.postgres.audit import append_audit
from services.postgres.pool import Connection


@dataclass(frozen=True)
class Case:
    """A run that nobody else can change before the transaction ends. `now` is the database's clock."""

    conn: Connection
    run: Run
    decisions: Sequence[Decision]
    now: datetime
    person: Person
    policy: Policy
    people: People
    teller: Teller

    @property
    def missing(self) -> int:
        """How many approvals are missing still."""
        return approvals_missing(self.run, self.decisions, self.policy, self.people)

    async def again(self) -> Case:
        """The same after what was written."""
        return await open_case(self.conn, self.run.id, self.person, self.policy, self.people, self.teller)

    async def move(self, to: RunState, outcome: str | None = None) -> None:
        """Out of the state that it was seen in. Raises OperatorError when its time ran out just now."""
        if not await runs.move_run(self.conn, run_id=self.run.id, from_=[self.run.state], to=to, outcome=outcome):
            raise _too_late(self.run.id)
        if self.run.state in UNDECIDED:
            await end_calls(self.conn, self.run.id)

    async def write_decision(self, *, approve: bool, reason: str) -> None:
        """Raises OperatorError when its time ran out just now."""
        counts = await approvals.record_decision(
            self.conn,
            run_id=self.run.id,
            person=self.person,
            approve=approve,
            reason=reason,
            plan_hash=self.run.plan_hash,
            policy_hash=self.policy.hash,
        )
        if not counts:
            raise _too_late(self.run.id)

    async def record(self, event: str, details: Mapping[str, object] | None = None) -> Run:
        """Write down what happened and tell of it, last of all; the run as it is now."""
        shown = {"plan": self.run.plan_hash, "policy": self.policy.hash, "team": self.person.team_id, **(details or {})}
        actor = self.person.user_id
        head = await append_audit(self.conn, actor=actor, event=event, run_id=self.run.id, details=shown)
        await self.teller.tell(self.conn, self.run.id, head=head)
        return (await self.again()).run

    async def refuse(self, event: str, refused: Refused) -> Refused:
        """Write down that somebody wanted what they may not."""
        details = {"why": refused.why, "policy": self.policy.hash, "team": self.person.team_id}
        await append_audit(
            self.conn, actor=self.person.user_id, event=f"{event}.refused", run_id=self.run.id, details=details
        )
        return refused


async def open_case(
    conn: Connection, run_id: int, person: Person, policy: Policy, people: People, teller: Teller
) -> Case:
    """Raises OperatorError when there is no such run."""
    now = await approvals.lock_run(conn, run_id)
    run = await runs.read_run(conn, run_id)
    if now is None or run is None:
        raise OperatorError(f"There is no run {run_id}", why="no run has this number", what_next="`runs` lists them.")
    return Case(conn, run, await approvals.list_decisions(conn, run_id), now, person, policy, people, teller)


def _too_late(run_id: int) -> OperatorError:
    return OperatorError(
        f"Run {run_id} did not change",
        why="its time ran out at this very moment",
        what_next="`Ask again` makes a new request from what is so now.",
    )
