"""Freezes and locks: their messages, the messages of their windows, and the list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.findings import as_of
from bot.views.plan import Content
from bot.views.text import code, date_token, escape, mention
from services.domain.deployments import Deployment
from services.domain.freezes import LAST, LOCK, UNTIL_LIFTED, Freeze
from services.domain.services import Service, short_sha
from services.domain.windows import Span

HELD_BACK = "refused: `deploy`, `redeploy`, `scale`, `golden-path`"
GO_AHEAD = "allowed: `rollback`, `restart`, `stop-workers`"
SHOWN = 20
TERMINAL = "terminal"  # stored as the person who lifted it, if it was a terminal
BUTTONS = 5  # freezes with their own button


def freeze_message(freeze: Freeze, now: datetime) -> Content:
    """Public: owner, scope, time and reason of a freeze, with the button that lifts it."""
    line = freeze_line(freeze, now)
    blocks = [section(line), *actions([_lift(freeze)]), context(f"{HELD_BACK} · {GO_AHEAD}")]
    return Content(*fit_message(line, blocks))


def ended_message(freeze: Freeze, outcome: str) -> Content:
    """The freeze's message after its end. `outcome`: "over" or "lifted by <id>", as stored."""
    by = outcome.removeprefix("lifted by ")
    how = "is over" if by == outcome else f"was lifted by {mention(by) if by != TERMINAL else 'the terminal'}"
    line = f"⚪ The {freeze.kind} of *{freeze.scope}* by {mention(freeze.owner)} {how}: {_reason(freeze)}"
    return Content(*fit_message(line, [section(line), context(f"{freeze.kind} {freeze.id}")]))


def window_message(freeze: Freeze, span: Span) -> Content:
    """The message at the start of a window that began after its freeze was created."""
    by = mention(freeze.owner)
    line = f"{_sign(freeze)} *{freeze.scope}* is frozen now by {by}, {_until(span)}: {_reason(freeze)}"
    blocks = [section(line), *actions([_lift(freeze)]), context(f"{HELD_BACK} · {GO_AHEAD}")]
    return Content(*fit_message(line, blocks))


def window_over(freeze: Freeze, now: datetime) -> Content:
    """The window's message after its end."""
    following = freeze.next_span(now)
    again = f"; the next one starts {date_token(following.begins)}" if following and freeze.windows else ""
    line = f"⚪ *{freeze.scope}* is no longer frozen: the window is over{again}"
    return Content(*fit_message(line, [section(line), context(f"{freeze.kind} {freeze.id}")]))


def reminder(freeze: Freeze, span: Span) -> Content:
    """Reminder for the owner, in the thread: before the end, or once per day without an end."""
    if span.ends == LAST:
        line = f"{mention(freeze.owner)} *{freeze.scope}* is still {_word(freeze)}. To lift it: `unfreeze {freeze.id}`"
    else:
        ends = f"ends {date_token(span.ends)}"
        line = (
            f"{mention(freeze.owner)} your {freeze.kind} of *{freeze.scope}* {ends}. To extend it, create another one."
        )
    return Content(*fit_message(line, [section(line)]))


def past_freezes(freezes: Sequence[Freeze], services: Sequence[Service], made: Deployment) -> Content:
    """Message to the owners: Railway deployed services that they had frozen, without a run of the bot."""
    names = ", ".join(service.short for service in services)
    author = f", committed by {escape(made.author, limit=80)}" if made.author else ""
    first = f"⚠️ *{names}* was deployed despite a freeze: {code(short_sha(made.commit_sha))}{author}, not by the bot"
    lines = [f"{mention(one.owner)} froze *{one.scope}*: {_reason(one)}" for one in freezes]
    back = actions([command_button("Roll back", f"rollback {one.short}") for one in services[:1]])
    note = context("Railway deploys a push by itself and does not know about freezes")
    return Content(*fit_message("\n".join([first, *lines]), [section(first), *sections(lines), *back, note]))


def made_answer(freeze: Freeze, now: datetime) -> Answer:
    """The answer for the person who created it; the channel has the freeze's own message."""
    line = freeze_line(freeze, now)
    blocks = [section(line), *actions([_lift(freeze)]), context("its message is in the incidents channel")]
    return Answer(*fit_message(line, blocks), freeze_data(freeze, now), private=True)


def lifted_answer(lifted: Sequence[Freeze]) -> Answer:
    """The answer for the person who lifted them; the freezes' own messages are edited."""
    names = ", ".join(f"{one.kind} {one.id} of {one.scope}" for one in lifted)
    line = f"✅ Lifted: {escape(names)}"
    return Answer(*fit_message(line, [section(line)]), {"lifted": [one.id for one in lifted]}, private=True)


def freezes_answer(freezes: Sequence[Freeze], now: datetime) -> Answer:
    """The list of current freezes, those in force first."""
    if not freezes:
        first = "*Nothing is frozen*"
        return Answer(*fit_message(first, [section(first), context(as_of(now))]), [], private=True)
    ordered = sorted(freezes, key=lambda one: (one.span_at(now) is None, one.id))
    first = f"*Freezes and locks* ({len(freezes)})"
    blocks: list[Block] = [section(first)]
    for place, one in enumerate(ordered[:SHOWN]):
        blocks.append(section(freeze_line(one, now), accessory=_lift(one) if place < BUTTONS else None))
    more = [context(f"… {len(ordered) - SHOWN} more")] if len(ordered) > SHOWN else []
    blocks += [*more, context(f"{HELD_BACK} · {GO_AHEAD} · {as_of(now)}")]
    return Answer(*fit_message(first, blocks), [freeze_data(one, now) for one in ordered], private=True)


def freeze_line(freeze: Freeze, now: datetime) -> str:
    """ "🧊 *api* is frozen by @olivia until 18:00: migration", in mrkdwn; also for a future freeze."""
    span, by = freeze.span_at(now), f"by {mention(freeze.owner)}"
    again = f", {escape(windows.words)}" if (windows := freeze.windows) is not None else ""
    if span is not None:
        return f"{_sign(freeze)} *{freeze.scope}* is {_word(freeze)} {by} {_until(span)}{again}: {_reason(freeze)}"
    following = freeze.next_span(now)
    when = f"from {date_token(following.begins)} {_until(following)}" if following else "no more"
    return f"🗓️ *{freeze.scope}* will be {_word(freeze)} {by} {when}{again}: {_reason(freeze)}"


def freeze_data(freeze: Freeze, now: datetime) -> dict[str, object]:
    """Data of a freeze for `--json`."""
    span = freeze.span_at(now) or freeze.next_span(now)
    return {
        "id": freeze.id,
        "kind": freeze.kind,
        "service": freeze.service.value if freeze.service else None,
        "owner": freeze.owner,
        "reason": freeze.reason,
        "in_force": freeze.span_at(now) is not None,
        "begins": span.begins.isoformat() if span else None,
        "ends": span.ends.isoformat() if span and span.ends != LAST else None,
        "every": windows.words if (windows := freeze.windows) is not None else None,
    }


def _lift(freeze: Freeze) -> Block:
    return command_button("Lift it", f"unfreeze {freeze.id}")


def _sign(freeze: Freeze) -> str:
    return "🔒" if freeze.kind == LOCK else "🧊"


def _word(freeze: Freeze) -> str:
    return "locked" if freeze.kind == LOCK else "frozen"


def _until(span: Span) -> str:
    return UNTIL_LIFTED if span.ends == LAST else f"until {date_token(span.ends)}"


def _reason(freeze: Freeze) -> str:
    return escape(freeze.reason, limit=500)
