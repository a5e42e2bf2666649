"""Wakes tasks early with LISTEN/NOTIFY. Typed calls of `sql/queries/refresh_notices.sql`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping

import psycopg
from psycopg import sql

from services.clients.postgres.pool import Connection, connect
from services.clients.postgres.queries import SQL
from services.domain.errors import SourceError
from services.domain.secrets import Secret

logger = logging.getLogger(__name__)

_PROBE_S = 3.0  # a notice arrives within milliseconds, or never
_AGAIN_S = 10.0  # before a lost session is opened again


class Listener:
    """One session that listens on some channels: a notice wakes its channel, and a reconnect wakes all.

    `wake` is `{channel: callback}`; all channels share one session, because a process has few.

    A transaction pooler accepts LISTEN and delivers nothing. So a probe notice is sent at the start, from a second
    session, because even there a session receives its own notices. `works` shows whether the probe arrived; while it is
    False the caller has to poll more often.
    """

    def __init__(self, dsn: Secret, wake: Mapping[str, Callable[[], None]], *, application_name: str) -> None:
        self._dsn = dsn
        self._wake = dict(wake)
        self._application_name = application_name
        self.works = False

    async def run(self) -> None:
        """Listen until cancelled. Returns if this server does not deliver notices at all."""
        while True:
            try:
                if not await self._listen():
                    logger.warning("this pooler delivers no notices; polling instead")
                    return
            except (SourceError, psycopg.Error) as error:
                why = error.why if isinstance(error, SourceError) else "connection lost"
                logger.warning("not listening: %s; retrying in %g s", why, _AGAIN_S)
            finally:
                self.works = False
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> bool:
        """False if the probe did not arrive; otherwise listen until the connection is lost, which raises."""
        conn = await connect(self._dsn, application_name=self._application_name, timeout_s=_PROBE_S)
        try:
            for channel in self._wake:
                await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self.works = await self._probe(conn)
            if not self.works:
                return False
            for wake in self._wake.values():  # something may have changed before the session listened
                wake()
            async for notice in conn.notifies():
                self._wake[notice.channel]()
        finally:
            with contextlib.suppress(psycopg.Error):
                await conn.close()
        return True

    async def _probe(self, conn: Connection) -> bool:
        other = await connect(self._dsn, application_name=self._application_name, timeout_s=_PROBE_S)
        try:
            await other.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(next(iter(self._wake)))))
        finally:
            await other.close()
        return [notice async for notice in conn.notifies(timeout=_PROBE_S, stop_after=1)] != []


CHANNEL = "chatops_hints"  # for LISTEN and NOTIFY; the query `notify_refresh` names it too


async def notify_refresh(conn: Connection) -> None:
    """Wake all replicas when this transaction commits."""
    await conn.execute(SQL["notify_refresh"])
