"""Every command names functions that exist, with the signature that its kind of command calls."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from bot.changes import Change
from bot.cli import TERMINAL_ONLY
from bot.commands.command import ApprovalCommand, AskCommand, Command, IncidentCommand, TerminalCommand
from bot.commands.registry import REGISTRY
from bot.commands.verbs import VERBS
from bot.types import Lazy, Verb

VERBS_EVERYWHERE = [*VERBS, *TERMINAL_ONLY.values()]
# Each kind of command calls its functions with these parameters and gets this back, as annotations write them.
CALLED: dict[tuple[type[Verb], str], tuple[list[str], str]] = {
    (Command, "handle"): (["Request", "World"], "Answer"),
    (ApprovalCommand, "handle"): (["Request", "World", "ApprovalService | None"], "Answer"),
    (AskCommand, "handle"): (["Request", "World", "ApprovalService | None"], "Answer"),
    (IncidentCommand, "handle"): (["Request", "World", "IncidentService | None"], "Answer"),
    (TerminalCommand, "handle"): (["Sequence[str]", "Mapping[str, str]"], "Answer"),
    (Change, "parse"): (["tuple[str, ...]"], "Mapping[str, str]"),
    (Change, "plan"): (["Parameters", "World"], "Plan | NoPlan"),
    (Change, "offer"): (["Mapping[str, str]", "World"], "Answer | None"),
}


def _places() -> Iterator[tuple[str, tuple[list[str], str], Lazy]]:
    for verb in VERBS_EVERYWHERE:
        for (kind, field), called in CALLED.items():
            place = getattr(verb, field, None) if type(verb) is kind else None
            if place is not None:
                yield f"{verb.name}.{field}", called, place


PLACES = {name: (called, place) for name, called, place in _places()}


def test_every_place_of_every_command_is_looked_at() -> None:
    assert len(PLACES) == sum(len(verb.places) for verb in VERBS_EVERYWHERE)
    assert all(verb.places for verb in VERBS_EVERYWHERE)


def test_commands_name_functions_that_are_called_as_their_kind_calls_them() -> None:
    for name, ((parameters, returned), place) in PLACES.items():
        signature = inspect.signature(place.load())

        assert [parameter.annotation for parameter in signature.parameters.values()] == parameters, name
        assert signature.return_annotation == returned, name
        assert inspect.iscoroutinefunction(place.load()) is not name.endswith(".parse"), name


def test_no_two_commands_have_one_name() -> None:
    assert len(REGISTRY) == len(VERBS)
    assert not REGISTRY.keys() & TERMINAL_ONLY.keys()


def test_a_command_lives_among_the_commands() -> None:
    """The rules about imports between folders do not see a place, which is imported by its name."""
    assert {place.place.rpartition(".")[0] for verb in VERBS for place in verb.places} == {"bot.commands"}
