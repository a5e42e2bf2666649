"""Postgres: pool, named queries, typed calls, migrations. The only folder that imports psycopg."""
