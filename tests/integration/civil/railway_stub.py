"""Railway with the four services of `civil`, or with three; a mutation fails the test unless it is expected."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.secrets import Secret
from services.domain.systems import CIVIL

Json = dict[str, Any]
SHA = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
OLD_SHA = "0ddba11" + "0" * 33
SHORT = {one.service.short: one for one in CIVIL.operated}
JOB = "123e4567-e89b-12d3-a456-426614174000"


def worker_log(short: str) -> list[str]:
    """The log of a worker that started well, did one job, and has been idle since."""
    kind, job_type = SHORT[short].service.worker_type, SHORT[short].job_types[0]
    lines = (f"[{kind}] Database connection established (32ms)", f"[{kind}] DB smoke test passed")
    work = (
        f"Job claimed via RPC: {JOB} (worker: {kind}-0a1b2c3d)",
        f"Job {JOB} ({job_type}) completed successfully",
    )
    return [
        "=" * 60,
        f"  DRAGONFLY WORKER: {kind}",
        f"  Git SHA:       {SHA[:8]}",
        f"  Worker ID:     {kind}-0a1b2c3d",
        *(f"2026-11-29 07:48:09 | INFO     | backend.workers.base | {line}" for line in (*lines, *work)),
    ]


def _jwt(**claims: str) -> str:
    parts: tuple[Json, ...] = ({"alg": "HS256"}, claims, {"signature": "0" * 40})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


@dataclass
class CivilRailway:
    """`services`: short names; `logs`: `{short name: lines}`, the newest 1 min ago; `asked`: operations in order.

    `on_deploy`: if set, rollbacks and deploys are executed at once, and it is called with the service and the commit.
    """

    vintage: str
    services: Sequence[str] = tuple(SHORT)
    logs: dict[str, list[str]] = field(default_factory=lambda: {one: worker_log(one) for one in SHORT if one != "api"})
    asked: list[str] = field(default_factory=list)
    on_deploy: Callable[[str, str], None] | None = None
    made: dict[str, list[Json]] = field(default_factory=dict)  # by the service's short name, newest first

    def client(self) -> RailwayClient:
        return RailwayClient(
            url="http://railway.test",
            token=Secret("t"),
            token_kind=TokenKind.PROJECT,
            project_id="p",
            environment_id="e",
            transport=httpx.MockTransport(self.answer),
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        [name] = re.findall(r"^(?:query|mutation) (\w+)", asked["query"], re.MULTILINE)
        self.asked.append(name)
        return httpx.Response(200, json={"data": self._data(name, asked["variables"])})

    def _data(self, name: str, variables: Json) -> Json:
        match name:
            case "readServices" | "listServiceIds" | "readEnvironmentName":
                nodes = [{"node": self._node(short)} for short in self.services]
                return {"environment": {"name": "dev", "config": None, "serviceInstances": {"edges": nodes}}}
            case "listDeployments":
                short = variables["input"]["serviceId"].removeprefix("s-")
                return {"deployments": {"edges": [{"node": one} for one in self._deployments(short)]}}
            case "readLogs":
                return {"deploymentLogs": self._lines(variables)}
            case "readBuildLogs":
                return {"buildLogs": []}
            case "readVariables":
                short = variables["serviceId"].removeprefix("s-")
                return {"variablesForServiceDeployment": self._variables(short)}
            case "listVariableChanges":
                return {"environmentPatches": {"edges": []}}
            case "readAutoDeploy":
                return {"serviceInstanceAutoDeployStatus": {"enabled": False}}
            case _:
                return self._change(name, variables)

    def _change(self, name: str, variables: Json) -> Json:
        assert self.on_deploy is not None, f"{name} is no read"
        match name:
            case "setAutoDeploy":
                return {"serviceInstanceAutoDeployUpdate": {"enabled": False}}
            case "rollBack":
                _, short, _ = variables["id"].split("-")
                self._deploy(short, OLD_SHA)
                return {"deploymentRollback": True}
            case "deployCommit":
                made = self._deploy(variables["serviceId"].removeprefix("s-"), variables["commitSha"])
                return {"serviceInstanceDeployV2": made["id"]}
            case _:
                raise AssertionError(f"{name} is not expected")

    def _deploy(self, short: str, sha: str) -> Json:
        assert self.on_deploy is not None
        number = len(self.made.setdefault(short, [])) + 1
        now = datetime.now(UTC).isoformat()
        made = self._deployment(short) | {"id": f"d-{short}-made{number}", "createdAt": now, "statusUpdatedAt": now}
        self.made[short].insert(0, made | {"meta": {**made["meta"], "commitHash": sha}})
        self.on_deploy(short, sha)
        return made

    def _deployments(self, short: str) -> list[Json]:
        """Return the deployments, newest first; only the first one is active."""
        first, *others = [*self.made.get(short, []), self._deployment(short)]
        replaced = [one | {"status": "REMOVED", "canRollback": True, "instances": []} for one in others]
        return [first, *replaced, self._deployment(short, is_old=True)]

    def _lines(self, variables: Json) -> list[Json]:
        lines = self.logs.get(variables["deploymentId"].split("-")[1], [])
        last = datetime.now(UTC) - timedelta(minutes=1)
        return [
            {
                "timestamp": (last - timedelta(seconds=len(lines) - n)).isoformat(),
                "severity": "info",
                "message": line,
                "tags": {"deploymentInstanceId": "i0"},
            }
            for n, line in enumerate(lines)
            if variables["filter"].strip('"') in line
        ]

    def _variables(self, short: str) -> dict[str, str]:
        values = {
            "OPENAI_API_KEY": "sk-not-a-real-value-0123456789",
            "SUPABASE_MODE": "dev",
            "ENVIRONMENT": "dev",
            "SUPABASE_URL": "https://abcdefghij.supabase.co",
            "SUPABASE_DB_URL": "postgresql://dragonfly_app.abcdefghij:secret@aws-0-us-east-1.pooler.supabase.com/postgres",
            "SUPABASE_SERVICE_ROLE_KEY": _jwt(ref="abcdefghij", role="service_role"),
        }
        required = SHORT[short].required_variables
        return {name: values.get(name, "not-a-real-value-0123456789") for name in required}

    def _node(self, short: str) -> Json:
        deployment = self._deployments(short)[0]
        commands = SHORT[short].start_commands
        return {
            "serviceId": f"s-{short}",
            "serviceName": SHORT[short].service.value,
            "startCommand": commands[-1] if self.vintage == "january" else commands[0],
            "drainingSeconds": 30,
            "healthcheckPath": "/health" if short == "api" else None,
            "region": "us-east4",
            "numReplicas": 1,
            "activeDeployments": [deployment],
            "latestDeployment": deployment,
        }

    def _deployment(self, short: str, *, is_old: bool = False) -> Json:
        made = datetime.now(UTC) - timedelta(hours=30 if is_old else 3, minutes=5)
        sha = OLD_SHA if is_old else SHA
        return {
            "id": f"d-{short}-{'old' if is_old else 'new'}",
            "status": "REMOVED" if is_old else "SUCCESS",
            "createdAt": made.isoformat(),
            "statusUpdatedAt": (made + timedelta(minutes=2)).isoformat(),
            "canRollback": is_old,
            "canRedeploy": True,
            "deploymentStopped": False,
            "meta": {"commitHash": sha, "commitMessage": "Fix it", "commitAuthor": "Ann"},
            "instances": [] if is_old else [{"id": "i0", "status": "RUNNING"}],
        }
