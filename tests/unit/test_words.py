"""The field's words and plain English: no coined name, and no sentence without a subject that people can find.

A word of the field stays one word in the code, the log and the documents (docs/glossary.md). These words were coined
here once, or leave open who acts; each exception has its reason.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

import pytest

from tests.source import CODE, ROOT, files, parsed

# As a part of any name: the approval service, decision, triage summary, notify, outbox queue, wake-up, heartbeat, …
COINED = re.compile(
    "asker|bell|carrier|chores|circumstances|deciding|deed|desk|doorbell|gear|heart|hush|keeper|lanes?|lone|ourselves|"
    "pulse|rollouts|said|strays|switchboard|tell|teller|telling|tells|told|upkeep|wishes|nobody|somebody|whoever"
)
# As a whole name: they are also plain words within longer ones ("look_back", "seen_at").
COINED_ALONE = re.compile("calling|look|looked|once|phones|reach|rings?|say|signals?|turns?|whom")

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
    r"\b(nobody|somebody|whoever|everybody|anybody|(?:is|are|was|were) told|asker|mend(?:ed|s)?)\b", re.I
)
# What a text has to hold for that: a sentence may go on in the next line.
VAGUE_WORD = re.compile("nobody|somebody|whoever|everybody|anybody|told|asker|mend", re.I)
SENTENCES = {
    "services/domain/masking_words.py": "the list of words that may be shown",
    "bot/commands/help.py": "words that people search for",
}
GERUNDS = {"parsing", "timing", "paging", "wiring", "masking", "tracing"}  # nouns of the field, or of Python


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that the file defines, with its line."""
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
    """Every text of several words but docstrings."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
            continue
        if " " in node.value.strip():
            yield node.value, node.lineno


def has_coined_word(text: str) -> bool:
    """Whether a name, or a word of a comment, is coined."""
    return any(map(is_coined, set(re.findall(r"[A-Za-z_]\w*", text))))


@pytest.mark.parametrize("folder", CODE)
def test_no_name_is_coined(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path, tree in parsed(folder, where=has_coined_word)
        for name, line in names(tree)
        if is_coined(name)
    ]

    assert sorted(set(found)) == []


def test_no_module_has_a_coined_name_or_a_gerund() -> None:
    stems = [path.stem for path in files(*CODE, "tests") if path.stem != "__init__"]

    assert [stem for stem in stems if is_coined(stem)] == []
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
