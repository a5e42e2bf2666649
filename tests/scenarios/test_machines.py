"""A GitHub workflow requests a deploy; people decide in Slack; the workflow reads the outcome."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from services.sandbox.railway.local import LocalRailway
from services.sandbox.slack import model
from tests.integration.bot.running.conftest import StartWhole
from tests.scenarios.conftest import Channel

TOKEN = "ci-token-of-the-story-0123456789abcdef"
POLICY = """
version = 1
[[allow]]
may = "request"
who = ["operators"]
[[allow]]
may = "approve"
who = ["approvers"]
[[allow]]
may = "request"
who = ["machine:ci"]
verbs = ["read", "deploy"]
"""
SCRIPT = Path(__file__).parents[2] / "integrations" / "github-deploy" / "deploy.py"


async def test_a_workflow_asks_for_a_deploy_and_waits_until_two_people_agreed_and_it_is_proved(
    start_whole: StartWhole, channel: Channel, railway: LocalRailway, tmp_path: Path
) -> None:
    policy, summary = tmp_path / "policy.toml", tmp_path / "summary.md"
    policy.write_text(POLICY)
    bot = await start_whole(DRAGONFLY_POLICY=str(policy), MACHINE_TOKENS=f"ci={TOKEN}")
    sha = railway.commits[1].sha

    environ = {
        "DRAGONFLY_URL": f"http://127.0.0.1:{bot.web.port}", "DRAGONFLY_MACHINE_TOKEN": TOKEN,
        "DRAGONFLY_SERVICE": "ingest", "DRAGONFLY_SHA": sha, "DRAGONFLY_POLL_SECONDS": "0.2",
        "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(tmp_path / "output"),
    }  # fmt: skip

    workflow = await start_workflow(environ)
    asked = await channel.expect("WAITING FOR APPROVAL", "ci (machine)", sha[:8])
    await channel.press(asked, "Approve", by=model.ANN)
    await channel.press(asked, "Approve", by=model.BEN)
    await channel.expect("DONE", "every step", at=asked)

    posted, _ = await workflow.communicate()
    assert workflow.returncode == 0, posted.decode()
    assert "✅ Deployed" in summary.read_text()
    assert f"/p{asked.ts.replace('.', '')}" in summary.read_text()
    assert "state=succeeded" in (tmp_path / "output").read_text()

    again = await start_workflow(environ)
    posted, _ = await again.communicate()
    assert again.returncode == 0, f"what it has filed is found, though ingest runs the commit by now: {posted.decode()}"


async def start_workflow(environ: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), stdout=asyncio.subprocess.PIPE, env=environ
    )
