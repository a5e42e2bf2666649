"""The tests of `prove` in Slack: posts one message, then finds, edits and deletes it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from bot.views.blocks import section
from playbooks.model import Finding, Status
from services.clients.slack import SlackClient
from services.domain.errors import SourceError
from services.domain.slack_refusals import SlackRefusedError

CLOCKS_DIFFER = timedelta(minutes=5)


async def prove_slack(slack: SlackClient, channel: str) -> list[Finding]:
    """Test the behavior that the outbox relies on. Leaves nothing in the channel. `channel`: its name or id."""
    found: list[Finding] = []
    key, since = f"prove:{secrets.token_hex(8)}", datetime.now(UTC) - CLOCKS_DIFFER
    channel_id, may_be_there = "", False
    words = "`dragonfly prove` tries whether messages can be found, edited and deleted. This one is deleted right away."
    try:
        channel_id = await slack.channel_id(channel)
        may_be_there = True
        place = await slack.post(channel_id, words, [section(words)], key=key)
        ts = await slack.find(channel_id, key, since=since)
        found.append(_compare("found", ts == place[1], "a message is found by the key in its metadata"))
        await slack.update(*place, f"{words} Edited.", [section(f"{words} Edited.")])
        read = await slack.read_message(*place)
        found.append(_compare("edited", read is not None and "Edited" in read.text, "an edit is read back"))
        ts = await slack.find(channel_id, key, since=since)
        found.append(_compare("kept", ts == place[1], "an edit without metadata keeps the key"))
        await slack.delete(*place)
        may_be_there = False
        found.append(_compare("deleted", await _is_gone(slack, *place), "a deleted message is gone"))
    except SlackRefusedError as error:
        found.append(Finding("slack.refused", Status.FAIL, "Slack refused a call", error.why))
    except SourceError as error:
        found.append(Finding("slack.unknown", Status.UNKNOWN, "Slack did not answer", error.why))
    finally:
        if may_be_there:
            found += await _remove(slack, channel_id, key, since)
    return found


async def _remove(slack: SlackClient, channel_id: str, key: str, since: datetime) -> list[Finding]:
    """Delete the message by its key: if the answer to the post was lost, only the key is known."""
    try:
        ts = await slack.find(channel_id, key, since=since)
        if ts is not None:
            await slack.delete(channel_id, ts)
    except SourceError as error:
        title = "unknown whether its message is still in the channel"
        return [Finding("slack.removed", Status.UNKNOWN, title, f"delete it there, if it is ({error.why})")]
    return []


async def _is_gone(slack: SlackClient, channel_id: str, ts: str) -> bool:
    try:
        return await slack.read_message(channel_id, ts) is None
    except SlackRefusedError as error:
        if error.code in ("thread_not_found", "message_not_found"):
            return True
        raise


def _compare(name: str, is_so: bool, assumed: str) -> Finding:
    if is_so:
        return Finding(f"slack.{name}", Status.OK, assumed)
    return Finding(f"slack.{name}", Status.FAIL, f"not as assumed: {assumed}", "open an issue with this line")
