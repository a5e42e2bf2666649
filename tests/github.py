"""A stand-in for GitHub at the wire: issues and commits of one repository."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from services.clients.github import GitHubClient
from services.domain.secrets import Secret

REPO = "acme/dragonfly"
PATH = f"/repos/{REPO}"


@dataclass
class LocalGitHub:
    """A local GitHub. `faults`: for the next new issues, a status or an exception; None: it is created, and the answer
    is lost. `commits`: `{SHA: its date, or the status that refuses it}`."""

    issues: list[dict[str, Any]] = field(default_factory=list)
    commits: dict[str, str | int] = field(default_factory=dict)
    faults: deque[int | Exception | None] = field(default_factory=deque)
    headers: dict[str, str] = field(default_factory=dict)  # of refusals
    calls: list[httpx.Request] = field(default_factory=list)
    is_readable: bool = True

    def client(self) -> GitHubClient:
        transport = httpx.MockTransport(self._answer)
        return GitHubClient(REPO, Secret("t"), api_url="https://github.test", transport=transport)

    def posts(self) -> int:
        return sum(one.method == "POST" for one in self.calls)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        assert request.headers["authorization"] == "Bearer t"
        if request.method == "POST":
            return self._create(json.loads(request.content))
        if not self.is_readable:
            return httpx.Response(404)
        if request.url.path == f"{PATH}/issues":
            return httpx.Response(200, json=self._list(request.url.params))
        if request.url.path == f"{PATH}/commits":
            return httpx.Response(200, json=[])
        date = self.commits.get(request.url.path.removeprefix(f"{PATH}/git/commits/"))
        if isinstance(date, int):
            return httpx.Response(date)
        return httpx.Response(200, json={"committer": {"date": date}}) if date else httpx.Response(404)

    def _list(self, wanted: httpx.QueryParams) -> list[dict[str, Any]]:
        """List issues and pull requests that changed at or after `since`, by default newest first."""
        assert wanted.get("sort", "created") == "created"
        page = int(wanted["page"])
        found = [one for one in self.issues if one.get("updated_at", one["created_at"]) >= wanted["since"]]
        found.sort(key=lambda one: str(one["created_at"]), reverse=wanted.get("direction", "desc") == "desc")
        return found[(page - 1) * 100 : page * 100]

    def _create(self, issue: dict[str, Any]) -> httpx.Response:
        fault = self.faults.popleft() if self.faults else 201
        if isinstance(fault, Exception):
            raise fault
        if fault not in (201, None):
            return httpx.Response(int(fault), headers=self.headers)
        url = f"https://github.test/{REPO}/issues/{len(self.issues) + 1}"
        self.issues.append(issue | {"html_url": url, "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})
        if fault is None:
            raise httpx.ReadError("lost")
        return httpx.Response(201, json={"html_url": url})
