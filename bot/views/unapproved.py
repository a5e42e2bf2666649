"""What a run's message says of what nobody approved: the lone start before it, and the review after it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Block
from bot.views.blocks import context, section
from bot.views.mentions import mention, person
from bot.views.plan import LINE_LIMIT
from bot.views.run_buttons import review as review_button
from bot.views.run_buttons import start_alone, veto
from bot.views.text import date_token, escape
from playbooks._contract import Risk
from services.domain.lone_starts import LoneStart
from services.domain.records import Record
from services.domain.reviews import Review
from services.domain.runs import Run, RunState


def lone_start_blocks(run: Run, lone: LoneStart | None) -> list[Block]:
    """Until when the approvers have time to answer, or the countdown's end."""
    if lone is None or run.state is not RunState.AWAITING_APPROVAL:
        return []
    who, where = person(run.requested_by), f"incident {lone.incident_id}"
    if lone.starts_at is not None:
        why = escape(lone.reason or "", limit=LINE_LIMIT)
        starts = f"⏳ *Nobody answered: {who} starts it alone* at {date_token(lone.starts_at, '{time_secs}')}: {why}"
        return [section(starts, accessory=veto(run))]
    if lone.offered_at is not None:
        return [section(f"Nobody answered in {where}: {who} may start it alone.", accessory=start_alone(run))]
    until = date_token(lone.open_at, "{time_secs}")
    return [context(f"{where}: the approvers are called; if none answers by {until}, {who} may start it alone")]


def unapproved_blocks(record: Record, approvers: Sequence[str]) -> list[Block]:
    """Nobody was asked, or nobody answered: everybody is told, and a review is asked for."""
    run, review, lone = record.run, record.review, record.lone
    if run.risk != Risk.BREAK_GLASS and review is None:
        return []
    word, why = (
        ("Break-glass", run.reason)
        if run.risk == Risk.BREAK_GLASS
        else ("Started alone", lone.reason if lone else None)
    )
    done = f"🚨 *{word}* by {person(run.requested_by)}{f': {escape(why, limit=LINE_LIMIT)}' if why else ''}"
    if review is not None and not review.is_open:
        return [section(f"{done}\n{review_line(review)}")]
    who = " ".join(map(mention, approvers)) or "an approver"
    can_be_closed = review is not None and run.state.is_final
    return [section(f"{done}\n*To review it:* {who}", accessory=review_button(run) if can_be_closed else None)]


def review_line(review: Review) -> str:
    """ "Reviewed by @ann 14:05: the amounts were wrong, mended in e4f5a6b"."""
    if review.reviewed_at is None:
        return f"Nobody has reviewed yet what {person(review.acted_by)} did without an approval"
    note = escape(review.note or "", limit=LINE_LIMIT)
    return f"Reviewed by {person(review.reviewed_by)} {date_token(review.reviewed_at, '{time}')}: {note}"
