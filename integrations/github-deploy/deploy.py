"""Asks the bot for a deploy through its door for machines, and waits for the end. Python 3.11's own library only.

Exit codes: 0 deployed and proved, 1 it failed or people said no, 2 refused and nothing was filed, 3 unknown, 4 not over
within the time.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.error
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


class Door:
    """Calls the bot. `pause_s`: between two looks at the run."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._url = f"{environ['DRAGONFLY_URL'].rstrip('/')}/machines"
        self._token = environ["DRAGONFLY_MACHINE_TOKEN"]
        self.pause_s = float(environ.get("DRAGONFLY_POLL_SECONDS", "5"))

    def call(self, verb: str, arguments: str, request_id: str = "") -> tuple[int, dict[str, Any]]:
        """The HTTP status, 0 when the bot was not reached, and the answer."""
        body = json.dumps({"verb": verb, "arguments": arguments, "request_id": request_id}).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310 - the caller's own address
        try:
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S) as answer:  # noqa: S310
                return int(answer.status), _json(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _json(error.read())
        except (OSError, ValueError):
            return 0, {}


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
    door = Door(environ)
    ends_at = time.monotonic() + 60 * float(environ.get("DRAGONFLY_TIMEOUT_MINUTES", "30"))
    status, answer = _file(door, service, sha, environ)
    run = answer.get("run")
    if status != 200 or not isinstance(run, dict):
        exit_code = REFUSED if status in (200, 400, 401, 403, 404, 409) else UNKNOWN
        said = answer.get("text") or (f"The bot answered {status}." if status else "The bot was not reached.")
        return _end(environ, exit_code, str(said), {})
    print(f"Run {run['id']}: {run['link'] or 'see Slack'}", flush=True)  # noqa: T201 - the step's log
    run = _wait(door, run, ends_at)
    return _end(environ, *_verdict(run), run)


def _verdict(run: Mapping[str, Any]) -> tuple[int, str]:
    """The exit code, and what to say. What nobody read back is not known to run."""
    outcome = str(run.get("outcome") or "")
    if run["state"] == "succeeded" and run.get("proved") is not True:
        return UNKNOWN, outcome if "not proved" in outcome else f"It ended, but not proved. {outcome}"
    return _EXIT.get(run["state"], NOT_OVER), outcome


def _file(door: Door, service: str, sha: str, environ: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Asks again with the same id when the answer was lost: it files one run."""
    attempt = f"{environ.get('GITHUB_RUN_ID', '0')}-{environ.get('GITHUB_RUN_ATTEMPT', '0')}"
    for _ in range(FIRST_TRIES):
        status, answer = door.call("deploy", f"{service} {sha}", f"github-{attempt}-{service}-{sha[:12]}")
        if status not in (0, 429, 502, 503, 504):
            break
        time.sleep(door.pause_s)
    return status, answer


def _wait(door: Door, run: dict[str, Any], ends_at: float) -> dict[str, Any]:
    """The run as it is at its end, or when the time is over. A look that fails is repeated."""
    shown = ""
    while run["state"] not in _EXIT and time.monotonic() < ends_at:
        if run["state"] != shown:
            shown = run["state"]
            print(f"Run {run['id']} is {shown.replace('_', ' ')}", flush=True)  # noqa: T201
        time.sleep(door.pause_s)
        status, answer = door.call("run", str(run["id"]))
        found = answer.get("run")
        run = found if status == 200 and isinstance(found, dict) else run
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
    plain = re.sub(r"[<>`|\[\]\r\n]+", " ", outcome)[:1000]
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
