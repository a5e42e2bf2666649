"""`sha`: the deployed commit of each service, and the commit that it reports itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.commands.arguments import no_more
from bot.facts.verify import gather_sha
from bot.types import Answer, Request
from bot.views.blocks import context, fit_message, section
from bot.views.findings import SIGN, WORD, as_of, finding_data, finding_line, step_button
from bot.views.text import date_token, escape
from bot.world import World
from playbooks import sha
from playbooks.model import Finding, NextStep, Status, worst
from playbooks.sha import ServiceSha
from services.domain.deployments import Deployment
from services.domain.errors import Unavailable
from services.domain.services import short_sha


def sha_answer(rows: Sequence[ServiceSha], overall: Finding, *, moment: datetime) -> Answer:
    """`overall`: the finding on whether all services run the same commit."""
    findings = [*(row.finding for row in rows), overall]
    wrong = sorted((row for row in rows if row.finding.status is not Status.OK), key=_urgency)
    first = finding_line(wrong[0].finding if _is_worse(wrong, overall) else overall)
    ordered = [*wrong, *(row for row in rows if row.finding.status is Status.OK)]
    blocks = [section(first), *(section(_row(row), accessory=_button(row)) for row in ordered)]
    blocks.append(context(as_of(moment)))
    data = {**finding_data("sha", findings), "as_of": moment.isoformat(), "services": [_data(row) for row in rows]}
    text = "\n".join([first, *map(_row, ordered)])
    return Answer(*fit_message(text, blocks), data, worst(findings))


def _urgency(row: ServiceSha) -> int:
    return -row.finding.status.urgency


def _is_worse(wrong: Sequence[ServiceSha], overall: Finding) -> bool:
    return bool(wrong) and wrong[0].finding.status.urgency > overall.status.urgency


def _row(row: ServiceSha) -> str:
    status = row.finding.status
    word = "" if status is Status.OK else f"{WORD[status].lower()}: "
    lines = [f"{SIGN[status]} {word}*{row.service.short}* {_reported(row)} · {_deployed(row.deployed)}"]
    if isinstance(row.deployed, Deployment) and row.deployed.commit_message:
        lines.append(f"> {escape(row.deployed.commit_message, limit=200)}")
    return "\n".join(lines)


def _reported(row: ServiceSha) -> str:
    if isinstance(row.reported, Unavailable):
        return f"does not report it ({escape(row.reported.why, limit=200)})"
    return "runs " + (" and ".join(escape(short_sha(sha), limit=40) for sha in row.reported) or "nothing")


def _deployed(deployed: Deployment | Unavailable | None) -> str:
    if isinstance(deployed, Unavailable):
        return f"deployed unknown ({escape(deployed.why, limit=200)})"
    if deployed is None:
        return "nothing is deployed"
    by = f" by {escape(deployed.author, limit=100)}" if deployed.author else ""
    return f"deployed {escape(short_sha(deployed.commit_sha), limit=40)} {date_token(deployed.created_at)}{by}"


def _button(row: ServiceSha) -> dict[str, object] | None:
    if row.finding.status is Status.OK:
        return None
    return step_button(NextStep(f"Deployments of {row.service.short}", f"deployments {row.service.short}"))


def _data(row: ServiceSha) -> dict[str, object]:
    deployed = row.deployed if isinstance(row.deployed, Deployment) else None
    return {
        "service": row.service.value,
        "deployed": deployed.commit_sha if deployed else None,
        "deployed_at": deployed.created_at.isoformat() if deployed else None,
        "author": deployed.author if deployed else None,
        "message": deployed.commit_message if deployed else None,
        "reported": None if isinstance(row.reported, Unavailable) else list(row.reported),
        "status": row.finding.status.value,
    }


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    facts = await gather_sha(world)
    return sha_answer(sha.compare(facts), sha.overall(facts), moment=facts.as_of)
