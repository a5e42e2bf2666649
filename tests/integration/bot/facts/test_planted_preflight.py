"""The checklist before a deploy over a real system with one box unticked, read as `dragonfly_bot`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.facts.preflight import gather_preflight
from bot.types import Actor, Request, Surface
from bot.views.terminal import answer_text
from bot.world import World
from playbooks import preflight
from playbooks.model import Finding, Status
from tests.unit.playbooks.healthy import VARIABLES

if TYPE_CHECKING:
    from tests.integration.bot.conftest import Outside, System


BOXES = {
    "preflight.settings", "preflight.variables_of_api", "preflight.variables_of_ingest",
    "preflight.variables_of_enforcement", "preflight.migrations_are_applied", "preflight.security_audit",
    "preflight.no_uncommitted_changes", "preflight.release_is_tagged",
}  # fmt: skip
FORGET = "DELETE FROM supabase_migrations.schema_migrations WHERE version ~ '0300$'"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A Git checkout whose release is committed, tagged and pushed."""
    script = """
        git init -q --bare remote.git
        git clone -q remote.git clone 2>&1
        cd clone
        git -c user.name=Ann -c user.email=ann@example.com commit -q --allow-empty -m One
        git -c user.name=Ann -c user.email=ann@example.com tag -a v1.2.3 -m "Release v1.2.3"
        git push -q origin HEAD v1.2.3
    """
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True)
    return tmp_path / "clone"


@pytest.fixture(autouse=True)
def _variables(outside: Outside) -> None:
    outside.variables = dict(VARIABLES)


async def boxes(world: World, directory: Path | None) -> dict[str, Finding]:
    return {finding.check: finding for finding in preflight.check(await gather_preflight(world, directory))}


async def unticked(world: World, directory: Path | None) -> dict[str, Status]:
    found = await boxes(world, directory)
    return {name: finding.status for name, finding in found.items() if finding.status is not Status.OK}


@pytest.fixture
def ready(world: World) -> World:
    """A world with complete settings, like a production bot's."""
    world.settings = Settings.from_environment(
        {
            **dict.fromkeys(("ENVIRONMENT", "SUPABASE_MODE"), "prod"),
            **dict.fromkeys(("RAILWAY_TOKEN", "RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID"), "x"),
            "SUPABASE_DB_URL": "postgresql://dragonfly_bot:p@db/postgres",
            "DRAGONFLY_API_BASE": "https://api.example",
        }
    )
    return world


async def test_every_box_can_be_ticked(ready: World, checkout: Path) -> None:
    found = await boxes(ready, checkout)

    assert set(found) == BOXES
    assert {name: finding.title for name, finding in found.items() if finding.status is not Status.OK} == {}


@pytest.mark.parametrize(
    ("sql", "box"),
    [
        (FORGET, "migrations_are_applied"),
        ("UPDATE supabase_migrations.schema_migrations SET checksum = 'x'", "migrations_are_applied"),
        ("GRANT INSERT ON ops.job_queue TO authenticated", "security_audit"),
        ("ALTER TABLE ops.job_queue DISABLE ROW LEVEL SECURITY", "security_audit"),
    ],
)
async def test_a_fault_in_the_database_leaves_its_box_open(
    ready: World, system: System, checkout: Path, sql: str, box: str
) -> None:
    system.run(sql)

    assert await unticked(ready, checkout) == {f"preflight.{box}": Status.FAIL}


@pytest.mark.parametrize(
    ("spoil", "box"),
    [
        (lambda place: (place / "new").write_text(""), "no_uncommitted_changes"),
        (lambda place: subprocess.run(["git", "tag", "-d", "v1.2.3"], cwd=place, check=True), "release_is_tagged"),
        (lambda place: subprocess.run(["git", "push", "origin", ":v1.2.3"], cwd=place, check=True),
         "release_is_tagged"),
    ],
)  # fmt: skip
async def test_a_fault_in_the_checkout_leaves_its_box_open(
    ready: World, checkout: Path, spoil: Callable[[Path], object], box: str
) -> None:
    spoil(checkout)

    assert await unticked(ready, checkout) == {f"preflight.{box}": Status.FAIL}


async def test_a_missing_variable_leaves_its_box_open(ready: World, outside: Outside, checkout: Path) -> None:
    del outside.variables["OPENAI_API_KEY"]

    assert await unticked(ready, checkout) == {"preflight.variables_of_enforcement": Status.FAIL}


async def test_preflight_git_checks_are_unknown_without_a_checkout(ready: World, tmp_path: Path) -> None:
    unknown = {"preflight.no_uncommitted_changes": Status.UNKNOWN, "preflight.release_is_tagged": Status.UNKNOWN}

    assert await unticked(ready, tmp_path) == unknown
    assert await unticked(ready, None) == unknown


async def test_the_terminal_looks_at_its_own_folder(
    ready: World, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)

    shown = answer_text(await run("preflight", Request(surface=Surface.TERMINAL), ready))

    assert "Release is tagged" in shown
    assert "is v1.2.3, and pushed" in shown


async def test_preflight_reads_no_checkout_in_slack(ready: World) -> None:
    asked = Request(surface=Surface.SLASH, actor=Actor("U1", "T1"), channel_id="C1")

    answer = await run("preflight", asked, ready)

    assert answer.status is Status.UNKNOWN
    assert answer.private
    assert "run dragonfly preflight on a terminal" in answer_text(answer)
