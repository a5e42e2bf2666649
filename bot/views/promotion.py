"""The words on a proof from another environment."""

from __future__ import annotations

from collections.abc import Mapping

from bot.views.text import code, date_token, escape, link
from services.domain.promotion import PROOF, Proof, stored_proof


def linked_run(proof: Proof) -> str:
    """Link to the run that proved it in the other environment; without an address, the command that shows it."""
    if proof.link is None:
        return code(f"/{proof.command} run {proof.run_id}")
    return link(proof.link, f"run {proof.run_id}")


def promoted_note(parameters: Mapping[str, str]) -> list[str]:
    """ "proved in staging by run 12 Dec 20 10:30", in mrkdwn; empty for a run without a proof."""
    proof = stored_proof(parameters.get(PROOF, ""))
    if proof is None:
        return []
    return [f"proved in {escape(proof.environment)} by {linked_run(proof)} {date_token(proof.ended_at)}"]
