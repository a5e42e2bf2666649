"""Random calls of a confused or hostile machine: any verb, with words of other commands as arguments."""

from __future__ import annotations

import random

from bot.commands.registry import REGISTRY

_NAMES = [*REGISTRY, "", "QUEUE", "rollback api", "stop workers", "stop_workers", "dragonfly", "/dragonfly", "--env"]
_WORDS = [
    *(word for name in REGISTRY for word in name.split()),
    *("api", "ingest", "enforcement", "all", "workers", "to", "0ddba110", "8d02b64e", "0", "1", "2", "7", "-1"),
    *("--dry-run", "--raw", "--env", "--env=prod", "--new", "--through-zero", "--keep", "--clean", "--json", "--help"),
    *("approve", "confirm", "yes", "sev1", "2h", "?", "why", "because", "'", '"', "`", ";", "&&", "|", "\n", "\x00"),
    *("\u202e", "\u200b", "…", "<@U0ANN>", "<!channel>", "$(stop-workers)", "'; DROP TABLE chatops.runs; --", "📨"),
]


def fuzzed_call(rng: random.Random) -> tuple[str, str]:
    """Make a random verb and its arguments."""
    arguments = [rng.choice(_WORDS) for _ in range(rng.randrange(6))]
    if rng.random() < 0.3:
        arguments = arguments[:1] + rng.choice(list(REGISTRY)).split() + arguments[1:]
    if rng.random() < 0.05:
        arguments.append("".join(chr(rng.randrange(0x3000)) for _ in range(rng.randrange(700))))
    return rng.choice(_NAMES), rng.choice([" ", " ", "  ", "\n"]).join(arguments)
