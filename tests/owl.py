"""A third, made-up system, declared for as long as a test needs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from services.domain.services import Service, WorkerType, declared_for_a_while
from services.domain.systems import RUNBOOK, CommitSource, GoldenPathKind, OperatedService, System


@contextlib.contextmanager
def declared_owl() -> Iterator[System]:
    """Declare the system; its names are removed afterwards, because declared names are valid everywhere."""
    with declared_for_a_while():
        nest = Service.declare("owl-nest", "nest")
        hunter = Service.declare("owl-hunter", "hunter", WorkerType("owl_hunter"))
        yield replace(
            RUNBOOK,
            name="owl",
            operated=(
                OperatedService(nest, ("owl serve",), ("OWL_KEY",), ("owl",), CommitSource.HEALTH),
                OperatedService(hunter, ("owl hunt",), (), ("owl",), CommitSource.HEARTBEAT, job_types=("hunt",)),
            ),
            columns=frozenset({"owl.birds.seen_at", "owl.hunts.prey"}),
            schemas=("owl",),
            golden_path=GoldenPathKind.UPLOAD,
        )
