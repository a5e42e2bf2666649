"""What `prove` tries in Slack: one message of its own, which is found, edited and deleted again."""

from __future__ import annotations

import contextlib
import secrets
from datetime import UTC, datetime, timedelta

from bot.views.blocks import section
from playbooks.model import Finding, Status
from services.clients.slack import SlackClient
from services.domain.errors import SourceError
from services.domain.messages import SlackRefusedError

CLOCKS_DIFFER = timedelta(minutes=5)


async def prove_slack(slack: SlackClient, channel: str) -> list[Finding]:
    """What differs from what the outbox relies on. Leaves nothing in the channel. `channel`: its name or id."""
    found: list[Finding] = []
    key, place = f"prove:{secrets.token_hex(8)}", None
    words = "`dragonfly prove` tries whether messages can be found, edited and deleted. This one goes away at once."
    try:
        channel_id = await slack.channel_id(channel)
        place = await slack.post(channel_id, words, [section(words)], key=key)
        since = datetime.now(UTC) - CLOCKS_DIFFER
        ts = await slack.find(channel_id, key, since=since)
        found.append(_compare("found", ts == place[1], "a message is found by the key in its metadata"))
        await slack.update(*place, f"{words} Edited.", [section(f"{words} Edited.")])
        read = await slack.read_message(*place)
        found.append(_compare("edited", read is not None and "Edited" in read.text, "an edit is read back"))
        ts = await slack.find(channel_id, key, since=since)
        found.append(_compare("kept", ts == place[1], "an edit without metadata keeps the key"))
        await slack.delete(*place)
        deleted, place = place, None
        found.append(_compare("deleted", await _is_gone(slack, *deleted), "a deleted message is gone"))
    except SlackRefusedError as error:
        found.append(Finding("slack.refused", Status.FAIL, "Slack refused a call", error.why))
    except SourceError as error:
        found.append(Finding("slack.unknown", Status.UNKNOWN, "Slack did not answer", error.why))
    finally:
        if place is not None:
            with contextlib.suppress(SourceError):
                await slack.delete(*place)
    return found


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
