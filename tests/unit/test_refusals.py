"""Every refusal names what to press or type next; the refusals are found in the source, so that none is missed."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence

import pytest

from bot.approvals.access import Refused
from bot.commands.context import outcome_answer
from bot.commands.dispatch import run
from bot.commands.registry import REGISTRY
from bot.config.environment import Settings
from bot.types import Request, Surface, Verb
from bot.views.errors import error_answer
from bot.world import World
from services.domain.errors import OperatorError, SourceError, UsageError
from tests.source import CODE, ROOT, parsed

NOWHERE = World.from_settings(Settings.from_environment({}))
NAMES = re.compile(r"`[^`]+`|\bPress\b|https?://")  # a command, a button, a link

# Values that are passed on, and checked where they are made.
PASSED_ON = {
    "verdict.what_next": "a verdict: who could, and the run with a button (below)",
    "refused.what_next": "a refusal's, which is looked at where it is made",
    "what_next": "given by whoever calls; the calls are walked too",
}


Found = tuple[str, ast.Call, ast.Module]


@functools.cache
def _calls(name: str) -> Sequence[Found]:
    """Every call of this plain name outside the sandbox."""
    found: list[Found] = []
    for path, tree in parsed(*CODE, where=lambda text: f"{name}(" in text):
        if "sandbox" in path.parts:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", node, tree))
    return found


def calls(*names: str) -> Iterator[Found]:
    for name in names:
        yield from _calls(name)


def argument(call: ast.Call, name: str, position: int) -> ast.expr | None:
    named = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return named or (call.args[position] if len(call.args) > position else None)


def posted(node: ast.expr | None, tree: ast.Module) -> list[str]:
    """Every sentence that the expression can be, as far as the source shows; `{}` stands for a value."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            pieces = [part.value if isinstance(part, ast.Constant) else "{}" for part in parts]
            return ["".join(map(str, pieces))]
        case ast.BinOp(left=left, right=right):
            return [one + other for one in posted(left, tree) for other in posted(right, tree)]
        case ast.IfExp(body=body, orelse=other):
            return [*posted(body, tree), *posted(other, tree)]
        case ast.Call(func=ast.Name(id=name)):
            return [text for value in returned(name, tree) for text in posted(value, tree)] or ["{}"]
        case ast.Name(id=name):
            return [text for value in assigned(name, tree) for text in posted(value, tree)]
        case _:
            return ["{}"]


def assigned(name: str, tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the values that the module assigns to this name, alone or in a tuple."""
    for node in ast.walk(tree):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Name) and target.id == name and isinstance(node, ast.Assign):
                yield node.value
            if isinstance(target, ast.Tuple) and isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts, strict=True)
                yield from (value for one, value in pairs if isinstance(one, ast.Name) and one.id == name)


def returned(name: str, tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the values that the module's function of this name returns."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name == name:
            yield from (node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value)


def dead_ends(names: tuple[str, ...], position: int) -> list[str]:
    found = []
    for where, call, tree in calls(*names):
        node = argument(call, "what_next", position)
        if node is None or ast.unparse(node) in PASSED_ON or argument(call, "choices", 99) is not None:
            continue
        found += [f"{where}: {text}" for text in posted(node, tree) or ["?"] if not NAMES.search(text)]
    return found


def test_every_error_of_an_operator_names_what_to_press_or_type() -> None:
    assert dead_ends(("OperatorError",), 99) == []


def test_the_walk_sees_the_errors_there_are() -> None:
    walked = [where for where, _, _ in calls("OperatorError")]

    assert len(walked) > 25
    assert not NAMES.search("Take 1 to 20.")


def test_every_plan_that_is_refused_has_a_button() -> None:
    without = [where for where, call, _ in calls("NoPlan") if argument(call, "next_steps", 2) is None]

    assert without == []


@pytest.mark.parametrize("verb", REGISTRY.values(), ids=REGISTRY.keys())
async def test_words_that_do_not_fit_end_with_something_to_type(verb: Verb) -> None:
    """Each command with words that no command accepts, without any settings."""
    error: Exception | None = None

    try:
        await run(f"{verb.name} 0x0 0x0 0x0 0x0", Request(surface=Surface.SLASH), NOWHERE)
    except (OperatorError, SourceError) as raised:
        error = raised

    if isinstance(error, OperatorError):
        assert NAMES.search(error.what_next) or error.choices


@pytest.mark.parametrize(
    "line",
    [
        "queue now",
        "scale ingest 999",
        "throughput 99d",
        "logs ingest -n 9999",
        f"unlock api {'x' * 400}",
        "throughput x",
    ],
)
async def test_a_value_that_does_not_fit_ends_with_something_to_type(line: str) -> None:
    with pytest.raises(UsageError) as refused:
        await run(line, Request(surface=Surface.SLASH), NOWHERE)

    assert NAMES.search(refused.value.what_next)


def test_a_refused_decision_has_the_run_as_a_button() -> None:
    answer = outcome_answer(Refused("you can't approve your own request", "<@U1> can approve it."), 7)

    assert answer.blocks[-1]["elements"][0]["value"] == "run 7"


def test_every_usage_error_has_a_button() -> None:
    answer = error_answer(UsageError("Which?", why="none is named", what_next="Name one."))

    assert answer.blocks[0]["accessory"]["value"] == "help"
