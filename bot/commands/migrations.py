"""`migrations`: lists applied, pending and changed migrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from bot.commands.arguments import no_more
from bot.types import Answer, Block, Request
from bot.views.blocks import context, fit_message, section, sections, table
from bot.views.findings import finding_data, finding_line
from bot.views.text import code, utc
from bot.world import World
from playbooks import migrations
from playbooks.model import Finding, worst
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.errors import Unavailable

MAX_NAMED = 30  # versions listed one by one


def migrations_answer(
    findings: Sequence[Finding], status: MigrationStatus | Unavailable, newest: Sequence[AppliedMigration]
) -> Answer:
    """`newest`: the applied migrations to show, newest first."""
    first = "\n".join(map(finding_line, findings))
    blocks: list[Block] = [section(first)]
    data = finding_data("migrations", findings)
    if isinstance(status, Unavailable):
        return Answer(*fit_message(first, blocks), data, worst(findings))
    lines = [*_named("not applied", status.pending), *_named("changed after being applied", status.changed)]
    lines += _named("in the database, not in these files", status.unknown)
    blocks += sections(lines)
    if newest and status.is_migrated:
        blocks += table(("Version", "Applied", "Name"), [(m.version, utc(m.executed_at), m.name) for m in newest])
    if status.is_migrated:
        blocks.append(context(f"{len(status.applied)} applied, the newest {len(newest)} shown"))
    text = "\n".join([first, *lines])
    return Answer(*fit_message(text, blocks), {**data, **_data(status)}, worst(findings))


def _named(what: str, versions: Sequence[str]) -> list[str]:
    lines = [f"• {what}: {code(version, limit=120)}" for version in versions[:MAX_NAMED]]
    left_out = len(versions) - MAX_NAMED
    return [*lines, f"• {left_out} more {what}"] if left_out > 0 else lines


def _data(status: MigrationStatus) -> dict[str, object]:
    recorded = status.recorded
    reported = {} if status.is_migrated else {"recorded": asdict(recorded) if recorded else None}
    return reported | {
        "applied": [
            {"version": m.version, "name": m.name, "executed_at": m.executed_at.isoformat()} for m in status.applied
        ],
        "pending": list(status.pending) if status.is_migrated or status.pending else None,
        "changed": list(status.changed),
        "newer": list(status.unknown),
    }


async def handle(request: Request, world: World) -> Answer:
    no_more(request.words, 0)
    status = await world.migrations()
    newest = () if isinstance(status, Unavailable) else migrations.newest(status)
    return migrations_answer(migrations.check(status), status, newest)
