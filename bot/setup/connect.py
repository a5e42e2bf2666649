"""`connect`: creates the secret of Railway's webhook, and lets Railway itself test the bot's address.

A project token can't create the webhook through Railway's API: notification rules belong to a workspace, and the format
of their channels is not published. So a person pastes the address once; this command does the rest and tests it.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.commands.arguments import wrong_word
from bot.config.connections import HookSettings
from bot.config.environment import Settings, require
from bot.setup.console import Console, Terminal
from bot.setup.env_file import read_env_file, write_env_file
from bot.types import Answer
from bot.views.findings import findings_answer
from bot.world import World
from playbooks.model import Finding, Status
from services.clients.railway.mutations import RailwayMutations
from services.domain.errors import OperatorError, SourceError

USAGE = "Write `dragonfly connect [--file <.env>] [--yes]`."
SECRET = "RAILWAY_WEBHOOK_SECRET"  # noqa: S105 - the variable's name
PATH = "/hooks/railway/"
ACCEPTED = 202
TEST_S = 60.0  # Railway waits 30 s for the address
WHERE = "Railway → the project → Settings → Webhooks → New webhook"


@dataclass(frozen=True)
class Options:
    """Options of `connect`. `yes`: do not ask for confirmation."""

    file: Path = Path(".env")
    yes: bool = False


async def connect(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Answer `connect [--file <.env>] [--yes]`. Raises UsageError for other words."""
    options = read_options(words)
    exported = {name: value for name, value in environ.items() if value.strip()}  # blank values count as not set
    return await connect_webhook(options, {**read_env_file(options.file), **exported}, Terminal())


def read_options(words: Sequence[str]) -> Options:
    """Parse the options. Raises UsageError."""
    left, options = list(words), Options()
    while left:
        match left:
            case ["--file", path, *left]:
                options = Options(Path(path), options.yes)
            case ["--yes", *left]:
                options = Options(options.file, yes=True)
            case [word, *_]:
                raise wrong_word(word, "is not expected here, or lacks its file", USAGE)
    return options


async def connect_webhook(options: Options, environ: Mapping[str, str], console: Console) -> Answer:
    """Show the intended actions, then create the secret, or test the webhook if it exists. Never shows the secret."""
    settings = Settings.from_environment(environ)
    hooks, railway = require(settings.hooks), require(settings.railway)
    address = _address(hooks)
    is_new = not hooks.railway_secrets
    for line in _intentions(options.file, address, is_new=is_new):
        console.show(line)
    await _confirm(options, console)
    if is_new:
        write_env_file(options.file, {SECRET: secrets.token_urlsafe(32)})
        return _answer([_made(options.file, address)])
    payload = json.dumps({"type": "Deployment.test", "resource": {"environment": {"id": railway.environment_id}}})
    world = World.from_settings(settings)
    try:
        found = await _test(world, f"{address}{hooks.railway_secrets[0].reveal()}", payload)
    finally:
        await world.close()
    return _answer([Finding("webhook.secret", Status.OK, f"{SECRET} is set"), found])


def _address(hooks: HookSettings) -> str:
    """The webhook's address without the secret. Raises OperatorError if BOT_PUBLIC_URL is not set."""
    if hooks.public_url is None:
        raise OperatorError(
            "Nothing was made or tested",
            why="BOT_PUBLIC_URL is not set, so the bot's address is unknown",
            what_next="Railway → the bot's service → Settings → Networking → Generate Domain, and set "
            "BOT_PUBLIC_URL=https://<that domain>.",
        )
    return f"{hooks.public_url}{PATH}"


def _intentions(file: Path, address: str, *, is_new: bool) -> Sequence[str]:
    if is_new:
        return [f"This stores a new {SECRET} in {file}. Nothing is sent to Railway yet."]
    return [f"This asks Railway to send one test event to {address}<{SECRET}>. Nothing is changed."]


async def _confirm(options: Options, console: Console) -> None:
    """Ask for confirmation. Raises OperatorError if it is not given."""
    if options.yes:
        return
    reply = await console.ask("Continue? [y/N] ") if console.is_person else ""
    if reply.lower() not in ("y", "yes"):
        raise OperatorError(
            "Nothing was made or tested",
            why="it was not confirmed",
            what_next="Answer y, or write `dragonfly connect --yes`.",
        )


def _made(file: Path, address: str) -> Finding:
    title = f"{SECRET} was made; Railway does not know it yet"
    detail = (
        f"restart the bot with {file}; then {WHERE} → paste {address} followed by the value from {file}; then run "
        "`dragonfly connect` again, which tests it"
    )
    return Finding("webhook.secret", Status.WARN, title, detail)


async def _test(world: World, url: str, payload: str) -> Finding:
    name = "webhook.test"
    assert world.railway is not None  # noqa: S101 - its settings were required
    try:
        status = await RailwayMutations(world.railway).test_webhook(url, payload, deadline=time.monotonic() + TEST_S)
    except SourceError as error:
        return Finding(name, Status.UNKNOWN, "Railway did not say whether it reaches the bot", error.why)
    evidence = {"http_status": status}
    match status:
        case int() if status == ACCEPTED:
            detail = f"if it is not done yet: {WHERE} → paste the address with the secret"
            return Finding(name, Status.OK, "Railway reaches the bot, which knows it", detail, evidence=evidence)
        case 404:
            detail = f"restart the bot with this {SECRET}, and look whether BOT_PUBLIC_URL is the bot's own address"
            return Finding(name, Status.FAIL, "the bot does not know this secret", detail, evidence=evidence)
        case _:
            title = f"Railway gets {status} from the bot's address instead of {ACCEPTED}"
            detail = "open BOT_PUBLIC_URL/livez in a browser: without an answer the bot or its domain is down"
            return Finding(name, Status.FAIL, title, detail, evidence=evidence)


def _answer(findings: Sequence[Finding]) -> Answer:
    return findings_answer("Railway's webhook", findings, private=True)
