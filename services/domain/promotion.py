"""Proof for another environment's bot that this one deployed and verified a commit, signed with a shared secret.

People carry the proof as text from bot to bot, because neither can reach the other's database or Railway.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.domain.environments import is_production
from services.domain.runs import Run, RunState, RunStep, is_proved
from services.domain.secrets import Secret

PROOF = "proof"  # the deploy parameter with the signed proof: part of the approved plan
VALID_FOR = timedelta(days=7)  # an older proof was made with other migrations and other data
CLOCKS_DIFFER = timedelta(minutes=5)
_WHOLE_SHA = re.compile(r"[0-9a-f]{40}\Z")
_SHAPE = re.compile(
    r"[a-z0-9-]{1,40}:[a-z0-9_-]{1,31}:[a-z-]{1,40}:[0-9a-f]{40}:[1-9]\d{0,9}:\d{9,11}"
    r"(?::https?://[A-Za-z0-9.:/_-]{1,200})?:[0-9a-f]{64}\Z"
)


@dataclass(frozen=True)
class Proof:
    """A verified deploy in one environment. `command`: the slash command of the bot that gave the proof, without the
    slash. `scope`: "api", "workers" or "all". `sha`: 40 characters. `run_id`: of that bot. `ended_at`: timezone-aware.
    `link`: to the run's message; None if Slack did not have it."""

    environment: str
    command: str
    scope: str
    sha: str
    run_id: int
    ended_at: datetime
    link: str | None = None

    @property
    def text(self) -> str:
        """The text that is signed."""
        ended = int(self.ended_at.timestamp())
        link = f":{self.link}" if self.link else ""
        return f"{self.environment}:{self.command}:{self.scope}:{self.sha}:{self.run_id}:{ended}{link}"


def sign(proof: Proof, secret: Secret) -> str:
    """The proof with its signature, in one word."""
    return f"{proof.text}:{_signature(proof.text, secret)}"


def read_proof(word: str, secret: Secret) -> Proof | None:
    """Parse and verify a proof; None if it is malformed or not signed with this secret."""
    text, _, signature = word.rpartition(":")
    if not _SHAPE.match(word) or not hmac.compare_digest(signature, _signature(text, secret)):
        return None
    return stored_proof(word)


def stored_proof(word: str) -> Proof | None:
    """Parse a proof from a run's parameters, which was verified when the run was planned; None if it is malformed."""
    if not _SHAPE.match(word):
        return None
    environment, command, scope, sha, run_id, ended, *link = word.rpartition(":")[0].split(":", 6)
    at = datetime.fromtimestamp(int(ended), UTC)
    return Proof(environment, command, scope, sha, int(run_id), at, link[0] if link else None)


def why_not_proved(run: Run, steps: Sequence[RunStep]) -> str | None:
    """Why this run proves no commit; None if it does: it is a deploy, each step was read back, and no step was marked
    done by a person."""
    if run.playbook != "deploy":
        return f"run {run.id} is a {run.playbook}, and only a deploy proves a commit"
    if run.state is not RunState.SUCCEEDED or run.ended_at is None:
        return f"run {run.id} is {run.state.value.replace('_', ' ')}, and only one that succeeded proves a commit"
    if is_production(run.environment):
        return f"it ran in {run.environment}, from which nothing is promoted"
    if not _WHOLE_SHA.match(run.parameters.get("sha", "")):
        return f"run {run.id} names its commit in short, and a proof needs all 40 characters"
    return None if is_proved(run.state, steps) else _what_is_not_proved(run, steps)


def _what_is_not_proved(run: Run, steps: Sequence[RunStep]) -> str:
    first = next((step for step in steps if not step.is_proved), None)
    if first is None:
        return f"the steps of run {run.id} are not kept any more"
    return f"step {first.position + 1} of run {run.id} is not proved, and a proof needs every step to be"


def why_not_promoted(proof: Proof, *, environment: str, now: datetime) -> str | None:
    """Why the proof isn't accepted here; None if it is."""
    age = now - proof.ended_at
    if proof.environment == environment:
        return f"it comes from {environment} itself, and a proof has to come from another environment"
    if age > VALID_FOR:
        return f"it is {age.days} days old, and counts for {VALID_FOR.days} days"
    if age < -CLOCKS_DIFFER:
        return "its time lies in the future: the clock of one of the two bots is wrong"
    return None


def _signature(text: str, secret: Secret) -> str:
    return hmac.new(secret.reveal().encode(), f"dragonfly promotion\n{text}".encode(), hashlib.sha256).hexdigest()
