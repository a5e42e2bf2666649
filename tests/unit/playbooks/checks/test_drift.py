"""The check of drift: it names what no longer fits, and the commands that don't work because of it."""

from __future__ import annotations

from bot.commands.registry import REGISTRY
from playbooks.checks.drift import MAX_FINDINGS, check
from playbooks.model import Status
from services.clients.postgres.drift import AFFECTED, NOT_OURS, OPERATED_TOPICS, TOPICS, commands_of, queries_in
from services.domain.database import MissingRight, Query, SchemaDrift
from services.domain.errors import Unavailable
from services.domain.systems import RUNBOOK

GONE = 'column "error_message" does not exist'


def right(privilege: str, on: str = "ops.job_queue", *topics: str) -> MissingRight:
    return MissingRight("dragonfly_app", privilege, on, topics or (AFFECTED["worker"],))


def query(name: str) -> Query:
    """The query of this name, from the files of queries."""
    [found] = [one for one in queries_in(RUNBOOK) if one.name == name]
    return found


def test_reads_of_the_operated_tables_name_commands_that_exist_and_the_same_in_each_system() -> None:
    needing = {
        system: {name: commands_of(sql) for queries in topics.values() for name, sql in queries.items()}
        for system, topics in OPERATED_TOPICS.items()
    }

    assert needing["civil"] == needing["runbook"]
    assert {command for commands in needing["runbook"].values() for command in commands} <= set(REGISTRY)
    assert [name for name, commands in needing["runbook"].items() if not commands] == ["count_exhausted_jobs"]


def test_every_other_file_of_queries_reports_what_does_not_work_without_it() -> None:
    assert set(AFFECTED) == set(TOPICS) - set(NOT_OURS)


def test_queries_that_are_refused_for_one_reason_are_one_finding() -> None:
    refused = {query("list_failed_jobs"): GONE, query("count_failed_jobs"): GONE}

    [finding] = check(SchemaDrift(9, refused))

    assert (finding.status, finding.title) == (Status.FAIL, GONE)
    assert finding.detail == "needed by list_failed_jobs, count_failed_jobs; affects failed-jobs, requeue"
    assert finding.evidence["commands"] == ["failed-jobs", "requeue"]


def test_a_query_of_our_own_tables_names_what_it_is_for() -> None:
    [finding] = check(SchemaDrift(9, {query("read_run"): "relation does not exist"}))

    assert "affects runs, run, cancel, and every change" in finding.detail


def test_rights_on_one_object_are_one_finding() -> None:
    [finding] = check(SchemaDrift(9, missing=(right("INSERT"), right("SELECT"), right("ROWS"))))

    assert finding.title == "dragonfly_app lacks INSERT, SELECT on ops.job_queue"
    assert finding.detail == "affects the workers, queue, throughput"


def test_hidden_rows_are_reported_as_hidden() -> None:
    [finding] = check(SchemaDrift(9, missing=(right("ROWS"),)))

    assert finding.title == "row-level security hides ops.job_queue from dragonfly_app"


def test_a_database_that_lacks_everything_does_not_flood() -> None:
    found = check(SchemaDrift(99, missing=tuple(right("SELECT", f"ops.t{n}") for n in range(20))))

    assert len(found) == MAX_FINDINGS + 1
    assert found[-1].title == "12 more that do not fit"


def test_nothing_to_report_is_fine() -> None:
    assert [finding.status for finding in check(SchemaDrift(9))] == [Status.OK]


def test_no_one_knows_is_not_fine() -> None:
    assert [f.status for f in check(Unavailable("database", "away"))] == [Status.UNKNOWN]
