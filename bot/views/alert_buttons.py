"""The next steps of an alert: at most two buttons and a menu. Acknowledging is its incident's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bot.commands._contract import Block
from bot.views.blocks import command_button, command_menu
from services.domain.alerts import Alert
from services.domain.services import Service

Steps = Sequence[tuple[str, str]]  # (label, command); "{service}" stands for the alert's service

_PROCESS: Steps = (("Restart {service}", "restart {service}"), ("Roll back…", "rollback {service}"))
_STEPS: Mapping[str, Steps] = MappingProxyType(
    {
        "heartbeats": _PROCESS,
        "workers": _PROCESS,
        "restarts": _PROCESS,
        "crash_loop": _PROCESS,
        "api": _PROCESS,
        "slow_api": _PROCESS,
        "intake": (("Intake", "intake"), ("Roll back…", "rollback {service}")),
        "database": (("Health", "health"), ("Check the settings", "check-config")),
        "visibility": (("Check the settings", "check-config"),),
        "backlog": (("Queue", "queue"), ("Heartbeats", "heartbeats")),
        "failed_jobs": (("Failed jobs", "failed-jobs 1h"), ("Queue", "queue")),
        "failure_rate": (("Failed jobs", "failed-jobs 1h"), ("Queue", "queue")),
        "exhausted": (("Failed jobs", "failed-jobs 1h"),),
        "orphaned": (("Requeue orphans", "requeue orphans"), ("Queue", "queue")),
        "contention": (("Queue", "queue"),),
        "deployments": (("Deployments", "deployments {service}"), ("Roll back…", "rollback {service}")),
        "sha": (("Compare SHAs", "sha"),),
        "migrations": (("Migrations", "migrations"),),
        "grants": (("Security audit", "security-audit"),),
        "locks": (("How to unlock", "help unlock"),),
        "freezes": (("How to unlock", "help unlock"),),
        "oncall": (("On call", "oncall"),),
        "blindness": (("Check the settings", "check-config"),),
    }
)


def alert_buttons(alert: Alert) -> list[Block]:
    """What one most probably does next, then the menu: logs, silence, stop, why."""
    steps = [command_button(label, command) for label, command in next_steps(alert.rule, alert.service)]
    return [*(steps or [command_button("Health", "health")]), command_menu(_menu(alert))]


def next_steps(rule: str, service: Service | None) -> list[tuple[str, str]]:
    """(label, command) of what fits a rule, without what needs a service that it does not name."""
    short = service.short if service else ""
    return [
        (label.format(service=short), command.format(service=short))
        for label, command in _STEPS.get(rule, ())
        if short or "{service}" not in command
    ]


def _menu(alert: Alert) -> list[tuple[str, str]]:
    short = alert.service.short if alert.service else ""
    logs = [(f"Logs of {short}", f"logs {short}")] if short else []
    stop = [(f"Stop {short}…", f"stop-workers {short}")] if alert.service not in (None, Service.API) else []
    silence = ("Silence for 1 h…", f"silence {alert.fingerprint} 1h")
    return [*logs, silence, *stop, ("Why was this told?", f"why {alert.fingerprint}")]
