"""An incident's buttons: what fits its alerts and its cause.

All of them run command lines, so permissions are checked as usual, and changes are requested as usual.
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
    """In the order of what one most probably wants; none once it is resolved but the way to its story.

    What the diagnosis found comes last where none of them is it."""
    if incident.state is IncidentState.RESOLVED:
        return [
            command_button("Timeline", f"incident timeline {incident.id}"),
            command_button("Draft postmortem", f"incident draft {incident.id}"),
            command_button("Postmortem", f"incident export {incident.id}"),
        ]
    acknowledge, resolve = f"incident ack {incident.id}", ("Resolve…", f"incident resolve {incident.id}")
    menu = command_menu(_rest(incident, alerts))
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
    sure = None if is_calm(alerts) else _sure(incident, steps)
    row = [command_button(*one, style="primary" if one[1] == sure else None) for one in shown]
    return [*first, *row, menu, *_found_later(sure, shown)]


def owner_buttons(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[Block]:
    """For its owner, outside its thread: the first remedy, the logs, *Resolve*; only *Resolve* once it has cleared."""
    resolve = ("Resolve…", f"incident resolve {incident.id}")
    if incident.cleared_at is not None or is_calm(alerts):
        return [command_button(*resolve, style="primary"), command_button("Health", "health")]
    service, steps = _service(incident), _remedies(incident)
    sure = _sure(incident, steps)
    logs = [(f"Logs of {service.short}", f"logs {service.short}")] if service else []
    shown = [*steps[:1], *logs, resolve]
    row = [command_button(*step, style="primary" if step[1] == sure else None) for step in shown]
    return [*row, *_found_later(sure, shown)]


def is_calm(alerts: Sequence[JoinedAlert]) -> bool:
    """Whether all that still fires is fine now, and only watched because it came back before."""
    firing = firing_alerts(alerts)
    return bool(firing) and all(map(is_watched, firing))


def firing_alerts(alerts: Sequence[JoinedAlert]) -> list[JoinedAlert]:
    """Those that are not over; what is fine and only watched comes last."""
    return sorted((one for one in alerts if one.cleared_at is None), key=is_watched)


def is_watched(alert: JoinedAlert) -> bool:
    return any(words.startswith(CALM) for words in read_page_line(alert.line).rest)


def _remedies(incident: Incident) -> list[tuple[str, str]]:
    """In the order that was right when it opened, so that no button moves under a thumb: what is learned later makes
    one of them exact, and green."""
    rule = incident.fingerprint.partition(".")[0] if incident.fingerprint else "restarts"
    steps = next_steps(rule, _service(incident))
    if _is_deploy_suspected(incident):
        steps.sort(key=lambda step: not step[1].startswith("rollback "))
    if incident.remedy is None:
        return steps
    verb, found = incident.remedy.split()[0], (_label(incident.remedy), incident.remedy)
    return [found if step[1].split()[0] == verb else step for step in steps]


def _found_later(sure: str | None, shown: Sequence[tuple[str, str]]) -> list[Block]:
    """The green button that none of the shown ones is: after all of them, the menu too, so that it moves none."""
    if sure is None or any(command == sure for _, command in shown):
        return []
    return [command_button(_label(sure), sure, style="primary")]


def _label(remedy: str) -> str:
    """ "Roll back to 8d02b64e" of "rollback ingest to 8d02b64e"."""
    verb, *words = remedy.split()
    if verb == "rollback":
        return f"Roll back to {words[-1]}" if "to" in words else "Roll back…"
    return f"{verb.capitalize()} {words[0]}" if words else verb.capitalize()


def _sure(incident: Incident, steps: Sequence[tuple[str, str]]) -> str | None:
    """The command whose button is green: the remedy that the diagnosis found, or the way back from a deploy just made.

    A diagnosis that found another cause acquits the deploy."""
    if incident.remedy is not None or incident.diagnosis is not None:
        return incident.remedy
    if not _is_deploy_suspected(incident, within=RAN_WELL):
        return None
    return next((command for _, command in steps if command.startswith("rollback ")), None)


def _is_deploy_suspected(incident: Incident, *, within: timedelta = BLAMED_FOR) -> bool:
    """Whether what was suspected as it opened was deployed so shortly before the problem."""
    made = incident.deployed_at
    return made is not None and timedelta() <= incident.since - made <= within


def _rest(incident: Incident, alerts: Sequence[JoinedAlert]) -> list[tuple[str, str]]:
    """Five at most: Slack's limit of an overflow menu."""
    service = _service(incident)
    lines = [("Resolve…", f"incident resolve {incident.id}"), ("Escalate now", f"incident escalate {incident.id}")]
    if incident.state is IncidentState.ACKNOWLEDGED or incident.cleared_at is not None:
        lines[0] = ("Take over", f"incident ack {incident.id}")
    firing = next((alert for alert in alerts if alert.cleared_at is None), None)
    lines.append(("Ask…", "ask"))  # logs are a button of the diagnosis below
    if service is not None and service.worker_type is not None:
        lines.append((f"Stop {service.short} now…", f"stop-workers {service.short}"))
    if firing is not None:  # last: it goes with the alert, and the others keep their places
        lines.append(("Silence for 1 h", f"silence {firing.fingerprint} 1h incident {incident.id}"))
    return lines


def _service(incident: Incident) -> Service | None:
    """The one service that it is about."""
    return find_service(incident.services[0]) if len(incident.services) == 1 else None
