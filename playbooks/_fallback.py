"""What follows a step that failed and had changed nothing: known from the approved steps, so nobody is asked again.

Only an SQL file fails like that: its transaction was rolled back whole. Everything else stays as it stands, because
nobody can tell how far it came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from playbooks._phases import start
from playbooks._steps import ApplySqlFile, Step, StopService, VerifySchemaHead


def fall_back(steps: Sequence[Step], failed: int) -> tuple[Step, ...]:
    """The steps to do after step `failed` (an index); empty when everything stays as it stands."""
    step = steps[failed]
    return tuple(_start_again(step, steps[:failed])) if isinstance(step, ApplySqlFile) else ()


def _start_again(sql: ApplySqlFile, before: Sequence[Step]) -> Iterator[Step]:
    """The schema is proved to be the one of before; then what this run stopped starts again, at the former counts."""
    yield VerifySchemaHead(sql.head)
    for step in before:
        if isinstance(step, StopService):
            yield from start(step.service, step.deployment_id, step.from_)
