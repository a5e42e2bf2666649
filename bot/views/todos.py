"""Follow-ups of incidents: their lines, messages and lists, and their GitHub issues."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.text import clean, date_token, escape, link, mention, plain
from services.domain.masking import mask_message
from services.domain.text import age, counted
from services.domain.todos import Todo, WantedIssue

Content = tuple[str, list[Block]]
SHOWN, BUTTONS = 20, 5


def todo_line(todo: Todo, now: datetime) -> str:
    """ "☐ ben: raise the limit · by Fri · incident 7, follow-up 3", in mrkdwn."""
    sign = "✅" if todo.done_at else ("🔴" if todo.is_late(now) else "☐")
    who = f"{mention(todo.owner)}: " if todo.owner else ""
    by = f" · by {date_token(todo.due_at)}" if todo.due_at else ""
    issue = f" · {link(todo.issue_url, issue_name(todo.issue_url))}" if todo.issue_url else ""
    about = f"incident {todo.incident_id}, follow-up {todo.id}"
    return f"{sign} {who}{escape(todo.text, limit=500)}{by} · {about}{issue}"


def issue_name(url: str) -> str:
    """ "issue 12", from the issue's address."""
    return f"issue {url.rstrip('/').rpartition('/')[2]}"


ISSUE_TITLE_LIMIT = 200  # characters; GitHub accepts 256


def issue_title(wanted: WantedIssue) -> str:
    """The issue's title: one masked line, which GitHub does not parse."""
    return plain(_masked(wanted.text), limit=ISSUE_TITLE_LIMIT)


def issue_text(wanted: WantedIssue, environment: str, thread: str | None) -> str:
    """The issue's text in Markdown. Typed text is masked and fenced, so that it mentions no one and closes no issue. It
    names no person.

    `thread`: address of the incident's thread.
    """
    due = [f"Due: {wanted.due_at:%Y-%m-%d %H:%M} UTC"] if wanted.due_at else []
    about = f"Follow-up {wanted.todo_id} of incident {wanted.incident_id} in {environment}:"
    where = [f"[The incident's thread in Slack]({thread})"] if thread else []
    parts = [
        _fenced(_masked(wanted.text)),
        *due,
        about,
        _fenced(_masked(wanted.title)),
        *where,
        f"<!-- {wanted.marker} -->",
    ]
    return "\n\n".join(parts)


def _masked(text: str) -> str:
    """Masked again, although typed text is masked at its entry, because more people can read GitHub."""
    return mask_message(clean(text))


def _fenced(text: str) -> str:
    """The text in a code fence that is longer than any fence in the text."""
    longest = max((len(one) for one in re.findall(r"`+", text)), default=0)
    fence = "`" * max(longest + 1, 3)
    return f"{fence}text\n{text}\n{fence}"


def no_issue_note(todo: Todo, why: str) -> Content:
    """Thread note: no issue will be made for this follow-up."""
    what_next = "The follow-up itself is stored. Make the issue by hand."
    line = f"⚠️ Follow-up {todo.id} has no GitHub issue: {escape(why)}. {what_next}"
    return fit_message(line, [section(line)])


def wanted_issues_message(todo_ids: Sequence[int], every_s: float) -> Content:
    """For the channel: issues for these follow-ups will be made, one per `every_s` seconds."""
    number = counted(len(todo_ids), "open follow-up")
    line = f"📌 GitHub issues for {number}: {_numbers(todo_ids)}"
    why = f"They have no issue yet. The bot creates one every {every_s:g} s, except for follow-ups already *Done*."
    return fit_message(line, [section(line), context(why)])


def refused_issues_message(todo_ids: Sequence[int], why: str, every: timedelta) -> Content:
    """For the channel, once: GitHub refuses token or repository, so these follow-ups get no issue for now."""
    number = counted(len(todo_ids), "follow-up")
    wait = f"{number} {'waits' if len(todo_ids) == 1 else 'wait'} for an issue: {_numbers(todo_ids)}"
    line = f"⚠️ No GitHub issues for follow-ups: {escape(why)}. {wait}"
    what_next = (
        "The follow-ups themselves are stored. Check `GITHUB_TOKEN` and `GITHUB_REPO`. The bot tries again every "
        f"{age(every)} and when it restarts, then creates all of them."
    )
    return fit_message(line, [section(line), context(what_next)])


def accepted_issues_message(every_s: float) -> Content:
    """Replaces the message of the refusal once GitHub accepts issues again."""
    line = f"✅ GitHub accepts issues for follow-ups again. The bot creates the waiting ones, one every {every_s:g} s."
    return fit_message(line, [section(line)])


def no_waiting_issues_message() -> Content:
    """Replaces the message of the refusal if no follow-up waits any more, although GitHub has accepted none."""
    line = "📌 No follow-up is waiting for a GitHub issue any more: each is done, or the bot gave up on it."
    return fit_message(line, [section(line)])


def _numbers(todo_ids: Sequence[int]) -> str:
    """ "3, 4, 5": the first 20 numbers, and how many more."""
    left = len(todo_ids) - SHOWN
    return ", ".join(map(str, todo_ids[:SHOWN])) + (f" and {counted(left, 'other')}" if left > 0 else "")


def todo_message(todo: Todo, now: datetime) -> Content:
    """Message in the incident's thread, with a button until the follow-up is done."""
    done = f" · done by {mention(todo.done_by)}" if todo.done_by else ""
    line = f"{todo_line(todo, now)}{done}"
    buttons = [] if todo.done_at else [_done(todo)]
    return fit_message(line, [section(line), *actions(buttons)])


def todos_answer(todos: Sequence[Todo], now: datetime) -> Answer:
    """The list of open follow-ups, in the given order: next due first."""
    first = f"*Open follow-ups* ({len(todos)})" if todos else "*No follow-up is open*"
    data = [todo_data(one) for one in todos]
    return Answer(*fit_message(first, [section(first), *todo_blocks(todos, now)]), data, private=True)


def todo_blocks(todos: Sequence[Todo], now: datetime) -> list[Block]:
    """One section per follow-up, the first 5 with a button."""
    blocks = [
        section(todo_line(one, now), accessory=_done(one) if place < BUTTONS else None)
        for place, one in enumerate(todos[:SHOWN])
    ]
    left = len(todos) - SHOWN
    return [*blocks, section(f"… and {counted(left, 'other')}")] if left > 0 else blocks


def todo_data(todo: Todo) -> dict[str, object]:
    """Data of a follow-up for `--json`."""
    return {
        "id": todo.id,
        "incident": todo.incident_id,
        "text": todo.text,
        "owner": todo.owner,
        "due_at": todo.due_at.isoformat() if todo.due_at else None,
        "done_at": todo.done_at.isoformat() if todo.done_at else None,
        "issue": todo.issue_url,
    }


def _done(todo: Todo) -> Block:
    return command_button("Done", f"incident done {todo.id}")
