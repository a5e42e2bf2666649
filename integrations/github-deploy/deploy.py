"""Asks the bot for a deploy through its door for machines, and waits for the end. Python 3.11's own library only.

Exit codes: 0 deployed and proved, 1 it failed or people said no, 2 refused and nothing was filed, 3 unknown, 4 not over
within the time.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DONE, FAILED, REFUSED, UNKNOWN, NOT_OVER = 0, 1, 2, 3, 4
_EXIT = {"succeeded": DONE, "unknown": UNKNOWN, **dict.fromkeys(("failed", "cancelled", "expired", "voided"), FAILED)}
_SERVICE = re.compile(r"[a-z][a-z-]{0,30}\Z")
_SHA = re.compile(r"[0-9a-f]{7,40}\Z")
CALL_TIMEOUT_S = 60.0
FIRST_TRIES = 5
_SAID = {0: "The bot was not reached.", 401: "The bot answered 401: the token is none of its MACHINE_TOKENS."}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The bot never redirects; whoever does gets no token."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


class Door:
    """Calls the bot. `pause_s`: between two looks at the run."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._url = f"{environ['DRAGONFLY_URL'].rstrip('/')}/machines"
        self._token = environ["DRAGONFLY_MACHINE_TOKEN"]
        self.pause_s = float(environ.get("DRAGONFLY_POLL_SECONDS", "5"))

    def call(self, verb: str, arguments: str, request_id: str = "") -> tuple[int, dict[str, Any]]:
        """The HTTP status, 0 when no whole answer came, and the answer."""
        body = json.dumps({"verb": verb, "arguments": arguments, "request_id": request_id}).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310 - the caller's own address
        try:
            return _read(request)
        except (OSError, ValueError, http.client.HTTPException):
            return 0, {}


def _read(request: urllib.request.Request) -> tuple[int, dict[str, Any]]:
    try:
        with _OPENER.open(request, timeout=CALL_TIMEOUT_S) as answer:
            return int(answer.status), _json(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read())


def _json(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Ask, wait, write the summary and the outputs; the exit code."""
    service, sha = environ.get("DRAGONFLY_SERVICE", ""), environ.get("DRAGONFLY_SHA", "").lower()
    if not _SERVICE.match(service) or not _SHA.match(sha):
        return _end(environ, REFUSED, "The service or the commit is not one. Nothing was requested.", {})
    if not _is_safe(environ.get("DRAGONFLY_URL", "")):
        return _end(environ, REFUSED, "The url is not an https address. Nothing was requested.", {})
    minutes = _minutes(environ.get("DRAGONFLY_TIMEOUT_MINUTES", ""))
    if minutes is None:
        return _end(environ, REFUSED, "timeout-minutes is not a number of minutes. Nothing was requested.", {})
    door = Door(environ)
    ends_at = time.monotonic() + 60 * minutes
    status, answer, is_known = _file(door, service, sha, environ)
    run = _run_of(status, answer)
    if run is None:
        said = answer.get("text") or _SAID.get(status, f"The bot answered {status}.")
        return _end(environ, REFUSED if is_known and _is_refused(status, answer) else UNKNOWN, str(said), {})
    print(f"Run {run['id']}: {run.get('link') or 'see Slack'}", flush=True)  # noqa: T201 - the step's log
    run = _wait(door, run, ends_at)
    return _end(environ, *_verdict(run), run)


def _verdict(run: Mapping[str, Any]) -> tuple[int, str]:
    """The exit code, and what to say. What nobody read back is not known to run."""
    outcome = str(run.get("outcome") or "")
    if run["state"] == "succeeded" and run.get("proved") is not True:
        return UNKNOWN, outcome if "not proved" in outcome else f"It ended, but not proved. {outcome}"
    return _EXIT.get(run["state"], NOT_OVER), outcome


def _is_safe(url: str) -> bool:
    """Whether a token may be sent there: with TLS, or on this machine."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    is_here = parts.scheme == "http" and host in ("localhost", "127.0.0.1", "::1")
    return is_here or (parts.scheme == "https" and bool(host))


def _minutes(given: str) -> float | None:
    """Half an hour when nothing is given; None for what is no time."""
    try:
        minutes = float(given.strip() or "30")
    except ValueError:
        return None
    return minutes if math.isfinite(minutes) and minutes >= 0 else None


def _run_of(status: int, answer: Mapping[str, Any]) -> dict[str, Any] | None:
    run = answer.get("run")
    is_whole = isinstance(run, dict) and isinstance(run.get("id"), int) and isinstance(run.get("state"), str)
    return run if status == 200 and is_whole else None


def _is_refused(status: int, answer: Mapping[str, Any]) -> bool:
    """Whether it is certain that nothing was filed."""
    if status == 200:
        return isinstance(answer.get("text"), str) and answer.get("run", "") is None
    return status in (400, 401, 403, 404, 409)


def _file(door: Door, service: str, sha: str, environ: Mapping[str, str]) -> tuple[int, dict[str, Any], bool]:
    """Asks again with the same id when the answer was lost: it files one run.

    The last answer, and whether it tells all: False after a try that may have filed the run.
    """
    is_known = True
    attempt = f"{environ.get('GITHUB_RUN_ID', '0')}-{environ.get('GITHUB_RUN_ATTEMPT', '0')}"
    for _ in range(FIRST_TRIES):
        status, answer = door.call("deploy", f"{service} {sha}", f"github-{attempt}-{service}-{sha[:12]}")
        if status not in (0, 429, 502, 503, 504):
            break
        is_known = is_known and (status == 429 or answer.get("outcome_unknown") is False)
        time.sleep(door.pause_s)
    return status, answer, is_known


def _wait(door: Door, run: dict[str, Any], ends_at: float) -> dict[str, Any]:
    """The run as it is at its end, or when the time is over. A look that fails is repeated."""
    shown = ""
    while run["state"] not in _EXIT and time.monotonic() < ends_at:
        if run["state"] != shown:
            shown = run["state"]
            print(f"Run {run['id']} is {shown.replace('_', ' ')}", flush=True)  # noqa: T201
        time.sleep(door.pause_s)
        status, answer = door.call("run", str(run["id"]))
        run = _run_of(status, answer) or run
    return run


_TITLES = {
    DONE: "✅ Deployed",
    FAILED: "❌ Not deployed",
    REFUSED: "❌ Refused: nothing was requested",
    UNKNOWN: "❔ Unknown: look in Slack before you try again",
    NOT_OVER: "⏳ Not over: the request stands",
}


def _end(environ: Mapping[str, str], exit_code: int, outcome: str, run: Mapping[str, Any]) -> int:
    number = f"run {run['id']}" if run else ""
    link = f"[{number}]({run['link']})" if run and run.get("link") else number
    state = str(run.get("state", "")).replace("_", " ")
    said = " · ".join(filter(None, map(str.strip, outcome.splitlines())))
    plain = re.sub(r"[<>`|\[\]]+", " ", said)[:1000]
    lines = [f"## {_TITLES[exit_code]}", "", " · ".join(filter(None, [link, state])), "", plain]
    _append(environ.get("GITHUB_STEP_SUMMARY"), "\n".join(lines) + "\n")
    _append(environ.get("GITHUB_OUTPUT"), f"run={run.get('id', '')}\nstate={run.get('state', '')}\n")
    print(f"{_TITLES[exit_code]}. {number} {state} {plain}".strip(), flush=True)  # noqa: T201
    return exit_code


def _append(path: str | None, text: str) -> None:
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    sys.exit(main())
