"""`completion`: completion scripts for bash, zsh and fish, made from the same list as the help."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from bot.commands.arguments import wrong_word
from bot.commands.terminal_verbs import TERMINAL_VERBS
from bot.commands.verbs import VERBS
from bot.types import Answer, Attachment, Verb
from services.domain.environments import NAMES
from services.domain.services import Service

EVERYWHERE = ("--help", "--json")
# Words of a usage that are typed literally; all others are placeholders.
LITERAL = frozenset(
    {"all", "bash", "end", "explain", "export", "fish", "start", "verify", "workers", "zsh"} | {"sev1", "sev2", "sev3"}
)

_PLACE = re.compile(r"--[a-z-]+|[a-z0-9-]+")

_BASH = """# dragonfly completion bash > /etc/bash_completion.d/dragonfly
_dragonfly() {
  local line="${COMP_WORDS[*]:1:COMP_CWORD-1}" words
  case "$line" in
%s
  esac
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _dragonfly dragonfly
"""

_ZSH = """#compdef dragonfly
# dragonfly completion zsh > "${fpath[1]}/_dragonfly"
_dragonfly() {
  local line="${(j: :)words[2,CURRENT-1]}" words
  case "$line" in
%s
  esac
  compadd -- ${=words}
}
if [ "$funcstack[1]" = _dragonfly ]; then _dragonfly; else compdef _dragonfly dragonfly; fi
"""

_FISH = """# dragonfly completion fish > ~/.config/fish/completions/dragonfly.fish
function __dragonfly_words
  set -l typed (commandline -opc)
  set -e typed[1]
  switch (string join ' ' -- $typed)
%s
  end
end
complete -c dragonfly -f -a '(__dragonfly_words)'
"""


async def print_completion(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Answer `completion <bash|zsh|fish>` with the script. Raises UsageError for other words."""
    match list(words):
        case [("bash" | "zsh" | "fish") as shell]:
            script = make_script(shell, await _services(environ))
        case _:
            usage = "Write `dragonfly completion bash`, `zsh` or `fish`."
            raise wrong_word(words[0] if words else "completion", "is not a shell with completion", usage)
    return Answer("", (), {"script": script}, file=Attachment(f"dragonfly.{shell}", script))


async def _services(environ: Mapping[str, str]) -> Sequence[Service]:
    """The services to offer. Imported here: importing the world takes longer than making the script."""
    from bot.config.environment import Settings
    from bot.world import World

    world = World.from_settings(Settings.from_environment(environ))
    try:
        await world.recognized()
        return world.known_services
    finally:
        await world.close()


def make_script(shell: str, services: Sequence[Service]) -> str:
    """Make the script for `bash`, `zsh` or `fish`. `services`: their short names are offered."""
    if shell == "fish":
        return _FISH % "\n".join(_fish_case(*case) for case in _cases(services))
    return (_BASH if shell == "bash" else _ZSH) % "\n".join(_case(*case) for case in _cases(services))


def _fish_case(patterns: Sequence[str], words: Sequence[str]) -> str:
    quoted = " ".join(f"'{pattern}'" for pattern in patterns)
    return f"    case {quoted}\n      printf '%s\\n' {' '.join(words)}"


def _case(patterns: Sequence[str], words: Sequence[str]) -> str:
    """One case of the script for bash and zsh."""
    return f'    {"|".join(map(_quoted, patterns))}) words="{" ".join(words)}" ;;'


def _quoted(pattern: str) -> str:
    """A shell `case` pattern in which everything but a final asterisk is literal."""
    return f'"{pattern[:-1]}"*' if pattern.endswith("*") else f'"{pattern}"'


def _cases(services: Sequence[Service]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield `(patterns of the words before the cursor, words that may follow)`, longest first: the first match wins."""
    verbs = {verb.name: verb for verb in (*VERBS, *TERMINAL_VERBS)}
    first = sorted({name.split()[0] for name in verbs})
    yield [""], [*first, *EVERYWHERE]
    places = {" ".join(name.split()[:end]) for name in verbs for end in range(1, len(name.split()) + 1)}
    for place in sorted(places, key=lambda place: (-len(place.split()), place)):
        behind = sorted({name.split()[len(place.split())] for name in verbs if name.startswith(f"{place} ")})
        own = _words_of(verbs[place], first, services) if place in verbs else []
        if behind:
            yield [place], _distinct(behind, own, EVERYWHERE)
        yield ([f"{place} *"] if behind else [place, f"{place} *"]), _distinct(own, EVERYWHERE)


def _words_of(verb: Verb, first: Sequence[str], services: Sequence[Service]) -> list[str]:
    """The words that a command's usage offers: options, services, environments, and literal words."""
    meanings: dict[str, Sequence[str]] = {
        "service": [service.short for service in services],
        "worker": [service.short for service in services if service.worker_type is not None],
        "environment": sorted(NAMES),
        "command": first,
    }
    found = (
        meanings.get(word, [word] if word.startswith("--") or word in LITERAL else [])
        for word in _PLACE.findall(verb.usage)
    )
    return _distinct(*found)


def _distinct(*several: Sequence[str]) -> list[str]:
    """All words in their order, without duplicates."""
    return list(dict.fromkeys(chain.from_iterable(several)))
