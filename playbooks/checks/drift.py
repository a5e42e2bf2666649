"""Checks that tables, columns, functions and rights are as our SQL expects them (drift)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from playbooks.checks.database import ADOPT_AGAIN, CONFIG
from playbooks.model import Finding, NextStep, Status
from services.domain.database import MissingRight, Query, SchemaDrift
from services.domain.errors import Unavailable
from services.domain.text import counted

STEP = NextStep("Show migrations", "migrations")
MAX_FINDINGS = 8  # a database that was never migrated lacks everything; the evidence has the whole list


def check(drift: SchemaDrift | Unavailable) -> list[Finding]:
    """One finding per reason for which queries are refused, and one per object with missing rights."""
    if isinstance(drift, Unavailable):
        return [Finding("drift.schema", Status.UNKNOWN, "drift unknown", drift.why, next_step=STEP)]
    found = [*_refused(drift.refused), *_missing(drift.missing)]
    if not found:
        fine = f"tables, columns, functions and grants match {counted(drift.tried, 'expectation')}"
        return [Finding("drift.schema", Status.OK, fine)]
    shown = [*found[:MAX_FINDINGS], *_rest(found[MAX_FINDINGS:])]
    return shown if drift.is_migrated else [_of_existing_system(finding) for finding in shown]


def _of_existing_system(finding: Finding) -> Finding:
    """The finding for a system that our migrations do not make, so they can't repair it."""
    return replace(finding, detail=f"{finding.detail}; {ADOPT_AGAIN}", next_step=CONFIG)


def _refused(refused: Mapping[Query, str]) -> Iterator[Finding]:
    for why in dict.fromkeys(refused.values()):
        queries = [query for query, reason in refused.items() if reason == why]
        names = [query.name for query in queries]
        commands = _unique(command for query in queries for command in query.commands)
        evidence = {"queries": names, "commands": commands}
        detail = f"needed by {', '.join(names[:3])}{_more(names[3:])}; affects {', '.join(_affected(queries))}"
        yield Finding(f"drift.{names[0]}", Status.FAIL, why, detail, evidence=evidence, next_step=STEP)


def _missing(missing: Sequence[MissingRight]) -> Iterator[Finding]:
    for subject in dict.fromkeys(right.on for right in missing):
        rights = [right for right in missing if right.on == subject]
        privileges = [right.privilege for right in rights if right.privilege != "ROWS"]
        role = rights[0].role
        title = f"{role} lacks {', '.join(privileges)} on {subject}"
        if not privileges:
            title = f"row-level security hides {subject} from {role}"
        affected = _unique(words for right in rights for words in right.affects)
        evidence = {"role": role, "on": subject, "lacks": [right.privilege for right in rights]}
        detail = f"affects {', '.join(affected)}"
        yield Finding(f"drift.rights.{subject}", Status.FAIL, title, detail, evidence=evidence, next_step=STEP)


def _affected(queries: Iterable[Query]) -> list[str]:
    """Commands that need the queries, otherwise the purpose of the query's file."""
    return _unique(
        words for query in queries for words in query.commands or (query.affects or query.topic.replace("_", " "),)
    )


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _more(left_out: Sequence[str]) -> str:
    return f" and {len(left_out)} more" if left_out else ""


def _rest(left_out: Sequence[Finding]) -> Iterator[Finding]:
    if left_out:
        evidence = {finding.check: finding.title for finding in left_out}
        title = f"{len(left_out)} more that do not fit"
        yield Finding("drift.more", Status.FAIL, title, "see --json", evidence=evidence, next_step=STEP)
