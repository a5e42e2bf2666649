"""Postgres: the connection pool, and one typed function per named query."""
