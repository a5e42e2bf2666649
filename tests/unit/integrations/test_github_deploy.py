"""The script of the GitHub Action against a local HTTP server: each end has its exit code and its summary."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "integrations" / "github-deploy"
SHA = "8d02b64e8d02b64e8d02b64e8d02b64e8d02b64e"


def load_main() -> Callable[[dict[str, str]], int]:
    spec = importlib.util.spec_from_file_location("github_deploy", FOLDER / "deploy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Callable[[dict[str, str]], int] = module.main
    return main


@contextmanager
def door(*answers: tuple[int, object]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve these answers in order, the last one repeatedly; yield the address and the received calls."""
    calls: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            assert self.headers["Authorization"] == "Bearer t"
            status, body = answers[min(len(calls), len(answers)) - 1]
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw) + (CUT if body == CUT else 0)))
            if isinstance(body, str):
                self.send_header("Location", body)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def environ(url: str, tmp_path: Path, **more: str) -> dict[str, str]:
    return {
        "DRAGONFLY_URL": url,
        "DRAGONFLY_MACHINE_TOKEN": "t",
        "DRAGONFLY_SERVICE": "api",
        "DRAGONFLY_SHA": SHA,
        "DRAGONFLY_POLL_SECONDS": "0",
        "DRAGONFLY_TIMEOUT_MINUTES": "1",
        "GITHUB_RUN_ID": "17",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        **more,
    }


def run(state: str, outcome: str | None = None, *, proved: bool | None = None) -> dict[str, object]:
    link = "https://acme.slack.com/archives/C1/p1"
    return {"text": "", "run": {"id": 12, "state": state, "outcome": outcome, "link": link, "proved": proved}}


CUT = 99  # a body that is cut off by this many bytes
UNKNOWN = (503, {"text": "It is not known whether your request was filed", "run": None, "outcome_unknown": True})
WAITS = (200, run("awaiting_approval"))


@pytest.mark.parametrize(
    ("answers", "exit_code", "title"),
    [
        ([WAITS, (503, {}), (200, run("running")), (200, run("succeeded", proved=True))], 0, "Deployed"),
        ([WAITS, (200, run("succeeded", "In doubt: no commit", proved=False))], 3, "no commit"),
        ([WAITS, (200, run("succeeded", "Done"))], 3, "not proved"),
        ([WAITS, (200, {"run": {"id": 12, "state": "succeeded", "outcome": None, "link": None}})], 3, "not proved"),
        ([WAITS, (200, run("failed", "the build failed"))], 1, "the build failed"),
        ([WAITS, (200, run("cancelled", "denied: not now <!channel>"))], 1, "denied: not now"),
        ([WAITS, (200, run("expired"))], 1, "Not deployed"),
        ([WAITS, (200, run("voided"))], 1, "Not deployed"),
        ([(403, {"text": "you don't have permission", "run": None})], 2, "permission"),
        ([(403, {"text": "Not filed\nWhy: no permission\n", "run": None})], 2, "Not filed · Why: no permission\n"),
        ([(401, {})], 2, "MACHINE_TOKENS"),
        ([(200, {"text": "No plan: it runs already", "run": None})], 2, "it runs already"),
        ([(500, {})], 3, "500"),
        ([WAITS, (200, run("unknown"))], 3, "look in Slack"),
        ([UNKNOWN], 3, "not known whether"),
        ([UNKNOWN, (409, {"text": "the service is taken", "run": None})], 3, "the service is taken"),
        ([(502, {}), (200, {"text": "No plan: it runs already", "run": None})], 3, "it runs already"),
        ([(504, {}), (401, {})], 3, "401"),
        ([(200, "<html>")], 3, "200"),
        ([(200, {"run": {"id": 12}})], 3, "200"),
        ([(200, CUT)], 3, "not reached"),
        ([(403, CUT)], 3, "not reached"),
        ([WAITS, (200, CUT), (200, {"run": {"id": 12}}), (200, run("failed"))], 1, "Not deployed"),
        ([(503, {}), (429, {}), WAITS, (200, run("succeeded", proved=True))], 0, "Deployed"),
    ],
)
def test_each_end_has_its_exit_code_and_summary(
    answers: list[tuple[int, object]], exit_code: int, title: str, tmp_path: Path
) -> None:
    with door(*answers) as (url, calls):
        assert load_main()(environ(url, tmp_path)) == exit_code

    summary = (tmp_path / "summary").read_text()
    assert title in summary
    assert "<!channel>" not in summary
    assert len({call["request_id"] for call in calls if call["verb"] == "deploy"}) == 1
    assert calls[0]["arguments"] == f"api {SHA}"


def test_deploy_action_does_not_fail_when_the_run_is_not_over_in_time(tmp_path: Path) -> None:
    with door(WAITS) as (url, _):
        assert load_main()(environ(url, tmp_path, DRAGONFLY_TIMEOUT_MINUTES="0")) == 4

    assert "the request stands" in (tmp_path / "summary").read_text()


def test_a_bot_that_is_not_reached_is_unknown(tmp_path: Path) -> None:
    assert load_main()(environ("http://127.0.0.1:9", tmp_path)) == 3


def test_the_token_is_sent_to_no_other_host(tmp_path: Path) -> None:
    with door(WAITS) as (other, others), door((302, f"{other}/machines"), (307, other)) as (url, calls):
        assert load_main()(environ(url, tmp_path)) == 3

    assert (others, len(calls)) == ([], 1)


@pytest.mark.parametrize("url", ["http://bot.example", "ftp://bot.example", "bot.example", "", "https://", "http://["])
def test_only_an_address_with_tls_is_called(url: str, tmp_path: Path) -> None:
    assert load_main()(environ(url, tmp_path)) == 2
    assert "https" in (tmp_path / "summary").read_text()


@pytest.mark.parametrize("minutes", ["soon", "nan", "inf", "-1"])
def test_a_time_that_is_no_number_is_refused_before_anything_is_sent(minutes: str, tmp_path: Path) -> None:
    with door(WAITS) as (url, calls):
        assert load_main()(environ(url, tmp_path, DRAGONFLY_TIMEOUT_MINUTES=minutes)) == 2

    assert calls == []


def test_an_empty_time_is_half_an_hour(tmp_path: Path) -> None:
    with door(WAITS, (200, run("failed"))) as (url, _):
        assert load_main()(environ(url, tmp_path, DRAGONFLY_TIMEOUT_MINUTES="")) == 1


@pytest.mark.parametrize(
    ("service", "sha"), [("api; rm", SHA), ("", SHA), ("api", "main"), ("api", f"{SHA} --dry-run")]
)
def test_deploy_action_refuses_invalid_inputs_without_a_call(service: str, sha: str, tmp_path: Path) -> None:
    with door(WAITS) as (url, calls):
        assert load_main()(environ(url, tmp_path, DRAGONFLY_SERVICE=service, DRAGONFLY_SHA=sha)) == 2

    assert calls == []


def test_the_action_passes_every_input_as_a_variable_and_nothing_into_the_shell() -> None:
    action = yaml.safe_load((FOLDER / "action.yml").read_text())
    [step] = action["runs"]["steps"]

    assert "${{" not in step["run"]
    assert {value.strip("${} ") for value in step["env"].values()} == {f"inputs.{name}" for name in action["inputs"]}
