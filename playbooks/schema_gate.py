"""Effects of migrations on a change of code: named in its plan, confirmed by typing, or refused (docs/changes.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from services.domain.errors import Unavailable
from services.domain.schema import MISSING, Effect, Examinations
from services.domain.text import counted

SHOWN = 4  # effects of one migration
Schema = Examinations | Unavailable
MIGRATIONS_UNKNOWN = "whether migrations are pending is unknown"  # begins a warning; stored plans contain it
_UNEXAMINED = "not examined"


def is_destructive(titles: Sequence[str], schema: Schema) -> bool:
    """True if one of these migrations destroys something, or locks or rewrites a table.

    Also True if their examination failed; but without the extra `[schema]`, none is ever examined.
    """
    if isinstance(schema, Unavailable):
        return bool(titles) and schema.why != MISSING
    return any(schema[title].destructive for title in titles if title in schema)


def effect_lines(titles: Sequence[str], schema: Schema) -> Iterator[str]:
    """One line per migration that was examined, destructive effects first."""
    for title in titles:
        if isinstance(schema, Unavailable) or title not in schema:
            continue
        effects = sorted(schema[title].effects, key=lambda effect: not effect.is_destructive)
        clauses = list(dict.fromkeys(effect.words for effect in effects))
        more = [f"{len(clauses) - SHOWN} more"] if len(clauses) > SHOWN else []
        yield f"{title}: {'; '.join([*clauses[:SHOWN], *more]) or 'changes nothing that is known'}"


def gate_warnings(titles: Sequence[str], schema: Schema) -> Iterator[str]:
    """Warnings about destructive effects, unexamined statements, and the linter's findings."""
    yield from unexamined_lines(titles, schema)
    known = [] if isinstance(schema, Unavailable) else [(title, schema[title]) for title in titles if title in schema]
    for title, found in known:
        yield from (f"destructive: {title} {_placed(effect)}" for effect in found.destructive)
        if found.lint is None:
            yield f"{title} was not linted: squawk did not answer"
        elif found.lint:
            yield f"squawk on {title}: {', '.join(found.lint)}"


def unexamined_lines(titles: Sequence[str], schema: Schema) -> Iterator[str]:
    """The unknown effects of these migrations, which never count as harmless."""
    if isinstance(schema, Unavailable):
        if titles:
            yield f"what {counted(len(titles), 'migration')} would do was not examined: {schema.why}"
        return
    for title in titles:
        found = schema.get(title)
        if found is None:
            yield f"{title} was not examined: the bot does not have its file"
        elif found.unexamined:
            yield f"{title} runs what was not examined: {', '.join(found.unexamined)}"


def find_unknown(warnings: Iterable[str]) -> dict[str, str]:
    """The warnings that a deploy's migrations are not known, by their subject, without the reason."""
    abouts = {line.partition(":")[0]: line for line in warnings}
    return {about: line for about, line in abouts.items() if about == MIGRATIONS_UNKNOWN or _UNEXAMINED in about}


def find_breaking(titles: Sequence[str], schema: Schema) -> tuple[str, ...]:
    """Why older code doesn't work with the schema that these migrations made, one clause per reason."""
    if isinstance(schema, Unavailable):
        return ()
    known = [(title, schema[title]) for title in titles if title in schema]
    return tuple(f"{title} {_placed(effect)}" for title, found in known for effect in found.breaking)


def newer_schema_lines(commit: str, count: int, titles: Sequence[str], schema: Schema) -> Iterator[str]:
    """The number of migrations that came after the commit had run, and the unknown effects of `titles`: those on tables
    that its code uses."""
    if count:
        yield f"{counted(count, 'migration')} applied since {commit} ran: the old code meets a newer schema"
    yield from unexamined_lines(titles, schema)


def older_code_warnings(commit: str, titles: Sequence[str], schema: Schema) -> Iterator[str]:
    """The same, and why its code doesn't work with the schema: for a plan that is not refused for that."""
    yield from newer_schema_lines(commit, len(titles), titles, schema)
    broken = find_breaking(titles, schema)
    if broken:
        yield broken_words(commit, broken)
        yield f"{schema_rollback(broken)} rolls back the schema and the code together, if a rollback is prepared"


def broken_words(commit: str, broken: Sequence[str]) -> str:
    """The sentence for code that doesn't work with the schema. `broken`: the reasons, from `find_breaking`."""
    return f"{commit} does not work with the schema any more: {'; '.join(broken)}"


def schema_rollback(broken: Sequence[str]) -> str:
    """The command that rolls the schema back: the newest version goes first."""
    return f"rollback-db {max(one.partition('_')[0] for one in broken)}"


def _placed(effect: Effect) -> str:
    return f"{effect.words} (line {effect.line})"
