"""The results of playbooks: findings with their next step, or why there is no plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.domain.services import Service
from services.domain.status import Risk as Risk
from services.domain.status import Status as Status


@dataclass(frozen=True)
class NextStep:
    """The next step for a finding: a button in Slack, a line on the terminal.

    `label` has at most 30 characters; `command` is the text after `/dragonfly` ("logs ingest"). `url` instead of a
    command opens a page (Railway's dashboard, a runbook section).
    """

    label: str
    command: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    `title` and `detail` are plain text, one short line each; they may hold untrusted words, and views escape them.
    `evidence` is JSON-able and holds no secret or personal data: the numbers behind the words, for `--json` and alerts.
    `was_wrong`: the start and the end of a problem that is over; its status is OK then.
    """

    check: str
    status: Status
    title: str
    detail: str = ""
    service: Service | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    next_step: NextStep | None = None
    was_wrong: tuple[datetime, datetime] | None = None


def worst(findings: Iterable[Finding]) -> Status:
    """The most urgent status among the findings; UNKNOWN if there are none, because nothing was checked."""
    return max((finding.status for finding in findings), key=lambda status: status.urgency, default=Status.UNKNOWN)


def wrong_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, most urgent first, otherwise in the given order."""
    return sorted(findings, key=lambda finding: -finding.status.urgency)


@dataclass(frozen=True)
class NoPlan:
    """The reason why there is nothing to do or it must not be done, and what to do instead. No plan is stored.

    `is_unknown`: True if only a fact is unavailable, which says nothing about a plan that was made before.
    """

    why: str
    what_next: str
    next_steps: tuple[NextStep, ...] = ()
    is_unknown: bool = False


def gate(kind: str, name: str, findings: Sequence[Finding]) -> Finding:
    """`<kind>.<name>`: one finding with the most urgent one's title; its evidence has every check."""
    first, *others = wrong_first(findings)
    alike = others if first.status is Status.OK else [one for one in others if one.status is not Status.OK]
    more = f", and {len(alike)} more" if alike else ""
    evidence = {finding.check: {"status": finding.status.value, "title": finding.title} for finding in findings}
    slug = name.lower().replace(" ", "_")
    title = f"{name}: {first.title}{more}"
    return Finding(f"{kind}.{slug}", worst(findings), title, first.detail, evidence=evidence, next_step=first.next_step)
