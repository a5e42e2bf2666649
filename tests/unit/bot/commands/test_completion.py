"""Shells complete the commands, words and options of the registry."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess

import pytest

from bot.cli import TERMINAL_ONLY, dispatch
from bot.commands.completion import LITERAL, make_script
from bot.commands.registry import REGISTRY
from services.domain.services import DECLARED

VERBS = [*REGISTRY.values(), *TERMINAL_ONLY.values()]


def _bash(script: str, words: list[str]) -> set[str]:
    """The words that bash offers for the last word, from the function that `complete` registered."""
    program = f"""{script}
set -- $(complete -p dragonfly)
COMP_WORDS=({shlex.join(["dragonfly", *words])}); COMP_CWORD={len(words)}
"$3"; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


def _fish(script: str, words: list[str]) -> set[str]:
    line = " ".join(["dragonfly", *words])
    program = f"{script}\ncomplete -C {shlex.quote(line)}"
    done = subprocess.run(["fish", "--no-config", "-c", program], capture_output=True, text=True, check=True)
    return {one.split("\t")[0] for one in done.stdout.splitlines()}


SHELLS = [
    pytest.param("bash", _bash, id="bash"),
    pytest.param(
        "fish",
        _fish,
        id="fish",
        marks=pytest.mark.skipif(not shutil.which("fish") and not os.environ.get("CI"), reason="no fish here"),
    ),
]


@pytest.mark.parametrize(("shell", "offer"), SHELLS)
def test_a_shell_offers_every_command(shell: str, offer: object) -> None:
    assert callable(offer)

    assert offer(make_script(shell, tuple(DECLARED)), [""]) >= {verb.name.split()[0] for verb in VERBS}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["hea"], {"health", "heartbeats"}),
        (["incident", "op"], {"open"}),
        (["incident", "open", "sev"], {"sev1", "sev2", "sev3"}),
        (["deployments", ""], {"api", "ingest", "enforcement", "simplicity", "--help", "--json"}),
        (["logs", "ingest", "--f"], {"--failed"}),
        (["rollback", "w"], {"workers"}),
        (["prod-gate", "--env", "st"], {"staging"}),
        (["help", "roll"], {"rollback", "rollback-db"}),
        (["completion", ""], {"bash", "zsh", "fish", "--help", "--json"}),
        (["nonsense", ""], set()),
    ],
)
@pytest.mark.parametrize(("shell", "offer"), SHELLS)
def test_a_shell_completes_the_word_at_the_cursor(
    shell: str, offer: object, words: list[str], offered: set[str]
) -> None:
    assert callable(offer)

    assert offer(make_script(shell, tuple(DECLARED)), words) == offered


@pytest.mark.skipif(not shutil.which("zsh") and not os.environ.get("CI"), reason="no zsh here")
def test_zsh_reads_its_script() -> None:
    done = subprocess.run(["zsh", "-n"], input=make_script("zsh", tuple(DECLARED)), capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")


def test_words_that_are_typed_as_they_are_stand_in_a_usage() -> None:
    usages = " ".join(verb.usage for verb in VERBS)

    assert [word for word in LITERAL if word not in usages] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_terminal_prints_the_script(shell: str) -> None:
    outcome = await dispatch(["completion", shell], {})

    assert outcome.code == 0
    assert outcome.text.strip() == make_script(shell, tuple(DECLARED)).strip()


@pytest.mark.parametrize(("named", "offers"), [("", True), ("civil", True), ("runbook", False)])
async def test_script_offers_the_services_of_the_operated_system_only(named: str, *, offers: bool) -> None:
    outcome = await dispatch(["completion", "bash"], {"OPERATED_SYSTEM": named} if named else {})

    assert "ingest" in outcome.text
    assert ("simplicity" in outcome.text) is offers


@pytest.mark.parametrize("words", [[], ["powershell"], ["bash", "zsh"]])
async def test_another_shell_is_refused_with_those_that_can(words: list[str]) -> None:
    outcome = await dispatch(["completion", *words, "--json"], {})

    assert outcome.code == 2
    what_next = json.loads(outcome.text)["error"]["what_next"]
    assert all(shell in what_next for shell in ("bash", "zsh", "fish"))
