"""Two environments in one workspace: staging's proof promotes a commit; clicks on its bot's messages do nothing
here."""

from __future__ import annotations

from datetime import UTC, datetime

from services.clients.slack import SlackClient
from services.domain.message_origin import MessageOrigin
from services.domain.promotion import Proof, sign
from services.domain.secrets import Secret
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import Behaviour, newest_good
from services.sandbox.slack import model
from tests.integration.bot.running.conftest import Slack, StartWhole
from tests.scenarios.conftest import Channel, buttons_of

SHARED = "shared-by-both-of-them-24"
THEIRS = "https://dragonfly-civil.slack.com/archives/C0STAGING/p1764500000000100"


async def test_commit_proved_in_staging_is_promoted_and_stagings_buttons_are_refused(
    start_whole: StartWhole, channel: Channel, slack: Slack, railway: LocalRailway
) -> None:
    await start_whole(ENVIRONMENT_MARK="🟥 dev", PROMOTION_SECRET=SHARED)
    current = newest_good(railway.commits).sha
    sha = next(one.sha for one in railway.commits if one.behaviour is Behaviour.GOOD and one.sha != current)
    proof = Proof("staging", "dragonfly-staging", "api", sha, 12, datetime.now(UTC), THEIRS)

    await channel.type(f"promote {sign(proof, Secret(SHARED))}")
    offered = await channel.expect("🟥 dev", f"staging proved {sha[:8]}", f"<{THEIRS}|run 12>")
    await channel.press(offered, "Deploy to dev")
    asked = await channel.expect(
        "🟥 dev", "WAITING FOR APPROVAL", sha[:8], "proved in staging by", f"<{THEIRS}|run 12>"
    )
    assert "Approve" in buttons_of(asked)

    # Staging's bot was started with this app's tokens: its run 1 is not ours.
    staging = SlackClient(Secret("xoxb-local"), api_url=f"{slack.url}/slack/api/", origin=MessageOrigin("staging"))
    approve: dict[str, object] = {"type": "button", "action_id": "run.approve", "value": "1"}
    approve |= {"text": {"type": "plain_text", "text": "Approve"}}
    await staging.post(model.INCIDENTS_ID, "Run 1 of staging", [{"type": "actions", "elements": [approve]}])
    await staging.aclose()
    theirs = await channel.expect("Run 1 of staging")
    await channel.press(theirs, "Approve", by=model.ANN)

    await channel.expect("Nothing was done", "the bot of staging made this", by=model.ANN)
    await channel.expect("WAITING FOR APPROVAL", at=asked)
