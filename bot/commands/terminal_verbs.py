"""Declares the commands of the terminal only, which read the environment variables themselves."""

from __future__ import annotations

from bot.commands.command import TerminalCommand
from bot.types import Lazy

TERMINAL_VERBS: tuple[TerminalCommand, ...] = (
    TerminalCommand(
        name="migrate",
        summary="apply the pending migrations; the first time, record which environment the database belongs to",
        handle=Lazy("bot.commands.migrate:apply_migrations"),
        examples=("migrate",),
    ),
    TerminalCommand(
        name="mcp",
        summary="serve reads, questions and requests for changes as tools to an assistant that speaks MCP",
        handle=Lazy("bot.machines.mcp_server:serve"),
        usage="[--http [port]]",
        examples=("mcp", "mcp --http 8765"),
    ),
    TerminalCommand(
        name="adopt",
        summary="install the bot next to an existing system: its own schema, its role, read access",
        handle=Lazy("bot.commands.adopt:adopt_system"),
        usage="[--dry-run | --print | --print-undo]",
        examples=("adopt --dry-run", "adopt", "adopt --print"),
    ),
    TerminalCommand(
        name="manifest",
        summary="print the Slack app's manifest, for Socket Mode or for HTTP",
        handle=Lazy("bot.slack.manifest:print_manifest"),
        usage="[--http <url>] [--command <name>] [--name <name>] [--color <color>]",
        examples=("manifest", "manifest --http https://bot.example", "manifest --command /dragonfly-staging"),
    ),
    TerminalCommand(
        name="init",
        summary="ask for the bot's variables, check each against its service, and write them to .env",
        handle=Lazy("bot.setup.init:init"),
        usage="[--answers <file>] [--file <.env>] [--overwrite]",
        examples=("init", "init --answers answers.env", "init --file staging.env"),
    ),
    TerminalCommand(
        name="connect",
        summary="create the secret of Railway's webhook, and let Railway test the bot's address",
        handle=Lazy("bot.setup.connect:connect"),
        usage="[--file <.env>] [--yes]",
        examples=("connect", "connect --file staging.env --yes"),
    ),
    TerminalCommand(
        name="prove",
        summary="try on a scratch project whether Railway and Slack answer as the bot assumes, and restore it",
        handle=Lazy("bot.setup.prove:prove"),
        usage="<service> --project <id> --environment <name> [--file <.env>] [--dry-run]",
        examples=("prove web --project 5f0c… --environment scratch --file scratch.env",),
    ),
    TerminalCommand(
        name="check-slack",
        summary="test the app's setup in Slack, and name the click that fixes each fault",
        handle=Lazy("bot.setup.check_slack:check_slack"),
        usage="[--live]",
        examples=("check-slack", "check-slack --live"),
    ),
    TerminalCommand(
        name="version",
        summary="print the installed version, its commit where it is known, and the schema that it brings",
        handle=Lazy("bot.commands.version:print_version"),
        examples=("version", "version --json"),
    ),
    TerminalCommand(
        name="completion",
        summary="print a script that completes the commands in bash, zsh or fish",
        handle=Lazy("bot.commands.completion:print_completion"),
        usage="<bash|zsh|fish>",
        examples=("completion bash", "completion zsh"),
    ),
)
