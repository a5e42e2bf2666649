"""What the local Railway is told: its services, and how fast it moves."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from services.sandbox.railway.commits import Behaviour, Commit
from services.sandbox.railway.faulty import FAULTY_MODULE

REGION = "europe-west4-drams3a"  # one of Railway's region ids


class InstanceStatus(StrEnum):
    """The values of Railway's `DeploymentInstanceStatus` that happen here."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    RESTARTING = "RESTARTING"
    CRASHED = "CRASHED"
    EXITED = "EXITED"
    STOPPED = "STOPPED"
    REMOVING = "REMOVING"
    REMOVED = "REMOVED"


@dataclass(frozen=True)
class ServiceSpec:
    """One service. `command` as in the Procfile ("python", "-m", "services.api"); "python" is this interpreter.

    `healthcheck_path` None: a deployment counts as soon as its processes are started, as with Railway.
    `is_public`: the edge forwards to it.
    """

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    healthcheck_path: str | None = None
    is_public: bool = False

    @property
    def start_command(self) -> str:
        """As Railway shows it."""
        return " ".join(self.command)

    def command_of(self, commit: Commit) -> tuple[str, ...]:
        """What really runs for a commit."""
        faulty = {Behaviour.CRASHES: "crash", Behaviour.ANSWERS_503: "answer-503"}.get(commit.behaviour)
        if faulty:
            return (sys.executable, "-m", FAULTY_MODULE, faulty)
        first, *rest = self.command
        return (sys.executable if first == "python" else first, *rest)


@dataclass(frozen=True)
class Pace:
    """How long things take, in seconds: short, so that a demo is not boring."""

    appear_after_s: float = 0.3  # a new deployment is not listed at once
    initialize_s: float = 0.3
    build_s: float = 1.5
    healthcheck_timeout_s: float = 30.0
    healthcheck_every_s: float = 0.2
    draining_s: int = 25  # SIGTERM, this long, SIGKILL; the API gives its requests 20
    shutdown_s: float = 6.0  # the same when the sandbox itself ends
    restart_delay_s: float = 0.5
    max_restarts: int = 3  # Railway's default is 10


@dataclass(frozen=True)
class Place:
    """Where everything lives. The ids are UUIDs; `directory` is where the processes start."""

    project_id: str
    environment_id: str
    environment_name: str
    directory: Path

    def variables_of(self, service_id: str, service_name: str) -> dict[str, str]:
        """What Railway itself adds to a service's variables."""
        return {
            "RAILWAY_PROJECT_ID": self.project_id,
            "RAILWAY_ENVIRONMENT_ID": self.environment_id,
            "RAILWAY_ENVIRONMENT_NAME": self.environment_name,
            "RAILWAY_SERVICE_ID": service_id,
            "RAILWAY_SERVICE_NAME": service_name,
        }
