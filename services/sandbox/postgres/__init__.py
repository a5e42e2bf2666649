"""A real Postgres on this machine, shaped like Supabase's, from the binaries of a wheel."""

from services.sandbox.postgres.database import SandboxDatabase, prepare_cluster
from services.sandbox.postgres.server import PostgresServer

__all__ = ["PostgresServer", "SandboxDatabase", "prepare_cluster"]
