"""GitHub's answers: limits are no refusals, and what is not readable is not called absent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.domain.errors import SourceError
from tests.github import LocalGitHub

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def test_each_kind_of_failure_says_whether_to_try_again_and_whether_it_may_exist() -> None:
    table = [
        (401, {}, False, False),
        (403, {}, False, False),
        (403, {"retry-after": "9"}, True, False),
        (403, {"x-ratelimit-remaining": "0"}, True, False),
        (429, {}, True, False),
        (422, {}, False, False),
        (301, {"location": "https://elsewhere.test"}, False, False),
        (502, {}, True, True),
    ]
    for status, headers, retryable, unknown in table:
        github = LocalGitHub(headers=headers)
        github.faults.append(status)
        with pytest.raises(SourceError) as failure:
            await github.client().create_issue("t", "b")
        assert (failure.value.retryable, failure.value.outcome_unknown) == (retryable, unknown), status
        assert len(github.calls) == 1


async def test_an_issue_is_found_on_a_later_page_and_never_called_absent_beyond_the_last() -> None:
    def issues(count: int) -> list[dict[str, str]]:
        return [{"body": f"number {n}.", "html_url": f"https://github.test/{n}"} for n in range(count)]

    assert await LocalGitHub(issues(201)).client().find_issue("number 200.", since=NOW) == "https://github.test/200"
    assert await LocalGitHub(issues(499)).client().find_issue("nowhere", since=NOW) is None
    with pytest.raises(SourceError, match="unknown"):
        await LocalGitHub(issues(500)).client().find_issue("nowhere", since=NOW)


async def test_a_commit_has_its_time_or_is_unknown_to_the_repository_or_unreadable() -> None:
    github = LocalGitHub(commits={"a" * 40: "2026-11-23T12:00:00Z"})

    assert await github.client().read_commit_time("a" * 40) == NOW
    assert await github.client().read_commit_time("b" * 40) is None
    github.is_readable = False
    with pytest.raises(SourceError, match="404"):
        await github.client().read_commit_time("a" * 40)
