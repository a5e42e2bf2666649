"""What the bot tells in an incident's thread by itself: the runbook's escalation path, one message a step."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Block
from bot.views.blocks import actions, command_button, context, link_button, section, sections
from bot.views.findings import finding_line
from bot.views.message import fit_message
from bot.views.rollback import offer_answer
from bot.views.text import date_token, escape
from playbooks._advice import Offer
from playbooks._contract import Finding, Status, wrong_first
from playbooks._recent_changes import Changes
from services.domain.oncall import Chain, ChainLevel
from services.domain.supabase import log_links
from services.domain.words import age, counted

Content = tuple[str, list[Block]]

LINE_LIMIT = 300
SHOWN = 12  # lines of one step; its command has them all


def changes_message(changes: Changes) -> Content:
    """1. What changed in the last two hours, newest first."""
    happenings = changes.happenings[:SHOWN]
    lines = [f"{date_token(one.at, '{time}')} {escape(one.words, limit=LINE_LIMIT)}" for one in happenings]
    left = len(changes.happenings) - len(lines)
    lines += [f"… {counted(left, 'more change')}"] if left > 0 else []
    lines += [f"❔ unknown: {escape(words, limit=LINE_LIMIT)}" for words in changes.unknown]
    first = "*1. What changed in the last two hours*"
    nothing = ["Nothing was deployed, migrated or run."] if not changes.happenings and not changes.unknown else []
    note = context("What people do by hand in Railway's or Supabase's dashboard is not among it.")
    return fit_message("\n".join([first, *nothing, *lines]), [*sections([first, *nothing, *lines]), note])


def findings_message(number: int, what: str, command: str, findings: Sequence[Finding]) -> Content:
    """2. and 3. What the logs and the doctor tell; `command` is where to read on."""
    loud = [finding for finding in wrong_first(findings) if finding.status is not Status.OK]
    first = f"*{number}. {escape(what)}*"
    lines = [finding_line(finding) for finding in loud[:SHOWN]]
    lines += [f"… {counted(len(loud) - SHOWN, 'more finding')}"] if loud[SHOWN:] else []
    lines = lines or ["✅ Nothing that is wrong."]
    buttons = actions([command_button("Read on", command)])
    return fit_message("\n".join([first, *lines]), [*sections([first, *lines]), *buttons])


def dashboards_message(ref: str | None) -> Content:
    """4. Supabase's own logs, which the bot does not read."""
    first = "*4. Supabase's dashboard*"
    if ref is None:
        line = "No links: `SUPABASE_URL` does not tell the project. Open Database → Logs and Auth → Logs by hand."
        return fit_message(f"{first}\n{line}", [section(f"{first}\n{line}")])
    line = "The logs of the database and of the sign-in service, which the bot does not read:"
    buttons = [link_button(label, url) for label, url in log_links(ref).items()]
    return fit_message(f"{first}\n{line}", [section(f"{first}\n{line}"), *actions(buttons)])


def rollback_message(scope: str, found: Offer) -> Content:
    """5. Where one could go back to; somebody else approves it as ever."""
    first = "*5. Roll back?*"
    if not found.candidates:
        line = f"Nowhere to go back to is known for {scope}: Railway does not tell, or has no earlier image."
        return fit_message(f"{first}\n{line}", [section(f"{first}\n{line}")])
    offer = offer_answer(scope, found)
    return fit_message(f"{first}\n{offer.text}", [section(first), *offer.blocks])


def oncall_message(chain: Chain) -> Content:
    """6. Who is called in which order, as it was when the incident began. Nobody is rung by reading it."""
    first = "*6. Who is called*"
    lines = [f"{number}. {_who(level)}, {age(level.wait)} each" for number, level in enumerate(chain.levels, start=1)]
    lines += [f"⚠️ {escape(words)}" for words in chain.notes]
    lines = lines or ["⚠️ Nobody: there is neither an on-call file nor an approver."]
    return fit_message("\n".join([first, *lines]), sections([first, *lines]))


def missing_message(number: int, what: str, why: str, command: str) -> Content:
    """In the place of a step whose source is away: said, and the rest goes on."""
    first = f"*{number}. {escape(what)}*: ❔ not known, {escape(why, limit=LINE_LIMIT)}"
    return fit_message(first, [section(first), *actions([command_button("Try again", command)])])


def _who(level: ChainLevel) -> str:
    return escape(", ".join(dict.fromkeys(target.who for target in level.targets)), limit=LINE_LIMIT)
