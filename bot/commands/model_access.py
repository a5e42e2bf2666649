"""Permission to ask the model, and the record of each question: for `ask` and for the draft of a postmortem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.approvals.access import Refused, judge
from bot.approvals.decisions import name_of
from bot.assistant.model import Model, Spent
from bot.config.fields import Invalid
from bot.config.policy import ASK, Policy, Right, Target
from services.clients.postgres.asks import begin_ask, end_ask
from services.clients.postgres.audit import append_audit
from services.domain.errors import SourceError
from services.domain.people import Person

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World

BY_RULES = "Answered by rules; no model is configured (OPENAI_API_KEY)."


@dataclass(frozen=True)
class ModelAccess:
    """Access for one question. `person`: None on a terminal. `channel_id`: the channel of the question."""

    world: World
    approval_service: ApprovalService | None
    person: Person | None
    channel_id: str | None

    async def begin(self) -> int | None:
        """Store the question and return its number; None if it can't be stored, so that no model may be asked."""
        database = self.world.database
        if database is None:
            return None
        try:
            async with database.transaction() as conn:
                return await begin_ask(conn, person=self.person)
        except SourceError:
            return None

    async def usable_model(self) -> tuple[Model | None, str]:
        """Return the model, or None and a sentence with the reason."""
        settings, client = self.world.settings.assistant, self.world.openai
        if isinstance(settings, Invalid):
            return None, f"No model was asked: {settings.why}."
        if client is None or settings.prices is None:
            return None, BY_RULES
        if why := await self._why_not_allowed():
            return None, f"No model was asked: {why}."
        return Model(client, settings.prices, settings.budget), ""

    async def record(
        self,
        ask_id: int,
        *,
        question: str,
        reads: Sequence[str],
        outcome: str,
        model: str | None,
        spent: Spent,
        proved: int,
        dropped: int,
    ) -> None:
        """Store the outcome and its audit row. Raises SourceError."""
        details = {
            "question": question,
            "reads": list(reads),
            "outcome": outcome,
            "model": model,
            "tokens": spent.usage.tokens,
            "cost_usd": str(spent.usd),
            "claims": proved,
            "dropped": dropped,
        }
        if self.world.database is None:
            raise SourceError("database", "not configured")
        async with self.world.database.transaction() as conn:
            await end_ask(conn, ask_id=ask_id, outcome=outcome, proved=proved, dropped=dropped)
            await append_audit(conn, actor=name_of(self.person), event=ASK, run_id=None, details=details)

    async def _why_not_allowed(self) -> str | None:
        """Reason why the policy does not permit `ask` in this channel, or None. A terminal has its own API key."""
        if self.person is None:
            return None
        service = self.approval_service
        if service is None or not isinstance(service.policy, Policy):
            return "the policy cannot be read"
        environment = self.world.settings.environment or ""
        policy, person, people = service.policy, self.person, await service.people(self.person.user_id)
        target = Target(ASK, frozenset(), environment, self.channel_id, datetime.now(UTC))
        verdict = await service.judge_now(
            lambda target: judge(Right.REQUEST, person, target, policy, people), target, policy, person
        )
        return verdict.why if isinstance(verdict, Refused) else None
