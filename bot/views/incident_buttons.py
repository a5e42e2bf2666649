"""An incident's buttons, chosen by its alerts and its cause.

All run command lines, so permissions are checked and changes are requested as usual.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.types import Block
from bot.views.alerts import next_steps
from bot.views.blocks import command_button, command_menu
from playbooks.last_deploys import RAN_WELL
from playbooks.service_causes import BLAMED_FOR
from services.domain.alerts import CALM, read_page_line
from services.domain.incidents import Incident, IncidentState, JoinedAlert
from services.domain.services import Service, find_service

MOST = 3


def buttons(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[Block]:
    """The buttons, most likely first; for a resolved incident only timeline and postmortem.

    A remedy that the diagnosis found comes last if it is not among the others."""
    if incident.state is IncidentState.RESOLVED:
        return [
            command_button("Timeline", f"incident timeline {incident.id}"),
            command_button("Draft postmortem", f"incident draft {incident.id}"),
            command_button("Postmortem", f"incident export {incident.id}"),
        ]
    acknowledge, resolve = f"incident ack {incident.id}", ("Resolve…", f"incident resolve {incident.id}")
    menu = command_menu(_menu_items(incident, alerts))
    if incident.cleared_at is not None or (incident.state is IncidentState.ACKNOWLEDGED and is_calm(alerts)):
        # nothing is left to restart or to roll back
        return [command_button(*resolve, style="primary"), command_button("Health", "health"), menu]
    steps = _remedies(incident)
    read_steps = [one for one in (("Health", "health"), ("Queue", "queue")) if one not in steps]
    if incident.state is IncidentState.OPEN:
        shown = [*([] if is_calm(alerts) else steps), *read_steps][: MOST - 1]
        first = [command_button("Acknowledge", acknowledge, style="primary")]
    else:
        shown, first = [*[*steps, *read_steps][: MOST - 1], resolve], []
    sure = None if is_calm(alerts) else _green_command(incident, steps)
    row = [command_button(*one, style="primary" if one[1] == sure else None) for one in shown]
    return [*first, *row, menu, *_extra_button(sure, shown)]


def owner_buttons(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[Block]:
    """Buttons for the owner outside the thread: first remedy, logs, *Resolve*; after clearing no remedy or logs."""
    resolve = ("Resolve…", f"incident resolve {incident.id}")
    if incident.cleared_at is not None or is_calm(alerts):
        return [command_button(*resolve, style="primary"), command_button("Health", "health")]
    service, steps = _service(incident), _remedies(incident)
    sure = _green_command(incident, steps)
    logs = [(f"Logs of {service.short}", f"logs {service.short}")] if service else []
    shown = [*steps[:1], *logs, resolve]
    row = [command_button(*step, style="primary" if step[1] == sure else None) for step in shown]
    return [*row, *_extra_button(sure, shown)]


def is_calm(alerts: Sequence[JoinedAlert]) -> bool:
    """True if all firing alerts have recovered and are only watched because they fired again before."""
    firing = firing_alerts(alerts)
    return bool(firing) and all(map(is_watched, firing))


def firing_alerts(alerts: Sequence[JoinedAlert]) -> list[JoinedAlert]:
    """The alerts that are not over; recovered, watched ones last."""
    return sorted((one for one in alerts if one.cleared_at is None), key=is_watched)


def is_watched(alert: JoinedAlert) -> bool:
    return any(words.startswith(CALM) for words in read_page_line(alert.line).rest)


def _remedies(incident: Incident) -> list[tuple[str, str]]:
    """The remedies in the order of the incident's opening, so that no button moves while someone taps. A later
    diagnosis only makes one of them exact and green."""
    rule = incident.fingerprint.partition(".")[0] if incident.fingerprint else "restarts"
    steps = next_steps(rule, _service(incident))
    if _is_deploy_suspected(incident):
        steps.sort(key=lambda step: not step[1].startswith("rollback "))
    if incident.remedy is None:
        return steps
    verb, found = incident.remedy.split()[0], (_label(incident.remedy), incident.remedy)
    return [found if step[1].split()[0] == verb else step for step in steps]


def _extra_button(sure: str | None, shown: Sequence[tuple[str, str]]) -> list[Block]:
    """The green button if it is not among the shown ones; placed after all others, so that none moves."""
    if sure is None or any(command == sure for _, command in shown):
        return []
    return [command_button(_label(sure), sure, style="primary")]


def _label(remedy: str) -> str:
    """ "Roll back to 8d02b64e" for "rollback ingest to 8d02b64e"."""
    verb, *words = remedy.split()
    if verb == "rollback":
        return f"Roll back to {words[-1]}" if "to" in words else "Roll back…"
    return f"{verb.capitalize()} {words[0]}" if words else verb.capitalize()


def _green_command(incident: Incident, steps: Sequence[tuple[str, str]]) -> str | None:
    """The command of the green button: the diagnosis's remedy, or the rollback of a deploy just before the problem.

    A diagnosis with another cause clears the deploy of suspicion."""
    if incident.remedy is not None or incident.diagnosis is not None:
        return incident.remedy
    if not _is_deploy_suspected(incident, within=RAN_WELL):
        return None
    return next((command for _, command in steps if command.startswith("rollback ")), None)


def _is_deploy_suspected(incident: Incident, *, within: timedelta = BLAMED_FOR) -> bool:
    """True if the deploy suspected at the opening was made at most `within` before the problem."""
    made = incident.deployed_at
    return made is not None and timedelta() <= incident.since - made <= within


def _menu_items(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[tuple[str, str]]:
    """The menu's items; at most 5, Slack's limit of an overflow menu."""
    service = _service(incident)
    lines = [("Resolve…", f"incident resolve {incident.id}"), ("Escalate now", f"incident escalate {incident.id}")]
    if incident.state is IncidentState.ACKNOWLEDGED or incident.cleared_at is not None:
        lines[0] = ("Take over", f"incident ack {incident.id}")
    firing = next((alert for alert in alerts if alert.cleared_at is None), None)
    lines.append(("Ask…", "ask"))  # the diagnosis below has a button for logs
    if service is not None and service.worker_type is not None:
        lines.append((f"Stop {service.short} now…", f"stop-workers {service.short}"))
    if firing is not None:  # last: it disappears with the alert, and the others keep their places
        lines.append(("Silence for 1 h", f"silence {firing.fingerprint} 1h incident {incident.id}"))
    return lines


def _service(incident: Incident) -> Service | None:
    """The incident's service; None if it has none or several."""
    return find_service(incident.services[0]) if len(incident.services) == 1 else None
