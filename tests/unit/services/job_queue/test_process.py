from __future__ import annotations

from services.job_queue.process import starting_banner

AS_THE_RUNBOOK_SHOWS_IT = """\
┌─────────────────────────────────────────────────────────────────────┐
│                    DRAGONFLY WORKER STARTING                        │
├─────────────────────────────────────────────────────────────────────┤
│  Worker ID:    ingest-abc123                                        │
│  Worker Type:  ingest_processor                                     │
│  Environment:  prod                                                 │
│  Git SHA:      a1b2c3d4                                             │
│  Python:       3.11.4                                               │
└─────────────────────────────────────────────────────────────────────┘"""


def banner_of(worker_id: str) -> str:
    return starting_banner(
        worker_id=worker_id, worker_type="ingest_processor", environment="prod", git_sha="a1b2c3d4", python="3.11.4"
    )


def test_banner_looks_as_in_the_runbook() -> None:
    assert banner_of("ingest-abc123") == AS_THE_RUNBOOK_SHOWS_IT


def test_keeps_its_shape_with_a_long_id() -> None:
    assert {len(line) for line in banner_of("ingest-" + "x" * 100).splitlines()} == {71}
