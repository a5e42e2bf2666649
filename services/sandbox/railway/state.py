"""What the local Railway remembers from one start to the next: ids, replicas and deployments, as one JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from services.domain.deployments import DeploymentStatus
from services.sandbox.railway.commits import Commit, find_commit
from services.sandbox.railway.records import DeploymentRecord
from services.sandbox.railway.runner import ServiceRunner

KEPT_DEPLOYMENTS = 50  # a service
FORMAT = 1

Json = Mapping[str, Any]


def read_state(path: Path) -> Json:
    """The file's content; empty when there is none or it is of another format: then everything starts anew."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return state if isinstance(state, dict) and state.get("format") == FORMAT else {}


def write_state(path: Path, project_id: str, environment_id: str, services: Sequence[ServiceRunner]) -> None:
    """Replaces the file at once, so that a crash leaves the old one. Raises OSError."""
    state = {
        "format": FORMAT,
        "project_id": project_id,
        "environment_id": environment_id,
        "services": {service.spec.name: _dump_service(service) for service in services},
    }
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
    draft.replace(path)


def restore_service(service: ServiceRunner, saved: Json, commits: tuple[Commit, ...]) -> DeploymentRecord | None:
    """Put the saved deployments into the service. The one that was active, to be resumed; None when there was none."""
    service.id = saved["id"]
    service.regions = dict(saved["regions"])
    service.auto_deploy = saved["auto_deploy"]
    loaded = [_load_deployment(one, commits) for one in saved["deployments"]]
    service.deployments = [record for record in loaded if record]
    active = next((record for record in service.deployments if record.id == saved["active"]), None)
    for record in service.deployments:
        if record is not active and not record.status.is_failed:
            record.status = DeploymentStatus.REMOVED  # whatever it was: none of its processes runs any more
    return active


def _dump_service(service: ServiceRunner) -> Json:
    return {
        "id": service.id,
        "regions": service.regions,
        "auto_deploy": service.auto_deploy,
        "active": service.active.id if service.active else None,
        "deployments": [_dump_deployment(record) for record in service.deployments[-KEPT_DEPLOYMENTS:]],
    }


def _dump_deployment(record: DeploymentRecord) -> Json:
    return {
        "id": record.id,
        "sha": record.commit.sha,
        "creator": record.creator,
        "created_at": record.created_at.isoformat(),
        "status": record.status.value,
        "status_updated_at": record.status_updated_at.isoformat(),
        "served": record.served,
    }


def _load_deployment(saved: Json, commits: tuple[Commit, ...]) -> DeploymentRecord | None:
    """None when its commit is not in the history any more."""
    commit = find_commit(commits, saved["sha"])
    if commit is None:
        return None
    created_at = datetime.fromisoformat(saved["created_at"])
    return DeploymentRecord(
        commit,
        saved["creator"],
        visible_at=created_at,
        id=saved["id"],
        created_at=created_at,
        status=DeploymentStatus(saved["status"]),
        status_updated_at=datetime.fromisoformat(saved["status_updated_at"]),
        served=saved["served"],
    )
