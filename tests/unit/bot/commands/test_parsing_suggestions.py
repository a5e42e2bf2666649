"""Lines are understood as people type them, or the line that was probably meant is offered."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.commands.dispatch import run
from bot.commands.parsing import SYNONYMS, key, split_words
from bot.commands.registry import REGISTRY, edited_error, find
from bot.config.environment import Settings
from bot.types import Request, Surface
from bot.world import World
from services.domain.errors import SourceError, UsageError

WORLD = World.from_settings(Settings.from_environment({}))
IN_DEV = World.from_settings(Settings.from_environment({"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev"}))


def refusal(line: str, *, before: str = "") -> UsageError:
    with pytest.raises(UsageError) as refused:
        find(split_words(line, Surface.MENTION), before=split_words(before, Surface.MENTION))
    return refused.value


def lines(error: UsageError) -> list[str]:
    return [choice.line for choice in error.choices]


def test_every_synonym_means_a_command_and_hides_none() -> None:
    commands = {key(name.split()) for name in REGISTRY}

    assert {synonym: meant for synonym, meant in SYNONYMS.items() if meant not in REGISTRY} == {}
    assert SYNONYMS.keys() & commands == set()
    assert [synonym for synonym in SYNONYMS if key([synonym]) != synonym] == []


@pytest.mark.parametrize(
    ("line", "verb", "rest"),
    [
        ("incidents", "incident", ()),
        ("incident 7", "incident", ("7",)),
        ("postmortem 7", "incident export", ("7",)),
        ("post mortem 7", "incident export", ("7",)),
        ("status", "health", ()),
        ("ack", "incident ack", ()),
        ("resolve 7", "incident resolve", ("7",)),
        ("page", "incident open", ()),
        ("?", "help", ()),
        ("???", "help", ()),
        ("--help", "help", ()),
        ("failed", "failed-jobs", ()),
        ("failed 2 hours", "failed-jobs", ("2", "hours")),
        ("log api", "logs", ("api",)),
        ("roll back api", "rollback", ("api",)),
        ("roll-back api", "rollback", ("api",)),
        ("who is on-call", "oncall", ()),
        ("Who's on call?", "oncall", ()),
        ("on call", "oncall", ()),
        ("migration_status", "migrations", ()),
        ("failed\u2011jobs", "failed-jobs", ()),
        ("\uff51\uff55\uff45\uff55\uff45", "queue", ()),
        ("dragonfly queue", "queue", ()),
        ("/dragonfly queue", "queue", ()),
        ("/queue", "queue", ()),
        ("python -m tools.prod_gate --strict", "prod-gate", ("--strict",)),
    ],
)
def test_people_type_what_they_mean(line: str, verb: str, rest: tuple[str, ...]) -> None:
    assert find(split_words(line, Surface.MENTION)) == (REGISTRY[verb], rest)


AROUND = st.text(alphabet="*_`'\".,:;!()[]- \u00a0\u200b\u200d\ufeff\u2060\u202a\u201c\u201d\u2018\u2019", max_size=4)


@given(st.sampled_from(sorted(REGISTRY)), AROUND, AROUND, st.booleans())
def test_find_ignores_decoration_around_a_command(name: str, left: str, right: str, upper: bool) -> None:
    words = split_words(f"{left}{name.upper() if upper else name}{right}", Surface.MENTION)

    assert find(words)[0] is REGISTRY[name]


@given(st.text(max_size=30))
def test_no_one_is_offered_what_they_typed(line: str) -> None:
    offered: list[str] = []
    try:
        find(split_words(line, Surface.MENTION))
    except UsageError as error:
        offered = lines(error)

    assert line.strip() not in offered
    assert all(find(split_words(one, Surface.BUTTON)) for one in offered)


@pytest.mark.parametrize(
    "line", ["*a " * 13_000, "*" * 40_000, "a" + "." * 40_000 + "a", "-" * 40_000, "_x" * 20_000, "'\"" * 20_000]
)
def test_a_long_line_is_read_in_no_time(line: str) -> None:
    started = time.process_time()

    with pytest.raises(UsageError):
        find([*split_words(line, Surface.MENTION), "x"])

    assert time.process_time() - started < 5  # a search that begins again at each character takes minutes


def test_letters_that_only_look_right_are_named() -> None:
    error = refusal("h\u0435alth")

    assert "a to z" in error.why
    assert lines(error) == ["health"]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("restrat ingest", "restart ingest"),
        ("scael ingest 2", "scale ingest 2"),
        ("rollbak api to c45e17a9", "rollback api to c45e17a9"),
        ("helth", "health"),
        ("lgos ingest 'Boot loop'", 'logs ingest "Boot loop"'),
        ("stop", "stop-workers"),
        ("stop-wrkers ingest doubled rows", "stop-workers ingest doubled rows"),
        ("stop wrkers", "stop-workers"),
    ],
)
def test_a_typo_is_offered_with_its_arguments(line: str, meant: str) -> None:
    assert lines(refusal(line)) == [meant]


@pytest.mark.parametrize(
    ("before", "line", "meant"),
    [
        ("hey", "please show me the queue", ["queue"]),
        ("", "show me the logs of ingest", ["logs ingest"]),
        ("", "please restart ingest now", ["restart ingest"]),
        ("", "give me the deployments", []),  # no service is named
        ("queue", "", ["queue"]),
        ("can somebody check the queue", "", ["queue"]),
        ("", "what about incident 7", ["incident 7"]),
        ("", "please dont restart ingest", []),
        ("", "is the queue fine after you did restart ingest", ["queue"]),
    ],
)
def test_a_sentence_is_looked_through_for_what_was_meant(before: str, line: str, meant: list[str]) -> None:
    assert lines(refusal(line, before=before)) == meant


def test_words_before_the_mention_are_never_run() -> None:
    error = refusal("", before="restart ingest")

    assert error.what == "Nothing was run"
    assert lines(error) == ["restart ingest"]


def test_a_mention_in_passing_shows_the_start() -> None:
    assert find([], before=["we", "should", "thank", "them"])[0].name == "home"


@pytest.mark.parametrize(
    "word",
    [
        *("status", "stat", "stats", "state", "starts", "restarts", "restarted", "restarting", "deploys", "deployed"),
        *("deployment", "scaled", "scaling", "unlocked", "unlocks", "requeued", "redeploys", "redeployed", "rollbacks"),
        *("silenced", "cancelled", "cancels", "drills", "resolved", "acks", "escalated", "overrides", "locks", "runs"),
        *("serving", "rows", "last", "latest", "when", "what", "which", "show", "list", "get"),
    ],
)
def test_no_change_is_guessed_from_a_word_that_asks(word: str) -> None:
    try:
        verbs = [find([word])[0]]
    except UsageError as error:
        verbs = [find(split_words(line, Surface.BUTTON))[0] for line in lines(error)]

    assert all(verb.is_read for verb in verbs), [verb.name for verb in verbs]


async def test_a_mistyped_service_is_offered_in_its_line() -> None:
    with pytest.raises(UsageError) as refused:
        await run("restart ingset --through-zero", Request(surface=Surface.SLASH), WORLD)

    assert lines(refused.value) == ["restart ingest --through-zero"]


@pytest.mark.parametrize(
    ("line", "has"),
    [
        ("restart ingest --force", "`restart` has `--through-zero`, `--dry-run`"),
        ("scale ingest 2 --now", "`scale` has `--dry-run`"),
        ("queue --all", "`queue` has no options"),
        ("prod-gate --fast", "`prod-gate` has `--env`, `--strict`"),
        ("restart ingest --env prod", "`restart` has `--through-zero`, `--dry-run`"),
    ],
)
async def test_an_unknown_option_is_reported_those_there_are(line: str, has: str) -> None:
    with pytest.raises(UsageError) as refused:
        await run(line, Request(surface=Surface.SLASH), WORLD)

    assert has in refused.value.what_next


async def test_a_sentence_for_people_may_begin_a_word_with_dashes() -> None:
    with pytest.raises(SourceError):  # the words were accepted; the open incidents are then unknown
        await run("incident resolve --force did it", Request(surface=Surface.SLASH), WORLD)


async def test_help_of_a_command_may_be_asked_behind_it() -> None:
    behind = await run("restart --help", Request(surface=Surface.SLASH), WORLD)
    before = await run("help restart", Request(surface=Surface.SLASH), WORLD)

    assert behind == before


@pytest.mark.parametrize("line", ["security_audit", "prod_gate --strict", "migration_status", "doctor", "health"])
async def test_the_environment_of_the_runbook_is_understood(line: str) -> None:
    for env in ("--env dev", "--env=dev", "--env DEV", "--env development"):
        await run(f"{line} {env}", Request(surface=Surface.SLASH), IN_DEV)


@pytest.mark.parametrize("env", ["--env prod", "--env=prod", "--env", "--env <!here>"])
async def test_another_environment_is_refused(env: str) -> None:
    with pytest.raises(UsageError) as refused:
        await run(f"doctor {env}", Request(surface=Surface.SLASH), IN_DEV)

    assert refused.value.what == "Nothing was checked"
    assert "<!" not in refused.value.why


def test_an_edit_is_answered_with_the_line_to_type() -> None:
    error = edited_error(" queue")

    assert "Type it again" in error.what_next
    assert lines(error) == ["queue"]
    assert lines(edited_error(" blah")) == []


@pytest.mark.parametrize(
    "flag",
    [
        "\N{EN DASH}\N{EN DASH}through-zero",
        "\N{MINUS SIGN}\N{MINUS SIGN}through-zero",
        "\N{NON-BREAKING HYPHEN}\N{NON-BREAKING HYPHEN}through\N{NON-BREAKING HYPHEN}zero",
        "\N{EM DASH}through\N{HYPHEN}zero",
    ],
)
@pytest.mark.parametrize("surface", [Surface.MENTION, Surface.TERMINAL])
def test_flag_with_the_dashes_of_a_document_is_a_flag(flag: str, surface: Surface) -> None:
    assert split_words(f"restart ingest {flag}", surface) == ["restart", "ingest", "--through-zero"]
