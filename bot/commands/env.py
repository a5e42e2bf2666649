"""`env [service]`: checks that the runbook's variables are set, well-formed and consistent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bot.commands.arguments import no_more, parse_service
from bot.facts.preflight import gather_env
from bot.types import Answer, Block, Request
from bot.views.blocks import actions, context, fit_message, is_web_address, link_button, section
from bot.views.findings import SIGN, WORD, finding_data, finding_line
from bot.world import World
from playbooks import env
from playbooks.model import Finding, Status, worst, wrong_first
from services.domain.errors import Unavailable
from services.domain.services import Service


def env_answer(found: Mapping[Service, Sequence[Finding]], links: Mapping[Service, str | None]) -> Answer:
    """`links`: addresses of the services in Railway, where variables are changed. The answer is private."""
    findings = [finding for own in found.values() for finding in own]
    first = _headline(found)
    ordered = sorted(found, key=lambda service: -worst(found[service]).urgency)
    blocks: list[Block] = [section(first), *(section("\n".join(_lines(s, found[s]))) for s in ordered)]
    buttons = [link_button(f"{s.short} in Railway", url) for s, url in links.items() if url and is_web_address(url)]
    blocks += [*actions(buttons), context("Only names and states: no value leaves the bot.")]
    text = "\n".join([first, *(line for service in ordered for line in _lines(service, found[service]))])
    data = finding_data("env", findings)
    return Answer(*fit_message(text, blocks), data, worst(findings), private=True)


def _headline(found: Mapping[Service, Sequence[Finding]]) -> str:
    status = worst(finding for own in found.values() for finding in own)
    wrong = {service: _wrong(own) for service, own in found.items() if _wrong(own)}
    if not wrong:
        return f"{SIGN[status]} *The variables of {', '.join(s.short for s in found)} are fine*"
    counts = ", ".join(f"{service.short} {count}" for service, count in wrong.items())
    return f"{SIGN[status]} *{WORD[status]} · variables to check: {counts}*"


def _wrong(findings: Sequence[Finding]) -> int:
    return sum(finding.status is not Status.OK for finding in findings)


def _lines(service: Service, findings: Sequence[Finding]) -> Iterator[str]:
    yield f"*{service.short}*"
    for finding in wrong_first(findings):
        yield finding_line(finding)


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 1)
    targets = world.system.services if not request.words else (parse_service(request.words[0]),)
    facts = await gather_env(world, targets)
    states = {} if isinstance(facts.services, Unavailable) else facts.services
    links = {service: states[service].link for service in targets if service in states}
    return env_answer(env.check(facts), links)
