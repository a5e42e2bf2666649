"""`prove`: tests on a scratch project that the real Railway and Slack answer as the bot assumes.

It deploys the active commit again, scales by one, stops and rolls back, and then restores what it changed. It acts only
if a person names the project and the environment, and types a phrase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.clients import open_slack
from bot.commands.arguments import wrong_word
from bot.config.connections import RailwaySettings
from bot.config.environment import Settings, require
from bot.config.fields import Invalid
from bot.setup.console import Console, Terminal
from bot.setup.env_file import read_env_file
from bot.setup.prove_railway import Journey, Waits
from bot.setup.prove_slack import prove_slack
from bot.types import Answer
from bot.views.findings import findings_answer
from bot.world import World
from playbooks.model import Finding, Status
from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.environments import may_be_production
from services.domain.errors import OperatorError, SourceError, UsageError
from services.domain.services import Service

USAGE = "Write `dragonfly prove <service> --project <id> --environment <name> [--file <.env>] [--dry-run]`."
NOTHING = "Nothing was changed"


@dataclass(frozen=True)
class Options:
    """Options of `prove`. `service`: full name in Railway. `project`: id. `environment`: name in Railway."""

    service: str = ""
    project: str = ""
    environment: str = ""
    file: Path = Path(".env")
    dry_run: bool = False
    waits: Waits = field(default_factory=Waits)

    @property
    def phrase(self) -> str:
        """The phrase that a person must type before anything is changed."""
        return f"prove {self.service} in {self.environment}"


async def prove(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Answer `prove <service> --project <id> --environment <name> [--file <.env>] [--dry-run]`."""
    options = read_options(words)
    exported = {name: value for name, value in environ.items() if value.strip()}  # blank values count as not set
    return await prove_assumptions(options, {**read_env_file(options.file), **exported}, Terminal())


def read_options(words: Sequence[str]) -> Options:
    """Parse the options. Raises UsageError."""
    left, found = list(words), dict[str, str]()
    while left:
        match left:
            case [("--project" | "--environment" | "--file") as name, value, *left]:
                found[name] = value
            case ["--dry-run" as name, *left]:
                found[name] = name
            case [word, *left] if not word.startswith("-") and "service" not in found:
                found["service"] = word
            case [word, *_]:
                raise wrong_word(word, "is not expected here, or lacks its value", USAGE)
    missing = [name for name in ("service", "--project", "--environment") if not found.get(name)]
    if missing:
        raise UsageError(NOTHING, why=f"{' and '.join(missing)} is not named", what_next=USAGE)
    file = Path(found.get("--file", ".env"))
    return Options(found["service"], found["--project"], found["--environment"], file, "--dry-run" in found)


async def prove_assumptions(options: Options, environ: Mapping[str, str], console: Console) -> Answer:
    """Check the scope of the token, show the plan, ask for the phrase, then act. Each change is sent at most once."""
    settings = Settings.from_environment(environ)
    railway = require(settings.railway)
    world = World.from_settings(settings)
    try:
        client = world.railway
        assert client is not None  # noqa: S101 - its settings were required
        await _refuse_unless_scratch(options, settings, railway, client)
        journey = Journey(client, Service(options.service), options.waits, console.show)
        plan = await journey.plan()
        for line in plan:
            console.show(line)
        if options.dry_run:
            found = [Finding("prove.plan", Status.OK, "dry run: nothing was changed", "; ".join(plan))]
            return _answer(found)
        await _confirm(options, console)
        found = [*await journey.run(), *await _slack(settings)]
    finally:
        await world.close()
    return _answer(found)


async def _refuse_unless_scratch(
    options: Options, settings: Settings, railway: RailwaySettings, client: RailwayClient
) -> None:
    """Raise OperatorError unless the token reaches only the named project and environment, and it is no production."""
    if why := _why_not_asked(options, settings, railway):
        raise _refused(why)
    try:
        project, environment = await client.read_token_reach()
        if why := _why_not_reached(options, railway, project, environment):
            raise _refused(why)
        name = await client.read_environment_name()
    except SourceError as error:
        raise _refused(f"what the token reaches is unknown: {error.why}") from error
    if may_be_production(name) or name != options.environment:
        raise _refused(f"Railway calls the environment {name}, but you named {options.environment}")


def _why_not_asked(options: Options, settings: Settings, railway: RailwaySettings) -> str | None:
    """Reason for a refusal that is known without asking Railway, or None."""
    if railway.token_kind is not TokenKind.PROJECT:
        return "RAILWAY_API_TOKEN may reach every project, and only a project token (RAILWAY_TOKEN) reaches one"
    if settings.environment is None:
        return "ENVIRONMENT is not set, so this may be production"
    if may_be_production(settings.environment):
        return f"ENVIRONMENT is {settings.environment}"
    return f"{options.environment} means production" if may_be_production(options.environment) else None


def _why_not_reached(options: Options, railway: RailwaySettings, project: str, environment: str) -> str | None:
    """Reason for a refusal by the token's scope, or None. `project`, `environment`: ids that the token reaches."""
    if project != options.project:
        return f"the token reaches another project, not {options.project}"
    if (project, environment) != (railway.project_id, railway.environment_id):
        return "the token reaches another environment than RAILWAY_PROJECT_ID and RAILWAY_ENVIRONMENT_ID name"
    return None


def _refused(why: str) -> OperatorError:
    return OperatorError(
        NOTHING,
        why=why,
        what_next="Make a scratch project in Railway with one service, a project token for its environment, and a file "
        "of variables of its own; then name both: `dragonfly prove <service> --project <id> --environment <name>`.",
    )


async def _confirm(options: Options, console: Console) -> None:
    """Ask for the phrase. Raises OperatorError for other words."""
    try:
        typed = await console.ask(f"Type `{options.phrase}` to go on: ")
    except EOFError:
        typed = ""
    if typed != options.phrase:
        raise OperatorError(NOTHING, why="the phrase was not typed", what_next=f"Type `{options.phrase}`.")


async def _slack(settings: Settings) -> list[Finding]:
    """Test Slack; skipped without complete Slack settings, because the tests in Railway need none."""
    if isinstance(settings.slack, Invalid):
        return [Finding("prove.slack", Status.OK, "Slack was not tried: its settings are not complete")]
    slack = open_slack(settings.slack)
    try:
        return await prove_slack(slack, settings.slack.incidents_channel)
    finally:
        await slack.aclose()


def _answer(findings: Sequence[Finding]) -> Answer:
    return findings_answer("Assumptions about Railway and Slack", findings, private=True)
