"""Words: no coined name in the code, and no sentence that hides who acts.

A concept has one word in the code, the log and the documents (docs/glossary.md). The words below were once coined here,
or leave open who acts; each exception has its reason.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from tokenize import COMMENT, tokenize

import pytest

from tests.source import CODE, ROOT, files, parsed, strings

# Every word that was once coined here: banned as a part of a name, as a whole name, or as the name of a definition.
ALL = (
    "desk case deciding steer lone alone calling hush call room switchboard board alerting briefing keeper teller "
    "telling told tell say home_of holding circumstances move signal seen readings upkeep watch watching carrier "
    "carry gear turn wishes deed not_there unseen broken differs beginning ending acting bell doorbell ring hint "
    "pulse on_time heart strays chores rounds look parts basis changing leading lane gates departure reach means "
    "phones whom ourselves asker once rollouts"
)
# Banned in any name. Instead: approval service, decision, triage summary, notify, outbox queue, wake-up, heartbeat, …
COINED = re.compile(
    "asker|bell|carrier|carry|chores|circumstances|deciding|deed|desk|doorbell|gear|heart|hush|keeper|lanes?|lone|"
    "ourselves|pulse|rollouts|said|strays|switchboard|tell|teller|telling|tells|told|unseen|upkeep|wishes|nobody|"
    "somebody|whoever"
)
# Banned as a whole name; within longer names they are plain words ("look_back", "seen_at").
COINED_ALONE = re.compile(
    "acting|alerting|calling|calls_people|holding|home_of|look|looked|not_there|notthere|on_time|once|phones|reach|rings?|"
    "say|signals?|turns?|whom"
)
# Banned as the name of a class, a function or a module; a value may have them ("parts", "seen").
COINED_DEFINED = re.compile(
    "alone|basis|beginning|board|briefing|broken|calls?|case|changing|departure|differs|ending|gates|hint|leading|means|"
    "moves?|parts|readings?|room|rounds|seen|steer|watch|watching"
)

NAMES = {
    "rollouts": "of the tables chatops.rollouts and chatops.rollout_deployments",
    "list_open_rollouts": "the same",
    "list_waiting_lone_starts": "of the table chatops.lone_starts",
    "read_lone_start": "the same",
    "told_at": "a column of chatops.alerts",
    "said_at": "a column of chatops.alerts",
    "telling": "a table of alerts.toml, which operators override",
    "nobody_is_absent": "a function that reads as a sentence",
    "say": "what a person types in the sandbox's Slack",
    "Say": "what a person types in the sandbox's Slack",
    "phones": "the sandbox's phones ring",
    "Phones": "the sandbox's phones ring",
    "ring": "the sandbox's phones ring",
    "Ring": "the sandbox's phones ring",
    "rings": "the sandbox's phones ring",
    "whom": "the owner of a sandbox's phone, and the JSON of a drill's report",
    "signal": "the module of Python",
    "turn": "a day on which an assessment changes",
}
VAGUE = re.compile(
    r"\b(nobody|somebody|whoever|everybody|anybody|(?:is|are|was|were) (?:not )?told|asker|mend(?:ed|s)?)\b", re.I
)
# A cheap test before VAGUE: a phrase of it may go on in the next line.
VAGUE_WORD = re.compile("nobody|somebody|whoever|everybody|anybody|told|asker|mend", re.I)
SENTENCES = {
    "services/domain/masking_words.py": "the list of words that may be shown",
    "bot/commands/help.py": "words that people search for",
}
DEFINED = {
    "call": "a call over HTTP",
    "case": "a case at court, or of a shell script",
    "changing": "the settings of changes",
    "move": "of a shift, or of a service to another deployment",
    "moves": "of shifts",
    "ending": "of an attempt at a job",
    "calls": "of functions or of a model",
    "reading": "how a law, a file or a line is read",
    "hint": "what to type next",
    "leading": "while this replica is the leader",
    "parts": "of a value that is taken apart",
    "broken": "a link or a condition that is broken",
    "watch": "of a program or a list that changes by itself",
}
# Documents and queries, in which COINED_TEXT is banned; there, stored names are written as code.
TEXTS = (
    "*.md",
    "docs/*.md",
    "integrations/**/*.md",
    "sql/queries/*.sql",
    "sql/operated/**/*.sql",
    "bot/config/*.toml",
    "services/sandbox/page/templates/*.html",
)
COINED_TEXT = re.compile(
    r"\b(asker|carriers?|chores|circumstances|desks?|doorbell|hush(?:ed|es)?|keeper|lanes?|lone starts?|strays|"
    r"switchboard|tellers?|upkeep|nobody|somebody|whoever|everybody|anybody|mend(?:ed|s)?|"
    r"(?:is|are|was|were|be) (?:not )?told)\b",
    re.I,
)
# Banned in docstrings and comments of the code: the same, and "one a service" for "one per service".
COINED_PROSE = re.compile(
    r"\b(asker|desks?|doorbell|hush(?:ed|es)?|lanes?|lone starts?|nobody|somebody|whoever|everybody|anybody|"
    r"mend(?:ed|s)?|(?:is|are|was|were|be|been) (?:not )?told|"
    r"one (?:(?:pure )?(?:file|finding|function|line|mutation|result|row) )?an? (?:channel|check|day|fingerprint|"
    r"file|group|hour|key|message|method|minute|operation|person|procedure|query|request|row|run|service|step|"
    r"topic|verb|worker))\b",
    re.I,
)
GERUNDS = {"parsing", "timing", "paging", "wiring", "masking", "tracing"}  # nouns of the field, or of Python


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every name that the file defines, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


@functools.cache
def is_coined(name: str) -> bool:
    bare = name.strip("_")
    if bare in NAMES:
        return False
    return any(map(COINED.fullmatch, words(name))) or bool(COINED_ALONE.fullmatch(bare.lower()))


def sentences(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every string of several words with its line, except docstrings."""
    for node in strings(tree):
        if " " in str(node.value).strip():
            yield str(node.value), node.lineno


def prose(path: Path, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every docstring and every comment, with its line."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            yield text, node.body[0].lineno
    with path.open("rb") as file:
        yield from ((token.string, token.start[0]) for token in tokenize(file.readline) if token.type == COMMENT)


def has_coined_word(text: str) -> bool:
    """True if a word of the text is a coined name."""
    return any(map(is_coined, set(re.findall(r"[A-Za-z_]\w*", text))))


def definitions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno


def is_coined_definition(name: str) -> bool:
    bare = name.strip("_").lower()
    return bool(COINED_DEFINED.fullmatch(bare)) and bare not in DEFINED and not name.startswith("__")


def test_no_test_fixture_or_helper_has_a_coined_name() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, tree in parsed("tests", where=COINED.search)
        for name, line in definitions(tree)
        if name not in NAMES and any(map(COINED.fullmatch, words(name)))
    ]

    assert found == []


@pytest.mark.parametrize("folder", CODE)
def test_no_name_is_coined(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, tree in parsed(folder, where=has_coined_word)
        for name, line in names(tree)
        if is_coined(name)
    ]

    assert sorted(set(found)) == []


@pytest.mark.parametrize("folder", CODE)
def test_no_definition_has_a_coined_name(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, tree in parsed(folder, where=COINED_DEFINED.search)
        for name, line in definitions(tree)
        if is_coined_definition(name)
    ]

    assert found == []


def test_every_coined_word_is_held() -> None:
    held = (COINED, COINED_ALONE, COINED_DEFINED)

    assert [word for word in ALL.split() if not any(one.fullmatch(word) for one in held)] == []


def test_no_document_and_no_query_has_a_coined_word() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line}"
        for pattern in TEXTS
        for path in sorted(ROOT.glob(pattern))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if COINED_TEXT.search(re.sub("`[^`]*`", "", line))
    ]

    assert found == []


@pytest.mark.parametrize("folder", CODE)
def test_no_docstring_and_no_comment_has_a_coined_word(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path, tree in parsed(folder, where=COINED_PROSE.search)
        for text, line in prose(path, tree)
        if COINED_PROSE.search(re.sub("`[^`]*`", "", text))
    ]

    assert found == []


def test_no_module_has_a_coined_name_or_a_gerund() -> None:
    stems = [path.stem for path in files(*CODE, "tests") if path.stem != "__init__"]

    assert [stem for stem in stems if is_coined(stem) or is_coined_definition(stem)] == []
    assert [path for path in {p.stem for p in files(*CODE)} - GERUNDS if path.endswith("ing")] == []


@pytest.mark.parametrize("folder", CODE)
def test_every_sentence_names_who_acts(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path, tree in parsed(folder, where=VAGUE_WORD.search)
        if str(path.relative_to(ROOT)) not in SENTENCES
        for text, line in sentences(tree)
        if VAGUE.search(text)
    ]

    assert found == []


def test_every_pinned_message_names_who_acts() -> None:
    golden = sorted((ROOT / "tests/messages/golden").glob("*.txt"))
    found = [
        f"{file.name}:{number}: {line}"
        for file in golden
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if VAGUE.search(line)
    ]

    assert golden
    assert found == []


def test_the_rules_see_what_they_forbid() -> None:
    tree = ast.parse("def tell_desk(lane): return f'{lane} is told to nobody'")

    assert [name for name, _ in names(tree) if is_coined(name)] == ["tell_desk", "lane"]
    assert [text for text, _ in sentences(tree) if VAGUE.search(text)]
    assert VAGUE_WORD.search("told")
    assert has_coined_word("tell_desk")
    assert [name for name, _ in definitions(ast.parse("class Seen: pass")) if is_coined_definition(name)] == ["Seen"]
    assert COINED_TEXT.search("Which of its windows people were told of.")
