"""The message of an external deployment: in progress, being verified, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.types import Block
from bot.views.blocks import actions, command_button, context, fit_message, is_web_address, link_button, section
from bot.views.findings import SIGN, finding_line
from bot.views.text import date_token, escape
from bot.views.verify import step_section
from playbooks.model import Status
from playbooks.verify import Step
from services.domain.deployments import Deployment
from services.domain.phone_lines import PHONE_LIMIT, shorten, shown_width
from services.domain.services import Service, short_sha

SUBJECT_LIMIT, AUTHOR_LIMIT = 45, 80  # the commit must fit into a phone's first line


@dataclass(frozen=True)
class Shown:
    """Data for all states of the message. `scope`: the word for its services in a command. `made_by`: one of its
    deployments, with commit and author; None if Railway does not list it any more. `skipped`: services that Railway
    left out of this push. `is_held`: it waits for approval in Railway."""

    environment: str | None
    services: Sequence[Service]
    scope: str
    commit_sha: str | None
    made_by: Deployment | None
    since: datetime
    skipped: Sequence[Service] = ()
    is_held: bool = False


def on_its_way(about: Shown, *, is_settled: bool) -> tuple[str, list[Block]]:
    """The message before the verdict. `is_settled`: deployed, and being verified."""
    word = "VERIFYING" if is_settled else "DEPLOYING"
    sign = "🔵"
    if about.is_held:
        sign, word = "🟡", "WAITING FOR APPROVAL in Railway"
    first = f"{sign} *{word}* · {_place(about)}{_commit(about)} to {_names(about)}"
    return fit_message(first, [section(first), *actions(_approve(about)), context(_who(about))])


def ended(about: Shown, status: Status, sentence: str, steps: Sequence[Step]) -> tuple[str, list[Block]]:
    """The message with the verdict in the first line, then each step with its findings."""
    where = f"{_place(about)}*{escape(short_sha(about.commit_sha))}*"
    first = f"{SIGN[status]} *{escape(sentence, limit=300)}* · {_place(about)}{_commit(about)}"
    room = PHONE_LIMIT - shown_width(f"{SIGN[status]} ** · {where}")
    phone = f"{SIGN[status]} *{escape(shorten(sentence, room))}* · {where}"
    lines = [finding_line(finding) for step in steps for finding in step.findings if finding.status is not Status.OK]
    blocks = [section(first), *map(step_section, steps), *actions(_buttons(about, status)), context(_who(about))]
    return fit_message("\n".join([phone, *lines]), blocks)


def _buttons(about: Shown, status: Status) -> list[Block]:
    """Buttons, the likeliest next step first; a rollback still needs approval."""
    sha = f" {about.commit_sha}" if about.commit_sha else ""
    again = command_button("Verify again", f"verify {about.scope}{sha}")
    if status is Status.FAIL:
        return [command_button("Roll back", f"rollback {about.scope}", style="primary"), again]
    return [] if status is Status.OK else [*_approve(about), again]


def _approve(about: Shown) -> list[Block]:
    """Link to Railway if the deployment waits for approval there."""
    link = about.made_by.link if about.made_by else None
    return [link_button("Approve in Railway", link)] if about.is_held and link and is_web_address(link) else []


def _place(about: Shown) -> str:
    return f"{escape(about.environment)} · " if about.environment else ""


def _commit(about: Shown) -> str:
    subject = ((about.made_by and about.made_by.commit_message) or "").strip().partition("\n")[0]
    words = f" ({escape(shorten(subject, SUBJECT_LIMIT))})" if subject else ""
    return f"*{escape(short_sha(about.commit_sha))}*{words}"


def _names(about: Shown) -> str:
    return ", ".join(service.short for service in about.services)


def _who(about: Shown) -> str:
    author = about.made_by and about.made_by.author
    by = f"committed by {escape(author, limit=AUTHOR_LIMIT)} · " if author else ""
    skipped = ", ".join(service.short for service in about.skipped)
    left_out = f" · Railway skipped {skipped}: no changes there" if skipped else ""
    return f"{by}deployed {date_token(about.since)}, not by a run of the bot{left_out}"
