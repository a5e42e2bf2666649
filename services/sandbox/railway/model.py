"""The local Railway's configuration: services, commits, pace and faults."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from services.sandbox.railway.faulty import FAULTY_MODULE


class Behaviour(StrEnum):
    """The behavior of a commit's deployments. All good commits run the same code under different SHAs."""

    GOOD = "good"
    CRASHES = "crashes at start"
    ANSWERS_503 = "runs but answers 503"


@dataclass(frozen=True)
class Commit:
    """One commit; `sha` has 40 characters."""

    sha: str
    message: str
    author: str
    behaviour: Behaviour = Behaviour.GOOD


# Oldest first. A new sandbox deploys the last good one; the good ones before it are its past deployments.
HISTORY: tuple[Commit, ...] = (
    Commit("3f1c9a7be04d52c86a91f0d7e35b284cc60a19de", "Accept Excel's semicolons in CSV uploads", "Ana Ruiz"),
    Commit("8d02b64ef7731a5c9e4418b0c2f96d53a7e0b14f", "Index failed jobs by their last update", "Tom Okafor"),
    Commit("c45e17a90b8f3d62e1740ca85d9b36f2081ce7d4", "Show the batch's row counts in the intake health", "Ana Ruiz"),
    Commit(
        "e9a70d3b5c1f48267f0be92d61a83c745d20f6b8",
        "Read the fee schedule at import time",
        "Tom Okafor",
        Behaviour.CRASHES,
    ),
    Commit(
        "b2680fd94a3e7c51d80496be7f12c5a3908d61ef",
        "Check the licence before every request",
        "Mia Chen",
        Behaviour.ANSWERS_503,
    ),
)


def find_commit(commits: tuple[Commit, ...], sha: str) -> Commit | None:
    """The one commit that begins with `sha` (at least 7 characters); None if there is none."""
    found = [commit for commit in commits if len(sha) >= 7 and commit.sha.startswith(sha.lower())]
    return found[0] if len(found) == 1 else None


def newest_good(commits: tuple[Commit, ...]) -> Commit:
    """The newest commit that works."""
    return next(commit for commit in reversed(commits) if commit.behaviour is Behaviour.GOOD)


@dataclass
class Faults:
    """The faults of the GraphQL endpoint, all off by default.

    `http_status`: answer this instead (429 comes with `retry_after_s`). `delay_s`: wait before every answer.
    `malformed`: answer invalid JSON. `refuse_token`: as if the token had been revoked. `ignore_changes`: mutations
    answer `true`, and nothing changes.
    """

    http_status: int | None = None
    retry_after_s: int = 30
    delay_s: float = 0.0
    malformed: bool = False
    refuse_token: bool = False
    ignore_changes: bool = False


REGION = "europe-west4-drams3a"  # one of Railway's region ids


class InstanceStatus(StrEnum):
    """The values of Railway's `DeploymentInstanceStatus` that occur here."""

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

    `healthcheck_path` None: a deployment succeeds as soon as its processes are started, as with Railway. `is_public`:
    the edge forwards to it.
    """

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    healthcheck_path: str | None = None
    is_public: bool = False

    @property
    def start_command(self) -> str:
        """The command as Railway shows it."""
        return " ".join(self.command)

    def command_of(self, commit: Commit) -> tuple[str, ...]:
        """The command that really runs for a commit."""
        faulty = {Behaviour.CRASHES: "crash", Behaviour.ANSWERS_503: "answer-503"}.get(commit.behaviour)
        if faulty:
            return (sys.executable, "-m", FAULTY_MODULE, faulty)
        first, *rest = self.command
        return (sys.executable if first == "python" else first, *rest)


@dataclass(frozen=True)
class Pace:
    """Durations in seconds, short, so that a demo is not boring."""

    appear_after_s: float = 0.3  # a new deployment is not listed at once
    initialize_s: float = 0.3
    build_s: float = 1.5
    healthcheck_timeout_s: float = 30.0
    healthcheck_every_s: float = 0.2
    draining_s: int = 25  # from SIGTERM to SIGKILL; the API gives its requests 20
    shutdown_s: float = 6.0  # the same when the sandbox itself ends
    restart_delay_s: float = 0.5
    max_restarts: int = 3  # Railway's default is 10


@dataclass(frozen=True)
class Place:
    """The environment's ids (UUIDs) and name; `directory` is the working directory of the processes."""

    project_id: str
    environment_id: str
    environment_name: str
    directory: Path

    def variables_of(self, service_id: str, service_name: str) -> dict[str, str]:
        """The variables that Railway itself adds to a service's."""
        return {
            "RAILWAY_PROJECT_ID": self.project_id,
            "RAILWAY_ENVIRONMENT_ID": self.environment_id,
            "RAILWAY_ENVIRONMENT_NAME": self.environment_name,
            "RAILWAY_SERVICE_ID": service_id,
            "RAILWAY_SERVICE_NAME": service_name,
        }
