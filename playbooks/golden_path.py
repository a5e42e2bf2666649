"""Check that a file goes all the way, from the upload to validated rows (runbook, "Golden Path Validation")

When:   after a deployment that touched the intake, or when in doubt.
Effect: uploads one marked file of test data, follows it until it is completed, checks its results, and removes it
        again, however the run ends. It is never enforced, and no other batch is touched.
Undo:   none needed; with `--keep` the batch stays, and `golden-path --clean` removes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from playbooks.change_parts import SAMPLE_HEALTH_S, SAMPLE_S, Load, backlog, unavailable
from playbooks.model import NextStep, NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import (
    AwaitSample,
    CheckIngestBeats,
    RemoveSample,
    Step,
    UploadKeptSample,
    UploadSample,
    VerifyApiHealth,
    VerifyKeptSample,
    VerifySampleData,
    VerifySampleRows,
)
from services.domain.batches import GoldenBatch
from services.domain.environments import is_production
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.intake import SAMPLE, SampleFile
from services.domain.jobs import pending_words
from services.domain.services import Service
from services.domain.systems import GoldenPathKind, System
from services.domain.text import counted

NAME = "golden-path"
CLEAN = f"{NAME} --clean"
MOST_CLEANED = 20  # batches at a time


@dataclass(frozen=True)
class Facts:
    """`sample`: the test file, or why it cannot be used. `left`: marked batches that still exist, oldest first.

    `under_way`: the numbers of golden paths that run now, each with its own batch. `in_production`: True if the
    settings permit rows in production that cannot be removed again.
    """

    environment: str
    api: ApiHealth | Unavailable
    has_key: bool
    load: Load
    sample: SampleFile | Unavailable
    left: Sequence[GoldenBatch] | Unavailable
    under_way: Sequence[int] | Unavailable = ()
    system: System = field(kw_only=True)
    in_production: bool = False

    @property
    def is_upload(self) -> bool:
        """True if the system's rows stay and none of its workers takes part."""
        return self.system.golden_path is GoldenPathKind.UPLOAD


def plan(facts: Facts, *, keep: bool = False) -> Plan | NoPlan:
    """A plan of one golden path. `keep`: keep the batch for inspection."""
    sample, refusal = facts.sample, _refuse(facts)
    if isinstance(sample, Unavailable):
        return NoPlan(
            f"the test file cannot be used: {sample.why}",
            f"restore {SAMPLE} from the repository",
            (NextStep("Check the settings", "check-config"),),
        )
    if refusal is not None:
        return refusal
    if facts.is_upload:
        return _upload_plan(facts, sample)
    return Plan(
        environment=facts.environment,
        playbook=NAME,
        parameters={"keep": "yes"} if keep else {},
        steps=tuple(_steps(sample, keep=keep)),
        risk=Risk.HIGH if is_production(facts.environment) else Risk.LOW,
        title="Golden path, its batch kept" if keep else "Golden path",
        impact=tuple(_impact(facts, sample, keep=keep)),
        warnings=tuple(_warnings(facts)),
        undo=CLEAN if keep else None,
    )


def _upload_plan(facts: Facts, sample: SampleFile) -> Plan:
    """A plan for a system that keeps the rows: two people in every environment, because nothing removes the rows."""
    steps = (
        VerifyApiHealth(SAMPLE_HEALTH_S),
        UploadKeptSample(sample.checksum),
        AwaitSample(SAMPLE_S),
        VerifySampleRows(sample.rows),
        VerifyKeptSample(sample.rows),
    )
    rows = counted(sample.rows, "row")
    return Plan(
        environment=facts.environment,
        playbook=NAME,
        parameters={},
        steps=steps,
        risk=Risk.HIGH,
        title="Golden path of the upload",
        impact=(
            f"uploads {rows} of test data, which stay: this system has no way to remove them",
            "exercises no worker: the API stores the rows itself",
        ),
    )


def plan_clean(facts: Facts) -> Plan | NoPlan:
    """A plan to remove the batches that earlier golden paths left."""
    if facts.is_upload:
        return NoPlan(
            f"the rows of an upload stay in the system {facts.system.name}",
            "ask its database administrator to remove them",
            (NextStep("Latest batches", "intake"),),
        )
    if isinstance(facts.left, Unavailable):
        return unavailable(facts.left)
    if isinstance(facts.under_way, Unavailable):
        return unavailable(facts.under_way)
    if facts.under_way:
        runs = ", ".join(map(str, facts.under_way))
        steps = tuple(NextStep(f"Run {run}", f"run {run}") for run in facts.under_way[:1])
        return NoPlan(f"a golden path is running (run {runs})", "wait until it ends, or cancel it", steps)
    if not facts.left:
        return NoPlan("no golden path left a batch", "nothing to do", (NextStep("Latest batches", "intake"),))
    batches = [batch.id for batch in facts.left][:MOST_CLEANED]
    return Plan(
        environment=facts.environment,
        playbook=NAME,
        parameters={"clean": "yes"},
        steps=tuple(map(RemoveSample, batches)),
        risk=Risk.LOW,
        title=f"Remove {counted(len(batches), 'batch')} of the golden path",
        impact=(f"removes {counted(len(batches), 'batch')} of test data with their rows, judgments and jobs",),
    )


def _refuse(facts: Facts) -> NoPlan | None:
    """Why the runbook's prerequisites are not met, in the runbook's order; None if they are."""
    api, load = facts.api, facts.load
    if isinstance(api, Unavailable):
        return unavailable(api)
    if not api.is_ok:
        return _not_ready(f"the API answers {api.status} (HTTP {api.http_status})", "fix that first", "health")
    if api.environment != facts.environment:
        other = api.environment or "an unknown environment"
        return _not_ready(
            f"the API belongs to {other}, and the bot's settings say {facts.environment}",
            "fix DRAGONFLY_API_BASE or ENVIRONMENT first",
            "check-config",
        )
    if not facts.has_key:
        return _not_ready("the bot has no key for uploads", "set DRAGONFLY_API_KEY for the bot", "check-config")
    return _refuse_in_production(facts) if facts.is_upload else _refuse_without_workers(load)


def _refuse_without_workers(load: Load) -> NoPlan | None:
    for fact in (load.beats, load.queue):
        if isinstance(fact, Unavailable):
            return unavailable(fact)
    if not load.workers([load.system.uploader or Service.INGEST]) and load.all_visible:
        return _not_ready("no ingest worker is alive", "start one, then try again", "heartbeats ingest")
    return None


def _refuse_in_production(facts: Facts) -> NoPlan | None:
    if facts.in_production or not is_production(facts.environment):
        return None
    return _not_ready(
        f"the rows would stay in {facts.environment}, and the settings do not allow that",
        "set GOLDEN_PATH_IN_PROD=true for the bot to allow it",
        "check-config",
    )


def _not_ready(why: str, what_next: str, command: str) -> NoPlan:
    return NoPlan(why, what_next, (NextStep("Show it", command),))


def _steps(sample: SampleFile, *, keep: bool) -> Iterator[Step]:
    yield CheckIngestBeats()
    yield VerifyApiHealth(SAMPLE_HEALTH_S)
    yield UploadSample(sample.checksum)
    yield AwaitSample(SAMPLE_S)
    yield VerifySampleRows(sample.rows)
    yield VerifySampleData(sample.rows)
    if not keep:
        yield RemoveSample(None)


def _impact(facts: Facts, sample: SampleFile, *, keep: bool) -> Iterator[str]:
    yield f"uploads {counted(sample.rows, 'row')} of test data as a marked batch, which is never enforced"
    if keep:
        yield f"the batch stays until it is removed: {CLEAN}"
    else:
        yield "removes the batch with its rows, judgments and jobs at the end, whatever the outcome"
    yield from backlog(facts.load)


def _warnings(facts: Facts) -> Iterator[str]:
    if not facts.load.all_visible:
        yield "row-level security may hide workers: whether an ingest worker is alive is unknown"
    queue = facts.load.queue
    if not isinstance(queue, Unavailable) and queue.pending:
        yield f"{pending_words(queue.pending)} pending may go first; the batch has {SAMPLE_S} s to come through"
    if not isinstance(facts.left, Unavailable) and facts.left and not facts.under_way:
        yield f"{counted(len(facts.left), 'batch')} of earlier golden paths are still there: {CLEAN}"
