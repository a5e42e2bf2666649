"""Client of GitHub's REST API: issues, and commit times. Raises SourceError("GitHub", …).

https://docs.github.com/en/rest/issues/issues, https://docs.github.com/en/rest/commits/commits
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from services.clients.bounded_http import send_bounded
from services.clients.tls import trusted_authorities
from services.domain.errors import SourceError
from services.domain.secrets import Secret, redacted
from services.domain.text import read_json

SOURCE = "GitHub"
PER_PAGE = 100  # GitHub's maximum
MOST_PAGES = 5  # of issues searched, newest first; GitHub lists pull requests among them
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_WHY = {
    401: "GITHUB_TOKEN is refused (401)",
    403: "GITHUB_TOKEN may not do this (403)",
    404: "there is no such repository for this token (404)",
    410: "the repository has no issues (410)",
}


class GitHubClient:
    """Access to one repository, "owner/name". Connects at the first call; `aclose` disconnects. Follows no redirect.

    `timeout_s` limits a whole call.
    """

    def __init__(
        self,
        repo: str,
        token: Secret,
        *,
        api_url: str,
        timeout_s: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._path = f"/repos/{quote(repo, safe='/')}"
        self._timeout_s = timeout_s
        headers = {
            "Authorization": f"Bearer {token.reveal()}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        direct = {f"all://{host}": httpx.AsyncHTTPTransport(verify=trusted_authorities()) for host in _LOOPBACK}
        self._http = httpx.AsyncClient(
            base_url=api_url,
            headers=headers,
            timeout=timeout_s,
            follow_redirects=False,
            verify=trusted_authorities(),
            transport=transport,
            mounts=None if transport else direct,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def create_issue(self, title: str, body: str) -> str:
        """Create an issue and return its browser address. On an `outcome_unknown` error it may still exist."""
        answer = await self._call("POST", f"{self._path}/issues", json=redacted({"title": title, "body": body}))
        return _address(_object(_json(answer)), outcome_unknown=True)

    async def find_issue(self, marker: str, *, since: datetime) -> str | None:
        """Return the address of the issue whose body contains `marker`; None if no issue created since then does.

        Raises SourceError if the issues searched (`MOST_PAGES` pages) do not reach back to `since`.
        """
        wanted = {"state": "all", "since": _utc(since), "per_page": PER_PAGE, "sort": "created", "direction": "desc"}
        for page in range(1, MOST_PAGES + 1):
            issues = _issues(await self._call("GET", f"{self._path}/issues", params={**wanted, "page": page}))
            for issue in issues:
                if _is_before(issue.get("created_at"), since):
                    return None
                if marker in str(issue.get("body")) and "pull_request" not in issue:
                    return _address(issue)
            if len(issues) < PER_PAGE:
                return None
        why = f"more than {MOST_PAGES * PER_PAGE} issues were made since: whether it is among them is unknown"
        raise SourceError(SOURCE, why, retryable=True)

    async def read_commit_time(self, sha: str) -> datetime | None:
        """Return when the commit was made; None if the repository has no such commit."""
        try:
            answer = await self._call("GET", f"{self._path}/git/commits/{quote(sha, safe='')}")
        except SourceError as error:
            if error.http_status in (404, 422) and await self._is_readable():
                return None
            raise
        text = str(_object(_object(_json(answer)).get("committer")).get("date"))
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise SourceError(SOURCE, "the commit has no time", retryable=True) from None
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    async def _is_readable(self) -> bool:
        """True if the token can read the repository; GitHub answers 404 for one that it may not read too.

        Raises SourceError otherwise.
        """
        await self._call("GET", f"{self._path}/commits", params={"per_page": 1})
        return True

    async def _call(self, method: str, path: str, **request: Any) -> httpx.Response:
        changes = method != "GET"
        try:
            async with asyncio.timeout(self._timeout_s):  # httpx limits each read, not the whole call
                answer = await send_bounded(self._http, method, path, **request)
        except TimeoutError:
            why = f"no answer within {self._timeout_s:g} s"
            raise SourceError(SOURCE, why, retryable=True, outcome_unknown=changes) from None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise SourceError(SOURCE, "not reachable", retryable=True) from None
        except httpx.HTTPError as error:
            why = f"the answer was lost ({type(error).__name__})"
            raise SourceError(SOURCE, why, retryable=True, outcome_unknown=changes) from None
        if not answer.is_success:
            raise _refused(answer, changes=changes)
        return answer


def _refused(answer: httpx.Response, *, changes: bool) -> SourceError:
    """The error for a refused call. GitHub answers 403 or 429 for its rate limit too, which its headers show."""
    status, headers = answer.status_code, answer.headers
    if status in (403, 429) and (status == 429 or "retry-after" in headers or headers.get(_LEFT) == "0"):
        return SourceError(SOURCE, f"too many calls ({status})", retryable=True, http_status=status)
    if answer.is_redirect:
        return SourceError(SOURCE, "the repository has moved: update GITHUB_REPO", http_status=status)
    is_broken = status >= 500
    why = f"broken ({status})" if is_broken else _WHY.get(status, f"refused ({status})")
    return SourceError(SOURCE, why, retryable=is_broken, outcome_unknown=is_broken and changes, http_status=status)


_LEFT = "x-ratelimit-remaining"


def _issues(answer: httpx.Response) -> list[Mapping[str, Any]]:
    """The issues of a page. Raises SourceError for any other answer, which does not prove that there are none."""
    found = _json(answer)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise SourceError(SOURCE, "the answer is no list of issues", retryable=True)
    return found


def _address(issue: Mapping[str, Any], *, outcome_unknown: bool = False) -> str:
    url = issue.get("html_url")
    if not isinstance(url, str) or not url:
        raise SourceError(SOURCE, "the answer names no issue", retryable=True, outcome_unknown=outcome_unknown)
    return url


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_before(created_at: object, since: datetime) -> bool:
    """True if `created_at` is before `since`; False if GitHub does not report the time."""
    try:
        at = datetime.fromisoformat(str(created_at))
    except ValueError:
        return False
    return at.tzinfo is not None and at < since


def _json(answer: httpx.Response) -> Any:
    try:
        return read_json(answer.content)
    except (ValueError, RecursionError):
        return None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
