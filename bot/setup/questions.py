"""The questions of `init`, in order, and the check of each answer against its service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from bot.clients import open_slack
from bot.config.environment import Settings
from bot.config.fields import Invalid
from bot.setup.check_slack import gather_setup, listed_ids
from bot.world import World
from playbooks.checks import drift
from playbooks.checks.slack_setup import check
from playbooks.model import Finding, Status
from services.clients.postgres.drift import read_drift
from services.clients.postgres.installation import is_installed, read_environment
from services.clients.postgres.pool import Connection
from services.clients.railway.client import RailwayClient
from services.domain.environments import NAMES, one_of
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth

# Answers so far: `{variable: value}`. A check may add values that it finds out.
Answers = MutableMapping[str, str]
Check = Callable[[Answers], Awaitable[list[Finding]]]
BOT_ROLE = "dragonfly_bot"


@dataclass(frozen=True)
class Question:
    """A question. `where`: where to find the value. `default`: for an empty answer. `check`: returns the findings of
    the service itself about the answer."""

    variable: str
    where: str
    check: Check
    is_secret: bool = False
    is_needed: bool = True
    default: str = ""


def faults_of(variable: str, answers: Mapping[str, str]) -> list[Finding]:
    """Faults in the variable's form, by the settings' own validation; the value is never shown."""
    return [
        Finding(f"settings.{variable}", Status.FAIL, f"{variable} {fault.problem}", fault.what_next)
        for fault in Settings.from_environment(answers).faults
        if fault.variable == variable
    ]


async def _ask_slack(answers: Answers, prefixes: Sequence[str]) -> list[Finding]:
    """The findings of `check-slack` with these prefixes; only the bot token's finding if that token is not ok.

    A bot token is enough: without an app-level token, HTTP mode is assumed.
    """
    settings = Settings.from_environment({"SLACK_SIGNING_SECRET": "not asked yet", **answers})
    if isinstance(settings.slack, Invalid):
        return [Finding("settings.slack", Status.FAIL, "the Slack settings cannot be used", settings.slack.why)]
    slack = open_slack(settings.slack)
    try:
        facts = await gather_setup(slack, settings.slack, listed_ids(settings))
    finally:
        await slack.aclose()
    found = check(facts)
    if found[0].status is not Status.OK:
        return found[:1]
    return [one for one in found if one.check.startswith(tuple(prefixes))]


def _slack(*prefixes: str) -> Check:
    return lambda answers: _ask_slack(answers, prefixes)


async def _nothing(answers: Answers) -> list[Finding]:  # noqa: ARG001
    return []


async def _environment(answers: Answers) -> list[Finding]:
    answers["SUPABASE_MODE"] = answers["ENVIRONMENT"]  # both name the environment
    return []


async def _database(answers: Answers) -> list[Finding]:
    """Check the role, the environment that owns the database, and that all named queries can run."""
    world = World.from_settings(Settings.from_environment(answers))
    try:
        server = await world.server()
        if isinstance(server, Unavailable):
            return [_unavailable("SUPABASE_DB_URL", server)]
        owner = await world.read(_read_owner)
        found = drift.check(await world.read(read_drift))
    finally:
        await world.close()
    return [*_check_role(server.current_user), *_check_owner(owner, answers), *found]


async def _read_owner(conn: Connection) -> str | None:
    return await read_environment(conn) if await is_installed(conn) else None


def _check_role(role: str) -> list[Finding]:
    if role == BOT_ROLE:
        return [Finding("database.role", Status.OK, f"the database knows the bot as {role}")]
    click = (
        f"use the connection string of {BOT_ROLE}; the owner's belongs in DRAGONFLY_ADMIN_DB_URL, for `migrate` only"
    )
    return [Finding("database.role", Status.FAIL, f"this is {role}'s connection string", click)]


def _check_owner(owner: str | Unavailable | None, answers: Answers) -> list[Finding]:
    wanted = answers.get("ENVIRONMENT")
    if isinstance(owner, Unavailable):
        return [_unavailable("SUPABASE_DB_URL", owner)]
    if owner is None:
        click = "run `dragonfly migrate` (or `dragonfly adopt`) as the owner, then answer again"
        return [Finding("database.environment", Status.FAIL, "the bot is not installed in the database yet", click)]
    if owner != wanted:
        title = f"the database belongs to {owner}, and ENVIRONMENT says {wanted}"
        click = "copy the connection string of the other project, or correct ENVIRONMENT"
        return [Finding("database.environment", Status.FAIL, title, click)]
    return [Finding("database.environment", Status.OK, f"the database is {owner}'s")]


async def _railway_token(answers: Answers) -> list[Finding]:
    """Check the token and take its project and environment ids, so that they need not be copied."""
    given = {"RAILWAY_PROJECT_ID": "?", "RAILWAY_ENVIRONMENT_ID": "?"}
    world = World.from_settings(Settings.from_environment({**given, **answers}))
    try:
        found = await world.ask_railway(RailwayClient.read_token_reach)
    finally:
        await world.close()
    if isinstance(found, Unavailable):
        return [_unavailable("RAILWAY_TOKEN", found, "Railway → the project → Settings → Tokens → create one for it")]
    return _take_reach(answers, {"RAILWAY_PROJECT_ID": found[0], "RAILWAY_ENVIRONMENT_ID": found[1]})


def _take_reach(answers: Answers, reached: Mapping[str, str]) -> list[Finding]:
    wrong = [name for name, value in reached.items() if answers.get(name, value) != value]
    if wrong:
        title = f"the token is not for {' and '.join(wrong)}"
        click = f"Railway → the right environment → Settings → Tokens → create one; or correct {' and '.join(wrong)}"
        return [Finding("railway.token", Status.FAIL, title, click)]
    answers.update(reached)
    return [Finding("railway.token", Status.OK, "the token is a project token; it named its project and environment")]


async def _railway_environment(answers: Answers) -> list[Finding]:
    found = await _railway_token(answers)
    if any(one.status is not Status.OK for one in found):
        return found
    world = World.from_settings(Settings.from_environment(answers))
    try:
        name = await world.ask_railway(RailwayClient.read_environment_name)
    finally:
        await world.close()
    if isinstance(name, Unavailable):
        return [
            _unavailable("RAILWAY_ENVIRONMENT_ID", name, "copy both ids from the address of the environment's page")
        ]
    return [Finding("railway.environment", Status.OK, f"Railway calls the environment {name}")]


async def _api(answers: Answers) -> list[Finding]:
    world = World.from_settings(Settings.from_environment(answers))
    try:
        health = await world.api_health()
    finally:
        await world.close()
    match health:
        case ApiHealth() if health.is_ok:
            return [Finding("api.health", Status.OK, "the API reports ok")]
        case ApiHealth():
            return [Finding("api.health", Status.WARN, "the API answers, and does not report ok", "see `health` later")]
        case Unavailable():
            return [_unavailable("DRAGONFLY_API_BASE", health, "the public address of the service api, with https://")]


def _unavailable(variable: str, why: Unavailable, click: str = "check the value and the network") -> Finding:
    """The finding for an unavailable source: unknown without an answer, failed for a refusal."""
    status = Status.UNKNOWN if why.is_outage else Status.FAIL
    word = "does not answer" if why.is_outage else "refuses it"
    return Finding(f"source.{variable}", status, f"{variable}: {why.source} {word}", f"{why.why}; {click}")


APPS = "api.slack.com/apps → your app"
QUESTIONS: tuple[Question, ...] = (
    Question(
        "SLACK_BOT_TOKEN",
        f"{APPS} → OAuth & Permissions → Bot User OAuth Token (make the app from `dragonfly manifest`)",
        _slack("slack.token", "slack.scopes", "slack.clock"),
        is_secret=True,
    ),
    Question(
        "SLACK_APP_TOKEN",
        f"{APPS} → Basic Information → App-Level Tokens → Generate (connections:write)",
        _slack("slack.app_token"),
        is_secret=True,
    ),
    Question(
        "SLACK_INCIDENTS_CHANNEL",
        "the channel of incidents and alerts, with the bot in it",
        _slack("slack.channel"),
        default="dragonfly-incidents",
    ),
    Question("ENVIRONMENT", f"the environment that this bot operates: {one_of(NAMES)}", _environment),
    Question("SUPABASE_DB_URL", f"the connection string of {BOT_ROLE}", _database, is_secret=True),
    Question(
        "RAILWAY_TOKEN",
        "Railway → the project → Settings → Tokens → create one for the environment",
        _railway_token,
        is_secret=True,
    ),
    Question("RAILWAY_PROJECT_ID", "in the address of the project's page", _railway_token),
    Question("RAILWAY_ENVIRONMENT_ID", "in the address of the environment's page", _railway_environment),
    Question("DRAGONFLY_API_BASE", "the public address of the service api", _api),
    Question("DRAGONFLY_API_KEY", "the key of the intake, for golden-path", _nothing, is_secret=True, is_needed=False),
    Question(
        "DRAGONFLY_OPERATORS",
        "who may request changes: ids of people (U…) and user groups (S…), separated by commas",
        _slack("slack.group", "slack.person"),
    ),
    Question(
        "DRAGONFLY_APPROVERS",
        "who may approve changes: ids of people (U…) and user groups (S…), separated by commas",
        _slack("slack.group", "slack.person"),
    ),
)
