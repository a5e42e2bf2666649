"""What the page can break besides Railway: the database and the bot. The sandbox's own wiring implements it."""

from __future__ import annotations

from typing import Protocol


class DatabaseFaults(Protocol):
    """Starts and stops what the local Railway does not run."""

    def postgres_running(self) -> bool:
        """Whether the sandbox's Postgres accepts connections."""

    async def stop_postgres(self) -> None:
        """Stop it as an outage would: at once, connections cut. Stopping twice is harmless."""

    async def start_postgres(self) -> None:
        """Start it again on the same data. Starting twice is harmless."""


class BotFaults(Protocol):
    """Kills and starts the bot, which no Railway starts again here."""

    def bot_running(self) -> bool:
        """Whether any replica's process runs."""

    async def kill_bot(self) -> None:
        """Kill every replica as a crash would. Killing twice is harmless."""

    async def start_bot(self) -> None:
        """Start the replicas that do not run; does not wait until they are connected. Starting twice is harmless."""
