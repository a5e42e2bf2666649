"""GitHub issues: found again by their marker, whatever else of them has changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.clients.github import MOST_PAGES, PER_PAGE, GitHubClient
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from tests.github import REPO, LocalGitHub

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
MOST = MOST_PAGES * PER_PAGE
MARKER = "dragonfly-follow-up:1"


def issue(number: int, day: str, body: str = "", **more: Any) -> dict[str, Any]:
    made = {"html_url": f"https://github.test/{number}", "body": body, "created_at": f"{day}T12:00:00Z"}
    return made | {"updated_at": "2026-11-09T12:00:00Z"} | more


async def find(github: LocalGitHub) -> str | None:
    return await github.client().find_issue(MARKER, since=SINCE)


async def test_issue_is_found_among_many_older_ones_that_changed_since() -> None:
    older = [issue(n, "2026-10-01") for n in range(MOST + 1)]
    github = LocalGitHub(issues=older)

    assert await find(github) is None
    assert len(github.calls) == 1
    github.issues.append(issue(9999, "2026-11-02", f"<!-- {MARKER} -->"))
    assert await find(github) == "https://github.test/9999"


async def test_address_of_an_issue_can_be_stored() -> None:
    broken = issue(1, "2026-11-02", MARKER, html_url="https://github.test/1\0")

    assert await find(LocalGitHub(issues=[broken])) == "https://github.test/1\ufffd"


async def test_issue_is_no_pull_request_that_quotes_its_marker() -> None:
    quoting = issue(2, "2026-11-03", MARKER, pull_request={"url": "x"})

    assert await find(LocalGitHub(issues=[quoting])) is None
    assert await find(LocalGitHub(issues=[quoting, issue(1, "2026-11-02", MARKER)])) == "https://github.test/1"


async def test_issue_is_unknown_behind_too_many_newer_ones() -> None:
    first = issue(0, "2026-11-02", MARKER)
    newer = [issue(n, "2026-11-03") for n in range(1, MOST + 1)]

    assert await find(LocalGitHub(issues=[first, *newer[:-1]])) == "https://github.test/0"
    with pytest.raises(SourceError, match="unknown"):
        await find(LocalGitHub(issues=[first, *newer]))


@pytest.mark.parametrize(
    "body", ["", "<html>Unicorn!</html>", '[{"number": 1, "bo', '{"message": "?"}', "null", "[null]"]
)
async def test_issue_is_unknown_behind_an_answer_that_is_no_list(body: str) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, text=body))
    github = GitHubClient(REPO, Secret("t"), api_url="https://github.test", transport=transport)

    with pytest.raises(SourceError, match="the answer is no list of issues"):
        await github.find_issue(MARKER, since=SINCE)


async def test_issue_is_unknown_when_its_address_is() -> None:
    with pytest.raises(SourceError, match="the answer names no issue"):
        await find(LocalGitHub(issues=[issue(1, "2026-11-02", MARKER, html_url=None)]))
