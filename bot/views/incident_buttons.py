"""The buttons of an incident: at most three, fitting what is wrong, and the rest in the overflow menu.

All of them run command lines, so whoever may not is told so, and what changes something is asked for as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.commands._contract import Block
from bot.views.alert_buttons import next_steps
from bot.views.blocks import command_button, command_menu
from playbooks._diagnosis import BLAMED_FOR
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
    acknowledge, resolve = f"incident ack {incident.id}", ("Resolve…", f"incident resolve {incident.id}")
    menu = command_menu(_rest(incident, alerts))
    if incident.cleared_at is not None:  # nothing is left to restart or to roll back
        return [command_button(*resolve, style="primary"), command_button("Health", "health"), menu]
    steps = _remedies(incident, alerts)
    looks = [one for one in (("Health", "health"), ("Queue", "queue")) if one not in steps]
    if incident.state is IncidentState.OPEN:
        shown = [*steps, *looks][: MOST - 1]
        first = [command_button("Acknowledge", acknowledge, style="primary")]
    else:
        shown, first = [*[*steps, *looks][: MOST - 1], resolve], []
    is_sure = bool(steps) and _is_sure(incident, alerts)
    styled = ["primary" if is_sure and n == 0 else None for n in range(len(shown))]
    return [*first, *(command_button(*one, style=style) for one, style in zip(shown, styled, strict=True)), menu]


def owner_buttons(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[Block]:
    """For whoever has it, away from its thread: the first remedy, the logs, the end; the end alone once it is over."""
    resolve = ("Resolve…", f"incident resolve {incident.id}")
    if incident.cleared_at is not None:
        return [command_button(*resolve, style="primary"), command_button("Health", "health")]
    service, style = _service(incident), "primary" if _is_sure(incident, alerts) else None
    remedies = [command_button(*step, style=style) for step in _remedies(incident, alerts)[:1]]
    logs = [command_button(f"Logs of {service.short}", f"logs {service.short}")] if service else []
    return [*remedies, *logs, command_button(*resolve)]


def _remedies(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[tuple[str, str]]:
    """What the diagnosis found first. Until it has found anything, the way back comes first after a deploy."""
    rule = alerts[0].fingerprint.partition(".")[0] if alerts else "restarts"
    service = _service(incident)
    steps = next_steps(rule, service)
    if _is_deploy_suspected(incident, alerts):
        steps.sort(key=lambda step: not step[1].startswith("rollback "))
    if incident.remedy is None:
        return steps
    found = (_label(incident.remedy), incident.remedy)
    return [found, *(step for step in steps if step[1].split()[0] != incident.remedy.split()[0])]


def _label(remedy: str) -> str:
    """ "Roll back to 8d02b64e" of "rollback ingest to 8d02b64e"."""
    verb, *words = remedy.split()
    if verb == "rollback":
        return f"Roll back to {words[-1]}" if "to" in words else "Roll back…"
    return f"{verb.capitalize()} {words[0]}" if words else verb.capitalize()


def _is_sure(incident: Incident, alerts: Sequence[JoinedAlert]) -> bool:
    """Whether the first step deserves a primary button: the diagnosis found it, or a deploy was just made."""
    return incident.remedy is not None or _is_deploy_suspected(incident, alerts)


def _is_deploy_suspected(incident: Incident, alerts: Sequence[JoinedAlert]) -> bool:
    """A diagnosis that found another cause acquits the deploy."""
    return incident.diagnosis is None and was_deployed_lately(incident, alerts)


def was_deployed_lately(incident: Incident, alerts: Sequence[JoinedAlert]) -> bool:
    """Whether a commit was deployed to the service of an alert within half an hour before the trouble."""
    made = (incident.since - alert.deployed_at for alert in alerts if alert.deployed_at is not None)
    return any(timedelta() <= before <= BLAMED_FOR for before in made)


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
