"""The buttons of an incident: at most three, fitting what is wrong, and the rest in the overflow menu.

All of them run command lines, so whoever may not is told so, and what changes something is asked for as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Block
from bot.views.alert_buttons import next_steps
from bot.views.blocks import command_button, command_menu
from services.domain.incidents import Incident, IncidentState, JoinedAlert
from services.domain.services import Service, find_service

MOST = 3


def buttons(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[Block]:
    """In the order of what one most probably wants; none once it is resolved but the way to its story."""
    if incident.state is IncidentState.RESOLVED:
        return [
            command_button("Timeline", f"incident timeline {incident.id}"),
            command_button("Postmortem", f"incident export {incident.id}"),
        ]
    first = _first(incident)
    fitting = list(dict.fromkeys([*_remedies(incident, alerts), ("Health", "health"), ("Queue", "queue")]))
    shown = fitting[: MOST - 1]
    return [first, *(command_button(label, line) for label, line in shown), command_menu(_rest(incident, alerts))]


def _first(incident: Incident) -> Block:
    if incident.state is IncidentState.OPEN and incident.cleared_at is None:
        return command_button("Acknowledge", f"incident ack {incident.id}", style="primary")
    return command_button("Resolve…", f"incident resolve {incident.id}", style="primary")


def _remedies(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[tuple[str, str]]:
    """What the rule of the first alert proposes; without one, what is done to a process."""
    rule = alerts[0].fingerprint.partition(".")[0] if alerts else "restarts"
    return next_steps(rule, _service(incident))


def _rest(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[tuple[str, str]]:
    """Five at most: Slack's limit of an overflow menu."""
    service = _service(incident)
    lines = [("Resolve…", f"incident resolve {incident.id}"), ("Escalate now", f"incident escalate {incident.id}")]
    if incident.state is IncidentState.ACKNOWLEDGED or incident.cleared_at is not None:
        lines[0] = ("Take over", f"incident ack {incident.id}")
    firing = next((alert for alert in alerts if alert.cleared_at is None), None)
    if service is not None:
        lines.append((f"Logs of {service.short}", f"logs {service.short}"))
    if firing is not None:
        lines.append(("Silence for 1 h", f"silence {firing.fingerprint} 1h incident {incident.id}"))
    if service is not None and service.worker_type is not None:
        lines.append((f"Stop {service.short} now…", f"stop-workers {service.short}"))
    return lines


def _service(incident: Incident) -> Service | None:
    """The one service that it is about."""
    return find_service(incident.services[0]) if len(incident.services) == 1 else None
