"""What the page can break besides Railway: the database. The sandbox's own wiring implements it."""

from __future__ import annotations

from typing import Protocol


class Faults(Protocol):
    """Starts and stops what the local Railway does not run."""

    def postgres_running(self) -> bool:
        """Whether the sandbox's Postgres accepts connections."""

    async def stop_postgres(self) -> None:
        """Stop it as an outage would: at once, connections cut. Stopping twice is harmless."""

    async def start_postgres(self) -> None:
        """Start it again on the same data. Starting twice is harmless."""
