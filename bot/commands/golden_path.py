"""`golden-path [--keep|--clean]`: sends one file of test data through the whole intake."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bot.commands.arguments import only, read_flag, wrong_word
from bot.config.connections import ApiSettings
from bot.facts.golden_path import read_sample_file
from bot.facts.plan import Parameters, environment_of, gather_load
from bot.world import World
from playbooks import golden_path as playbook
from playbooks.golden_path import MOST_CLEANED, NAME
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.clients.postgres.operated import list_golden_batches
from services.clients.postgres.runs import list_open_runs
from services.domain.errors import Unavailable, UsageError
from services.domain.runs import Run, RunState

FLAGS = {"--keep": "keep", "--clean": "clean"}


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """Parse the option into `keep` ("yes") or `clean` ("yes"); empty without one. Raises UsageError."""
    for word in words:
        if word not in FLAGS:
            raise wrong_word(
                word, "is not an option of `golden-path`", "Write `golden-path`, alone or with `--keep` or `--clean`."
            )
    if len(set(words)) > 1:
        raise UsageError(
            "Nothing was done",
            why="`--keep` and `--clean` can't be combined",
            what_next="`--keep` keeps the batch of a new run, `--clean` removes the batches of earlier runs.",
        )
    return {FLAGS[word]: "yes" for word in words}


async def plan(parameters: Parameters, world: World) -> Plan | NoPlan:
    """Plan from `keep` or `clean` ("yes")."""
    only(parameters, "keep", "clean")
    keep, clean = read_flag(parameters, "keep"), read_flag(parameters, "clean")
    facts = await gather_golden_path(world)
    return playbook.plan_clean(facts) if clean else playbook.plan(facts, keep=keep)


async def gather_golden_path(world: World) -> playbook.Facts:
    environment = environment_of(world)
    async with asyncio.TaskGroup() as group:
        api = group.create_task(world.api_health())
        load = group.create_task(gather_load(world))
        left = group.create_task(world.read(list_golden_batches, limit=MOST_CLEANED))
        open_runs = group.create_task(world.read(list_open_runs))
    settings = world.settings.api
    return playbook.Facts(
        environment=environment,
        api=api.result(),
        has_key=isinstance(settings, ApiSettings) and settings.api_key is not None,
        load=load.result(),
        sample=read_sample_file(),
        left=left.result(),
        under_way=_under_way(open_runs.result()),
        system=world.system,
        in_production=world.settings.changing.golden_path_in_prod,
    )


def _under_way(runs: Sequence[Run] | Unavailable) -> list[int] | Unavailable:
    """Numbers of the started runs that upload; a run that cleans has no batch of its own."""
    if isinstance(runs, Unavailable):
        return runs
    started = (RunState.RUNNING, RunState.UNKNOWN)
    own = (run for run in runs if run.playbook == NAME and "clean" not in run.parameters)
    return [run.id for run in own if run.state in started]
