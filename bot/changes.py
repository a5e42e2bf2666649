"""Declares every change: its name, help and risk, the changes it preempts, and the places of its functions.

The only list of changes: policy files, approvals, the runner, help and the table in docs/changes.md read it.
Functions are named, not imported, so that help imports no playbook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.types import Lazy, Verb
from services.domain.status import Risk

DRY_RUN = "--dry-run"  # every change has this option
EXCEPTION = "--exception"  # every change that a freeze holds back has this one
EVERY = "*"


@dataclass(frozen=True, kw_only=True)
class Change(Verb):
    """A verb that changes something: words become parameters, parameters and facts a plan, a plan a run.

    parse: turns the words after the verb, without `--dry-run`, into the parameters from which the plan can be made
    again. Raises UsageError before anything is read or stored.
    plan: makes the plan from parameters and the world, or gives the reason there is none. Raises UsageError for
    invalid parameters, before anything is read.
    offer: the answer to show instead of a plan while the words lack what the plan needs; returns None if they are
    complete.
    risk: the highest risk of its plans. risk_varies: describes it in words, where plans differ.
    takes_services: its runs act on services, which a policy may name.
    preempts: the changes whose runs on the same services stop when it starts.
    voids_others: its start makes pending requests for the same services void, because their plans rest on what it
    changes.
    self_approval: in an emergency its requester may start it when no approver answers.
    can_wait: it may be approved now and start later, `at` a time.
    held_by_freezes: it does not start while a freeze is in force; False for changes that restore a service.
    """

    parse: Lazy
    plan: Lazy
    offer: Lazy | None = None
    risk: Risk
    risk_varies: str = ""
    takes_services: bool = True
    preempts: frozenset[str] = frozenset()
    voids_others: bool = True
    self_approval: bool = False
    held_by_freezes: bool = False
    can_wait: bool = False
    group: str = "Changes"

    @property
    def risk_words(self) -> str:
        """The risk in words: "high", or "low for one more replica, otherwise high"."""
        return self.risk_varies or self.risk.value

    def goes_before(self, other: str) -> bool:
        """True if runs of the change `other` stop when a run of this change starts."""
        return EVERY in self.preempts or other in self.preempts


_CHANGES = (
    Change(
        name="deploy",
        summary="build and deploy one commit, pending migrations shown first; `at` starts it later",
        usage="<service|all> <sha> [proof <line>] [at <time>]",
        examples=("deploy api 8d02b64e", "deploy all 8d02b64e --dry-run", "deploy api 8d02b64e at 02:00"),
        parse=Lazy("bot.commands.deploy:parse"),
        plan=Lazy("bot.commands.deploy:plan"),
        risk=Risk.CRITICAL,
        risk_varies="critical with destructive migrations, otherwise high",
        can_wait=True,
        held_by_freezes=True,
    ),
    Change(
        name="golden-path",
        summary="send one file of test data through the whole intake, verify it, and remove it again",
        usage="[--keep|--clean]",
        examples=("golden-path", "golden-path --keep", "golden-path --dry-run"),
        parse=Lazy("bot.commands.golden_path:parse"),
        plan=Lazy("bot.commands.golden_path:plan"),
        risk=Risk.HIGH,
        risk_varies="high in production, otherwise low",
        takes_services=False,
        held_by_freezes=True,
    ),
    Change(
        name="redeploy",
        summary="redeploy the active deployment with the current variables",
        usage="<service>",
        examples=("redeploy api",),
        parse=Lazy("bot.commands.redeploy:parse"),
        plan=Lazy("bot.commands.redeploy:plan"),
        risk=Risk.HIGH,
        held_by_freezes=True,
    ),
    Change(
        name="requeue",
        summary="put a job, or all failed jobs of one kind of error, back into the queue",
        usage="<job|group>",
        examples=("requeue 123e4567-e89b-12d3-a456-426614174000",),
        parse=Lazy("bot.commands.requeue:parse"),
        plan=Lazy("bot.commands.requeue:plan"),
        risk=Risk.LOW,
        takes_services=False,
    ),
    Change(
        name="restart",
        summary="restart the active deployment, without a build; `--through-zero` stops everything first",
        usage="<service> [--through-zero]",
        examples=("restart ingest", "restart ingest --through-zero"),
        parse=Lazy("bot.commands.restart:parse"),
        plan=Lazy("bot.commands.restart:plan"),
        risk=Risk.LOW,
        self_approval=True,
    ),
    Change(
        name="rollback",
        summary="return to an earlier deployment; without a target, the bot offers the best candidate",
        usage="<service|workers|all> [to <sha|deployment>]",
        examples=("rollback api", "rollback api to 8d02b64e", "rollback all to 8d02b64e --dry-run"),
        parse=Lazy("bot.commands.rollback:parse"),
        plan=Lazy("bot.commands.rollback:plan"),
        risk=Risk.HIGH,
        offer=Lazy("bot.commands.rollback:offer"),
        self_approval=True,
        preempts=frozenset({"scale"}),
    ),
    Change(
        name="rollback-db",
        summary="revert a migration with its prepared and tested rollback",
        usage="<version> [--with-api]",
        examples=("rollback-db 20251202009900", "rollback-db 20251202009900 --dry-run"),
        parse=Lazy("bot.commands.rollback_db:parse"),
        plan=Lazy("bot.commands.rollback_db:plan"),
        risk=Risk.CRITICAL,
    ),
    Change(
        name="scale",
        summary="run more or fewer replicas of a service; adds them one at a time, watching each",
        usage="<service> <n> [at <time>]",
        examples=("scale ingest 2", "scale ingest 0 --dry-run"),
        parse=Lazy("bot.commands.scale:parse"),
        plan=Lazy("bot.commands.scale:plan"),
        risk=Risk.HIGH,
        risk_varies="low for one more replica, otherwise high",
        self_approval=True,
        can_wait=True,
        held_by_freezes=True,
    ),
    Change(
        name="stop-workers",
        keeps_words=True,
        summary="break-glass: stop the workers immediately, without approval; announced to everyone",
        usage="[worker] [reason]",
        examples=("stop-workers", "stop-workers ingest wrong amounts"),
        parse=Lazy("bot.commands.stop_workers:parse"),
        plan=Lazy("bot.commands.stop_workers:plan"),
        risk=Risk.BREAK_GLASS,
        offer=Lazy("bot.commands.stop_workers:offer"),
        preempts=frozenset({EVERY}),
    ),
    Change(
        name="unlock",
        summary="remove the lock that a rollback left, and turn auto-deploy on again",
        usage="<service> <reason>",
        examples=("unlock api fixed in 9f8e7d6c",),
        parse=Lazy("bot.commands.unlock:parse"),
        plan=Lazy("bot.commands.unlock:plan"),
        risk=Risk.LOW,
        voids_others=False,
    ),
)

CHANGES: Mapping[str, Change] = {change.name: change for change in _CHANGES}


def changes_table() -> str:
    """Markdown table for docs/changes.md, one row per change."""
    rows = ["| command | what it does | risk |", "|---|---|---|"]
    for change in CHANGES.values():
        call, summary = (text.replace("|", "\\|") for text in (f"{change.name} {change.usage}", change.summary))
        rows.append(f"| `{call}` | {summary} | {change.risk_words} |")
    return "\n".join(rows)
