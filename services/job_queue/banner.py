"""What a worker prints first: the runbook's box, from which people and Railway's log search read the SHA."""

from __future__ import annotations

WIDTH = 69  # columns between the box's sides, as the runbook draws it


def starting_banner(*, worker_id: str, worker_type: str, environment: str, git_sha: str, python: str) -> str:
    """The box as one text of several lines; a value too long for it is cut."""
    facts = [
        ("Worker ID:", worker_id),
        ("Worker Type:", worker_type),
        ("Environment:", environment),
        ("Git SHA:", git_sha),
        ("Python:", python),
    ]
    title = " " * 20 + "DRAGONFLY WORKER STARTING"
    lines = [title, *(f"  {label:<13} {value}" for label, value in facts)]
    top, *rest = (f"│{line[:WIDTH]:<{WIDTH}}│" for line in lines)
    return "\n".join([_rule("┌", "┐"), top, _rule("├", "┤"), *rest, _rule("└", "┘")])


def _rule(left: str, right: str) -> str:
    return left + "─" * WIDTH + right
