"""Fixtures shared by all tests: one real Postgres server per run, and a new migrated database per test."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from psycopg import sql
from xdist.remote import Producer
from xdist.scheduler import Scheduling

from services.clients.postgres.migrations import migrate
from services.clients.postgres.pool import Connection
from services.domain.services import Service
from services.domain.systems import CIVIL
from services.sandbox.postgres.server import OWNER, PostgresServer, dsns, give_passwords, make_database, make_owner
from services.sandbox.slack import model
from services.sandbox.slack.limits import violations
from services.sandbox.slack.web_api import RECORD_VARIABLE
from tests.chaos.case_log import CaseLog
from tests.order import Together, cases_in_order, files_in_order
from tests.phone import phone_faults
from tests.preloaded import await_preloaded, end_preloaded, preload

Superuser = psycopg.Connection[tuple[object, ...]]

st.register_type_strategy(Service, st.sampled_from((*CIVIL.services, Service("dragonfly-of-a-former-release"))))

TEMPLATE = "dragonfly_template"
PREFIX = "dragonfly-tests-"

_run_directory = pytest.StashKey[Path]()
_lifeline = pytest.StashKey[int]()
_started = pytest.StashKey[PostgresServer]()
_numbers = itertools.count(1)


# No deadline: an example's time means nothing on a machine that runs other tests. The same examples in each run:
# a new failing one is found by an explicit search (`make explore`), not during an unrelated change.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("shared", settings.get_profile("explore"), derandomize=True)
settings.load_profile("shared")


@dataclass(frozen=True)
class DatabaseUrls:
    """Connection strings of one database, one per role."""

    superuser: str
    owner: str
    app: str
    bot: str


MEMORY = Path("/dev/shm")  # noqa: S108 - our own folders, with names from tempfile
ROOM = 2 << 30  # bytes; a run uses a quarter of it. In a container there are often 64 MB


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the run. The process that runs the tests (with xdist, the controller) holds the server's lifeline.

    The first test that needs the server starts it, in any worker; it ends with the run, however the run ends.
    """
    gc.disable()  # until all tests are collected
    if config.option.collectonly:
        return
    workerinput = getattr(config, "workerinput", None)
    if workerinput is not None:
        config.stash[_run_directory] = Path(workerinput["postgres_directory"])
        preload()  # unless this process was forked with one
        return
    if config.getoption("markexpr") == "chaos":
        config.pluginmanager.register(CaseLog())
    if config.getoption("markexpr") != "benchmark":  # benchmarks measure a disk
        _use_memory()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    os.mkfifo(directory / "new")
    config.stash[_run_directory] = directory
    config.stash[_lifeline] = os.open(directory / "new", os.O_RDWR)
    (directory / "new").rename(directory / "lifeline")  # it is held as soon as it has this name
    if config.getoption("tx", None):
        preload([str(config.invocation_params.dir / path.partition("::")[0]) for path in config.args])


def _use_memory() -> None:
    """Keep temporary files, above all the databases, in memory: creating a database on a disk takes ten times as
    long."""
    if "TMPDIR" in os.environ or not MEMORY.exists():
        return
    for left_over in MEMORY.glob(f"{PREFIX}*"):
        _remove_left_over(left_over)
    if shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def _remove_left_over(directory: Path) -> None:
    """Remove the files of a killed run, to free memory. A lifeline without a reader belongs to an ended server and
    run."""
    try:
        os.close(os.open(directory / "lifeline", os.O_WRONLY | os.O_NONBLOCK))
    except FileNotFoundError:
        return  # it is just being created
    except OSError as error:
        if error.errno == errno.ENXIO:
            shutil.rmtree(directory, ignore_errors=True)


GARBAGE = 10_000  # new objects per collection; Python's default 700 costs 3% of a test with a bot


def pytest_collection_finish() -> None:
    """Exclude the objects of test collection from garbage collection, because they stay until the end.

    It was off while they were created, see `pytest_configure`: it took a quarter of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 10, 10)
    gc.enable()
    await_preloaded()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Set the order in which xdist distributes the tests, see `tests/order.py`."""
    items[:] = cases_in_order(items) if config.getoption("markexpr") == "chaos" else files_in_order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Choose which tests stay together in one worker (`--dist loadfile`)."""
    return Together(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: pytest.Item) -> None:
    """Send each xdist worker the server's folder. The controller collects no tests itself."""
    gc.enable()
    node.workerinput["postgres_directory"] = str(node.config.stash[_run_directory])  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Cut the lifeline, then remove the server's files."""
    end_preloaded()
    if _lifeline not in config.stash:
        return
    directory = config.stash[_run_directory]
    os.close(config.stash[_lifeline])
    if _started in config.stash:
        config.stash[_started].stop()
    if (directory / "port").exists():
        _server(directory).erase()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> PostgresServer:
    """One embedded server for the whole run, shared by all xdist workers."""
    directory = pytestconfig.stash[_run_directory]
    with (directory / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "port").exists():
            server = _server(directory)
            server.start()
            pytestconfig.stash[_started] = server  # keep a reference until this process ends
            make_template(server)
            (directory / "port").write_text(str(server.port))
    return _server(directory)


@pytest.fixture(scope="session")
def superuser(postgres_server: PostgresServer) -> Iterator[Superuser]:
    """One session that creates and drops databases: a new login would take as long as a database."""
    with psycopg.connect(postgres_server.superuser_dsn(), autocommit=True) as conn:
        yield conn


@pytest.fixture
def database_urls(postgres_server: PostgresServer, superuser: Superuser) -> Iterator[DatabaseUrls]:
    """A new database with all migrations applied, dropped afterwards."""
    yield from make_test_database(postgres_server, superuser, TEMPLATE)


@pytest.fixture
def empty_database_urls(postgres_server: PostgresServer, superuser: Superuser) -> Iterator[DatabaseUrls]:
    """A new database without migrations. The roles exist, because they belong to the server."""
    yield from make_test_database(postgres_server, superuser, "template0")


@pytest.fixture
async def as_owner(database_urls: DatabaseUrls) -> AsyncIterator[Connection]:
    """A session in autocommit mode as the owner of `database_urls`."""
    async with await _connect(database_urls.owner) as conn:
        yield conn


@pytest.fixture
async def as_app(database_urls: DatabaseUrls) -> AsyncIterator[Connection]:
    """A session in autocommit mode as dragonfly_app."""
    async with await _connect(database_urls.app) as conn:
        yield conn


@pytest.fixture
async def as_bot(database_urls: DatabaseUrls) -> AsyncIterator[Connection]:
    """A session in autocommit mode as dragonfly_bot."""
    async with await _connect(database_urls.bot) as conn:
        yield conn


@pytest.fixture(autouse=True)
def slack_payloads(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Check everything that tests make the bot send to the local Slack against the limits of Slack and of a phone.

    The stand-in's own tests are skipped: they send on purpose what Slack refuses.
    """
    if "services/sandbox" in request.node.nodeid:
        yield
        return
    sent = tmp_path_factory.getbasetemp() / f"slack-{next(_numbers)}.jsonl"
    monkeypatch.setenv(RECORD_VARIABLE, str(sent))
    yield
    calls = [json.loads(line) for line in sent.read_text().splitlines()] if sent.exists() else []
    assert [found for call in calls for found in (*_faults(call), *phone_faults(call))] == []


def _faults(call: dict[str, Any]) -> Iterator[str]:
    """List the parts of one recorded call that Slack would refuse."""
    method, payload = call["method"], call["payload"]
    surface, content = "message", payload
    if method.startswith("views."):
        content = payload.get("view") or {}
        surface = "home" if content.get("type") == "home" else "modal"
    elif not method.startswith(("chat.", "response_url")):
        return
    groups = (model.OPERATORS.id, model.APPROVERS.id)  # the bot's settings name them; no others may be mentioned
    for violation in violations(content, surface=surface, method=method, groups=groups):  # type: ignore[arg-type]
        yield f"{method}: {violation}"


async def _connect(dsn: str) -> Connection:
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True)


def _server(directory: Path) -> PostgresServer:
    port = directory / "port"
    known = int(port.read_text()) if port.exists() else None
    return PostgresServer(directory / "postgres", known, fast=True, lifeline=directory / "lifeline")


def make_template(server: PostgresServer) -> None:
    """Create the migrated database that `make_test_database` copies."""
    make_owner(server)
    make_database(server, TEMPLATE)
    asyncio.run(migrate(dsns(server, TEMPLATE).owner))
    give_passwords(server, TEMPLATE)


def make_test_database(server: PostgresServer, superuser: Superuser, template: str) -> Iterator[DatabaseUrls]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    make = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY")
    superuser.execute(make.format(sql.Identifier(name), sql.Identifier(OWNER), sql.Identifier(template)))
    roles = dsns(server, name)
    try:
        yield DatabaseUrls(
            superuser=server.superuser_dsn(name),
            owner=roles.owner.reveal(),
            app=roles.app.reveal(),
            bot=roles.bot.reveal(),
        )
    finally:
        superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
