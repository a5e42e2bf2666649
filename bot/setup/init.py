"""`init`: asks for the bot's variables, checks each against its service, and writes them to `.env`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.commands.arguments import wrong_word
from bot.config.environment import Settings
from bot.setup.check_slack import check_setup
from bot.setup.console import Console, Terminal
from bot.setup.env_file import loading, read_env_file, write_env_file
from bot.setup.questions import QUESTIONS, Question, faults_of
from bot.types import Answer
from bot.views.findings import findings_answer
from playbooks.model import Finding, Status, worst
from services.domain.errors import OperatorError, UsageError
from services.domain.secrets import Secret, remember_secrets

USAGE = "Write `dragonfly init [--answers <file>] [--file <.env>] [--overwrite]`."
KEEP, SKIP = "keep", "skip"
_BAD = (Status.FAIL, Status.UNKNOWN)


@dataclass(frozen=True)
class Options:
    """Options of `init`. `answers`: a file of variables with the answers; None: ask a person, or use the environment
    if there is none."""

    file: Path = Path(".env")
    answers: Path | None = None
    overwrite: bool = False


async def init(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Answer `init [--answers <file>] [--file <.env>] [--overwrite]`. Raises UsageError for other words."""
    return await set_up(read_options(words), environ, Terminal())


def read_options(words: Sequence[str]) -> Options:
    """Parse the options. Raises UsageError."""
    left, options = list(words), Options()
    while left:
        match left:
            case ["--answers", path, *left]:
                options = Options(options.file, Path(path), options.overwrite)
            case ["--file", path, *left]:
                options = Options(Path(path), options.answers, options.overwrite)
            case ["--overwrite", *left]:
                options = Options(options.file, options.answers, overwrite=True)
            case [word, *_]:
                raise wrong_word(word, "is not expected here, or lacks its file", USAGE)
    return options


async def set_up(options: Options, environ: Mapping[str, str], console: Console) -> Answer:
    """Run the setup. Each accepted answer is stored at once, so that the next run continues after it."""
    given = _given(options, environ, console)
    setup = _Setup(options, console, given, read_env_file(options.file), _stand_ins(environ))
    try:
        for question in QUESTIONS:
            await setup.answer(question)
    except EOFError:
        raise OperatorError(
            "The setup was ended early",
            why="there was no more input",
            what_next=f"What was accepted is in {options.file}; `dragonfly init` continues there.",
        ) from None
    if console.is_person and options.answers is None and worst(setup.findings) is not Status.FAIL:
        setup.findings += await setup.try_slack()
    note = f"{options.file} has what was accepted. Start the bot with it: {loading(options.file)}; python -m bot"
    different = [one for n, one in enumerate(setup.findings) if one not in setup.findings[:n]]
    return findings_answer("setup of the bot", different, private=True, notes=(note,))


def _given(options: Options, environ: Mapping[str, str], console: Console) -> Mapping[str, str]:
    """The answers without a person: of the file of answers, or of the environment. Empty if a person is asked."""
    if options.answers is None:
        return {} if console.is_person else environ
    if not options.answers.is_file():
        raise UsageError(
            "Nothing was asked or written",
            why=f"{options.answers} is not a file",
            what_next="Name a file with one VARIABLE=value per line.",
        )
    return read_env_file(options.answers)


@dataclass
class _Setup:
    """One run of `init`. `kept`: the file's values before. `stand_ins`: API addresses of proxies, never asked for."""

    options: Options
    console: Console
    given: Mapping[str, str]
    kept: Mapping[str, str]
    stand_ins: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._answers: dict[str, str] = {**self.stand_ins, **self.kept}

    async def answer(self, question: Question) -> None:
        is_found = question.variable in self._answers and question.variable not in self.kept  # by an earlier check
        if self.console.is_person and self.options.answers is None and not is_found:
            await self._ask(question)
        else:
            await self._take(question)

    async def try_slack(self) -> list[Finding]:
        """Test commands, buttons and events with the person's help, because no API reports whether they arrive."""
        reply = await self.console.ask("Try commands, buttons and events in Slack now? It takes a minute. [Y/n] ")
        if reply.lower() in ("n", "no"):
            return []
        answer = await check_setup(Settings.from_environment(self._answers), self.console, is_live=True)
        return [] if answer.status is Status.OK else [_live_finding(answer)]

    async def _take(self, question: Question) -> None:
        """Answer without a person: a given answer, else the file's value, else the default."""
        name, kept = question.variable, self.kept.get(question.variable)
        value = (self.given.get(name) or "").strip() or kept or self._answers.get(name) or question.default
        if not value:
            self.findings += [_missing(question)] if question.is_needed else []
            return
        if kept is not None and kept != value and not self.options.overwrite:
            detail = f"{self.options.file} has another value, which was kept; --overwrite replaces it"
            self.findings.append(Finding(f"init.{name}", Status.FAIL, f"{name} was not changed", detail))
            return
        found = await self._check(question, value)
        self.findings += found
        if not any(one.status in _BAD for one in found):
            self._store(name, value)

    async def _ask(self, question: Question) -> None:
        """Ask until the answer passes its check, or until the person keeps or skips it."""
        self.console.show(f"\n{question.variable}: {question.where}")
        while True:
            value = await self._read(question)
            if value == SKIP or not value:
                self.findings += [_missing(question)] if question.is_needed else []
                return
            known = self._answers
            found = await self._check(question, value)
            for one in found:
                line = f"  {one.status.value}: {one.title}{f' - {one.detail}' if one.detail else ''}"
                self.console.show(line.replace(value, "…") if _is_like_a_secret(value) else line)
            if not any(one.status in _BAD for one in found) or await self._wants_to_keep():
                self.findings += found
                self._store(question.variable, value)
                return
            self._answers = known  # drop the refused answer and what its check found out

    async def _wants_to_keep(self) -> bool:
        reply = await self.console.ask(
            f"  Fix it and press Enter to answer again, or type `{KEEP}` to store it anyway: "
        )
        return reply == KEEP

    async def _read(self, question: Question) -> str:
        """Read an answer. An empty one keeps the file's value; another replaces it only after a second question."""
        name, known = question.variable, self._answers.get(question.variable) or question.default
        shown = "kept" if question.is_secret and known else known
        choice = f" [{shown}]" if shown else "" if question.is_needed else " [none]"
        value = await self.console.ask(f"  {name}{choice}: ", secret=question.is_secret)
        kept = self.kept.get(name)
        if value and value != SKIP and kept not in (None, value) and not await self._may_replace(name):
            return kept or ""
        return value or known

    async def _may_replace(self, name: str) -> bool:
        reply = await self.console.ask(f"  {self.options.file} has another {name}. Replace it? [y/N] ")
        return reply.lower() in ("y", "yes")

    async def _check(self, question: Question, value: str) -> list[Finding]:
        """Check the answer. Values that the check finds out are kept as further answers."""
        tried = {**self._answers, question.variable: value}
        given = (tried.get(one.variable) for one in QUESTIONS if one.is_secret)
        remember_secrets("init", [Secret(secret) for secret in given if secret])
        malformed = faults_of(question.variable, tried)
        if malformed:
            return malformed
        found = await question.check(tried)
        self._answers = tried  # the checks of later answers may need it, even if it is not stored
        return found

    def _store(self, name: str, value: str) -> None:
        """Store the answer and the check's values. The file is written once per answer, only if something changes."""
        self._answers[name] = value
        wanted = {one: self._answers[one] for one in (*_STORED, name) if one in self._answers}
        if any(read_env_file(self.options.file).get(one) != text for one, text in wanted.items()):
            write_env_file(self.options.file, wanted)


_ADDRESSES = ("SLACK_API_URL", "RAILWAY_API_URL")
_STORED = ("SUPABASE_MODE", "RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID", *_ADDRESSES)


def _stand_ins(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: environ[name] for name in _ADDRESSES if environ.get(name)}


def _is_like_a_secret(value: str) -> bool:
    """True for a connection string or a token, which people may also paste as the answer to another question."""
    return "://" in value or value.startswith(("xox", "xapp-"))


def _missing(question: Question) -> Finding:
    return Finding(f"init.{question.variable}", Status.FAIL, f"{question.variable} is not set", question.where)


def _live_finding(answer: Answer) -> Finding:
    """The result of the live exchange as one finding; `check-slack --live` shows the details."""
    return Finding(
        "slack.exchange", answer.status, answer.text, "run `dragonfly check-slack --live` again after fixing it"
    )
