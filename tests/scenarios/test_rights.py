"""The policy changes while the bot runs: everyone sees the changes, a mistake takes no right away, and a SEV1 gives the
rights that the file ties to it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.app import Bot
from services.clients.postgres.taken_files import read_taken_file
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.integration.bot.running.conftest import StartBot
from tests.scenarios.conftest import PEOPLE, STORY_S, Channel, shown

APPROVERS = '[[allow]]\nmay = "approve"\nwho = ["approvers"]\n'
POLICY = f'version = 1\n[[allow]]\nmay = "request"\nwho = ["operators"]\n{APPROVERS}'
AT_NIGHT = f'[[allow]]\nmay = "request"\nwho = ["{model.OTTO.id}"]\nverbs = ["restart"]\nseverity = ["sev1", "sev2"]\n'


async def is_stored(bot: Bot, name: str) -> bool:
    """True if the leader has stored the file with which later ones are compared."""
    assert bot.world.database is not None
    async with bot.world.database.read() as conn:
        return await read_taken_file(conn, name=name) is not None


async def test_new_policy_is_announced_and_in_force_and_an_invalid_one_removes_no_right(
    start_bot: StartBot, database_urls: DatabaseUrls, channel: Channel, tmp_path: Path
) -> None:
    policy, alerts = tmp_path / "policy.toml", tmp_path / "alerts.toml"
    policy.write_text(POLICY)
    alerts.write_text("[telling]\nquiet_s = 120\n")
    files = {"DRAGONFLY_POLICY": str(policy), "DRAGONFLY_ALERTS": str(alerts)}
    bot = await start_bot(database_urls.bot, **PEOPLE, **files)
    async with asyncio.timeout(STORY_S):
        while not (await is_stored(bot, "policy") and await is_stored(bot, "alerts")):
            await asyncio.sleep(0.05)
    await channel.type("restart api", by=model.OTTO)
    await channel.expect("`restart` was not filed", "you don't have permission", by=model.OTTO)

    await channel.type("help restart", by=model.OTTO)
    listed = await channel.expect("You can't use it", "only @dragonfly-operators", by=model.OTTO)
    assert "<!subteam" not in shown(listed)
    await channel.type("help change")
    await channel.expect("*Change*", "🔒 only @dragonfly-approvers")

    policy.write_text(POLICY + AT_NIGHT)
    changed = await channel.expect(
        "The policy changed", "added: allow: ", "may request restart (in an open SEV1 or SEV2)"
    )
    assert f"<@{model.OTTO.id}>" not in shown(changed)
    await channel.type("restart api", by=model.OTTO)
    await channel.expect("`restart` was not filed", "allows it only: in an open SEV1 or SEV2", by=model.OTTO)
    await channel.type("incident open sev1 api answers nothing", by=model.ANN)
    await channel.expect("api answers nothing")  # a new incident, or in the thread of one that an alert opened

    policy.write_text(POLICY + AT_NIGHT + "[[allow]]\nmay = 'steer'\n")
    await channel.expect("The policy file was not loaded", "policy.toml line ", "neither request nor approve")
    alerts.write_text("[telling]\nquiet_s = 300\n")
    await channel.expect("The alert rules changed", "telling.quiet_s: 120.0, now 300.0")
    await channel.type("restart api", by=model.OTTO)
    await channel.expect("your confirmation", by=model.OTTO)
