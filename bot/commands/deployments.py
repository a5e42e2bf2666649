"""`deployments <service>`: the last 10, the active one, and those that a rollback can return to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands.arguments import need_service, no_more
from bot.types import Answer, Block, Request
from bot.views.blocks import actions, command_button, is_web_address, link_button, since, table, without_equal
from bot.views.findings import finding_data, findings_answer, unavailable_answer
from playbooks.checks.deployments import check
from playbooks.model import Finding
from services.clients.railway.client import RailwayClient
from services.domain.deployments import Deployment, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service, short_sha

if TYPE_CHECKING:
    from bot.world import World


COLUMNS = ("SHA", "Status", "Created", "Roll back to", "Deployment", "Commit or image")  # a phone shows 2 or 3
EQUAL = ("Roll back to",)  # left out if all deployments have the same value


def deployments_answer(
    service: Service,
    findings: Sequence[Finding],
    deployments: Sequence[Deployment],
    state: ServiceState | None,
    *,
    now: datetime,
) -> Answer:
    """`deployments`: newest first. `state`: None if Railway does not know the service or did not answer."""
    serving = state.serving if state else None
    serving_id = serving.id if serving else None
    cells = [_cells(deployment, serving_id, now) for deployment in deployments]
    title = f"deployments of {service.short}"
    data = finding_data(title, findings) | {
        "service": service.value,
        "serving": serving_id,
        "deployments": [_data(deployment) for deployment in deployments],
    }
    rows = table(*without_equal(COLUMNS, cells, EQUAL)) if cells else []
    return findings_answer(title, findings, data=data, extra=[*rows, *actions(_buttons(service, deployments, state))])


def _cells(deployment: Deployment, serving_id: str | None, now: datetime) -> tuple[str, ...]:
    subject = deployment.subject
    return (
        short_sha(deployment.commit_sha) if deployment.commit_sha else "",
        _status(deployment, runs=deployment.id == serving_id),
        f"{since(deployment.created_at, now)} ago",
        "possible" if deployment.can_rollback else "",
        deployment.short_id,
        f"{subject} ({deployment.author})" if deployment.author else subject,
    )


def _status(deployment: Deployment, *, runs: bool) -> str:
    """Railway's status word, with "runs" for the active deployment and "stopped"."""
    notes = [*(["runs"] if runs else []), *(["stopped"] if deployment.stopped else [])]
    return deployment.status.value + (f" ({', '.join(notes)})" if notes else "")


def _buttons(service: Service, deployments: Sequence[Deployment], state: ServiceState | None) -> list[Block]:
    """Logs, those of a failed deployment only if one is listed, and the service's page at Railway."""
    buttons = [command_button(f"Logs of {service.short}", f"logs {service.short}")]
    if any(deployment.status.is_failed for deployment in deployments):
        buttons.append(command_button("Logs of the failed one", f"logs {service.short} --failed"))
    link = state.link if state else None
    return [*buttons, link_button("Open in Railway", link)] if link and is_web_address(link) else buttons


def _data(deployment: Deployment) -> dict[str, object]:
    return {**asdict(deployment), "status": deployment.status.value}


SHOWN = 10


async def answer_deployments(request: Request, world: World) -> Answer:
    service = need_service(request.words, "deployments api")
    no_more(request.words, 1)
    async with asyncio.TaskGroup() as reads:
        services = reads.create_task(world.railway_services())
        deployments = reads.create_task(world.ask_railway(RailwayClient.list_deployments, service, limit=SHOWN))
    listed, states = deployments.result(), services.result()
    if isinstance(listed, Unavailable):
        return unavailable_answer(f"deployments of {service.short}", listed, private=False)
    state = None if isinstance(states, Unavailable) else states.get(service)
    findings = [finding for finding in check(states, world.system) if finding.service in (service, None)]
    return deployments_answer(service, findings, listed, state, now=datetime.now(UTC))
