"""The effects of a migration's statements, by PostgreSQL's own parser; unknown ones are named."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pglast import ast

from services.clients import pg_parser, squawk
from services.clients.postgres.migrations import read_files
from services.domain.schema import MISSING, Effect

DESTROYS, BREAKS = "destroys", "breaks"

# {statement: (its effect, the judgment of it)}
STATEMENTS = {
    "DROP TABLE ops.a, b": ("drops table ops.a", {DESTROYS, BREAKS}),
    "DROP SCHEMA s": ("drops schema s", {DESTROYS, BREAKS}),
    "DROP VIEW ops.v": ("drops view ops.v", {DESTROYS, BREAKS}),
    "DROP TYPE ops.t": ("drops type ops.t", {DESTROYS, BREAKS}),
    "DROP FUNCTION ops.f(int)": ("drops function ops.f", {DESTROYS, BREAKS}),
    "DROP INDEX ops.i": ("drops index ops.i", set()),
    "DROP POLICY p ON ops.a": ("drops policy ops.a.p", set()),
    "DROP OWNED BY app": ("drops app, or all that they own", {DESTROYS, BREAKS}),
    "DROP OWNED BY CURRENT_USER": ("drops CURRENT_USER, or all that they own", {DESTROYS, BREAKS}),
    "DROP ROLE app, CURRENT_USER": ("drops app and CURRENT_USER, or all that they own", {DESTROYS, BREAKS}),
    "DROP CAST (a AS s.b)": ("drops cast a.s.b", {DESTROYS, BREAKS}),
    "DROP TRANSFORM FOR t LANGUAGE l": ("drops transform t.l", {DESTROYS, BREAKS}),
    "DROP OPERATOR CLASS c USING btree": ("drops opclass btree.c", {DESTROYS, BREAKS}),
    "ALTER TABLE ops.a DROP COLUMN note": ("drops column ops.a.note", {DESTROYS, BREAKS}),
    "ALTER TABLE a ALTER note TYPE int": (
        "changes the type of a.note, which may rewrite the table",
        {DESTROYS, BREAKS},
    ),
    "ALTER TABLE a ALTER note SET NOT NULL": (
        "makes a.note NOT NULL, which reads the whole table under a lock",
        {DESTROYS, BREAKS},
    ),
    "ALTER TABLE a ALTER note DROP NOT NULL": ("alters a", set()),
    "ALTER TABLE a ADD note text": ("adds column a.note", set()),
    "ALTER TABLE a ADD note text NOT NULL": ("adds column a.note NOT NULL without a default", {DESTROYS, BREAKS}),
    "ALTER TABLE a ADD note text NOT NULL DEFAULT ''": ("adds column a.note", set()),
    "ALTER TABLE a ADD at timestamptz NOT NULL DEFAULT now()": ("adds column a.at", set()),
    "ALTER TABLE a ADD key uuid DEFAULT gen_random_uuid()": (
        "adds column a.key with a computed default, which may rewrite the table",
        {DESTROYS},
    ),
    "ALTER TABLE a ADD n bigserial": (
        "adds column a.n, computed for each row, which rewrites the table",
        {DESTROYS},
    ),
    "ALTER TABLE a ADD CHECK (n > 0)": ("adds a constraint to a, which reads the whole table under a lock", {DESTROYS}),
    "ALTER TABLE a ADD CHECK (n > 0) NOT VALID": ("adds a constraint to a", set()),
    "ALTER TABLE a DROP CONSTRAINT c": ("alters a", set()),
    "ALTER TABLE a SET UNLOGGED": ("changes how a is stored, which rewrites it", {DESTROYS}),
    "ALTER TABLE a RENAME note TO remark": ("renames column a.note to remark", {DESTROYS, BREAKS}),
    "ALTER TABLE a RENAME TO b": ("renames table a to b", {DESTROYS, BREAKS}),
    "ALTER TABLE a RENAME CONSTRAINT c TO d": ("renames tabconstraint a.c to d", set()),
    "ALTER TABLE a SET SCHEMA s": ("moves table a to schema s", {DESTROYS, BREAKS}),
    "ALTER TYPE t ADD VALUE 'x'": ("adds value x to t", set()),
    "ALTER TYPE t RENAME VALUE 'x' TO 'y'": ("renames value x of t to y", {DESTROYS, BREAKS}),
    "CREATE INDEX ON ops.a (n)": ("adds an index to ops.a, which blocks its writers meanwhile", {DESTROYS}),
    "CREATE INDEX CONCURRENTLY ON ops.a (n)": ("adds an index to ops.a", set()),
    "CREATE INDEX ON chatops.runs (id)": ("adds an index to chatops.runs", set()),
    "DELETE FROM ops.a": ("deletes rows of ops.a", {DESTROYS}),
    "UPDATE ops.a SET n = 1": ("changes rows of ops.a", {DESTROYS}),
    "TRUNCATE ops.a": ("empties ops.a", {DESTROYS}),
    "INSERT INTO ops.a VALUES (1)": ("adds rows to ops.a", set()),
    "REVOKE SELECT ON a FROM PUBLIC, anon": ("revokes rights", set()),
    "REVOKE SELECT ON a FROM PUBLIC, app": ("revokes rights of app", {DESTROYS, BREAKS}),
    "REVOKE ALL ON SCHEMA s FROM CURRENT_USER": ("revokes rights of CURRENT_USER", {DESTROYS, BREAKS}),
    "ALTER TABLE a ENABLE ROW LEVEL SECURITY": (
        "puts row level security on a, which hides rows",
        {DESTROYS, BREAKS},
    ),
    "ALTER TABLE a DETACH PARTITION ops.b": ("takes the rows of ops.b out of a", {DESTROYS, BREAKS}),
    "ALTER TABLE a ALTER note DROP DEFAULT": ("drops the default of a.note", {DESTROYS, BREAKS}),
    "ALTER TABLE a ALTER note SET DEFAULT 'x'": ("alters a", set()),
    "WITH m AS (DELETE FROM ops.a RETURNING *) INSERT INTO b SELECT * FROM m": ("deletes rows of ops.a", {DESTROYS}),
    "INSERT INTO a VALUES (1) ON CONFLICT (n) DO UPDATE SET n = 2": ("adds or changes rows of a", {DESTROYS}),
    "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING": ("adds rows to a", set()),
    "ALTER TABLE a ADD n text DEFAULT random()::text": (
        "adds column a.n with a computed default, which may rewrite the table",
        {DESTROYS},
    ),
    "ALTER TABLE a ADD at timestamptz DEFAULT clock_timestamp() + interval '1 day'": (
        "adds column a.at with a computed default, which may rewrite the table",
        {DESTROYS},
    ),
    "ALTER TABLE a ADD n int UNIQUE": (
        "adds column a.n with a constraint, which reads the whole table under a lock",
        {DESTROYS},
    ),
    "ALTER TABLE a ADD n text[] DEFAULT ARRAY['x']::text[]": ("adds column a.n", set()),
    "ALTER TABLE a ADD day date DEFAULT now()::date": ("adds column a.day", set()),
    "ALTER TABLE a ADD day date DEFAULT current_date": ("adds column a.day", set()),
}


async def test_each_kind_of_statement_is_named_and_judged() -> None:
    found = await pg_parser.examine({sql: sql for sql in STATEMENTS})

    judged = {sql: found[sql].effects[0] for sql in STATEMENTS}
    assert {sql: (one.words, _judged(one)) for sql, one in judged.items()} == STATEMENTS
    assert {sql for sql in STATEMENTS if found[sql].unexamined} == set()


def _judged(effect: Effect) -> set[str]:
    return ({DESTROYS} if effect.is_destructive else set()) | ({BREAKS} if effect.breaks_older else set())


async def test_change_of_an_object_from_the_same_file_is_not_destructive() -> None:
    sql = (
        "CREATE TABLE a (n int);\n-- of a\nCREATE INDEX ON a (n);\n"
        "ALTER TABLE a ALTER n SET NOT NULL;\nDELETE FROM a;\n"
        "DROP FUNCTION f(a int);\nCREATE FUNCTION f(b integer, c text DEFAULT '', OUT d int)"
        " LANGUAGE sql AS 'SELECT 1';"
    )

    found = (await pg_parser.examine({"1_a": sql}))["1_a"]

    assert (found.destructive, found.breaking, found.unexamined) == ((), (), ())
    assert [effect.line for effect in found.effects] == [1, 3, 4, 5, 6, 7]


async def test_change_of_an_object_that_may_exist_before_is_destructive() -> None:
    sqls = {
        "1_a": "CREATE TABLE IF NOT EXISTS a (n int); DELETE FROM a;",
        "2_f": "DROP FUNCTION f(int); CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "3_e": "DROP FUNCTION e(int); CREATE FUNCTION e(int, n int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "4_g": "DROP FUNCTION g; CREATE FUNCTION g(text) RETURNS int LANGUAGE sql AS 'SELECT 1';",
    }

    found = await pg_parser.examine(sqls)

    assert {title: [effect.words for effect in one.destructive] for title, one in found.items()} == {
        "1_a": ["deletes rows of a"],
        "2_f": ["drops function f"],
        "3_e": ["drops function e"],
        "4_g": ["drops function g"],
    }


async def test_pg_parser_names_statements_that_it_cannot_examine() -> None:
    sql = "DO $$ BEGIN EXECUTE 'DROP TABLE a'; END $$;\n\nSELECT forget_everything();"
    alter = "ALTER TABLE a\n DISABLE TRIGGER ALL, ALTER n DROP NOT NULL, DISABLE ROW LEVEL SECURITY"

    found = await pg_parser.examine({"1_code": sql, "2_broken": "DROP TABEL a", "3_alter": alter})

    assert found["1_code"].unexamined == ("DO in line 1", "SELECT in line 3")
    assert found["2_broken"].unexamined == ("the whole file, which could not be parsed",)
    assert found["3_alter"].unexamined == (
        "ALTER a DISABLE TRIG ALL in line 1",
        "ALTER a DISABLE ROW SECURITY in line 1",
    )


async def test_functions_that_are_called_while_rows_change_are_named_unless_postgres_brings_them() -> None:
    """The effects of our own functions are unknown: INSERT … SELECT forget() may do more than add rows."""
    sqls = {
        "1_select": "INSERT INTO a\nSELECT ops.forget(n) FROM b",
        "2_values": "INSERT INTO a VALUES (lower('X'), forget(), forget())",
        "3_where": "DELETE FROM a WHERE ops.is_old(a)",
        "4_set": "UPDATE a SET n = f(n), at = now()",
        "5_with": "WITH m AS (SELECT pg_catalog.count(*), cron.schedule('x') FROM b) INSERT INTO a SELECT * FROM m",
        "6_conflict": "INSERT INTO a VALUES (1) ON CONFLICT (n) DO UPDATE SET n = f(2)",
        "7_plain": "INSERT INTO a SELECT gen_random_uuid(), coalesce(max(n), 0), jsonb_build_object('n', 1) FROM b",
        "8_default": "CREATE TABLE c (n int DEFAULT f())",
        "9_ours": "INSERT INTO a SELECT public.lower('x')",
    }

    found = await pg_parser.examine(sqls)

    assert {title: one.unexamined for title, one in found.items() if one.unexamined} == {
        "1_select": ("a call of ops.forget in line 1",),
        "2_values": ("a call of forget in line 1",),
        "3_where": ("a call of ops.is_old in line 1",),
        "4_set": ("a call of f in line 1",),
        "5_with": ("a call of cron.schedule in line 1",),
        "6_conflict": ("a call of f in line 1",),
        "9_ours": ("a call of public.lower in line 1",),
    }


async def test_statement_that_the_tables_here_fail_on_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    roles = property(lambda _: None, lambda _, __: None)  # as a later version of the parser may have it
    monkeypatch.setattr(ast.DropRoleStmt, "roles", roles)

    found = await pg_parser.examine({"1_a": "DROP TABLE a; DROP ROLE b; DROP TABLE c"})

    assert [effect.words for effect in found["1_a"].effects] == ["drops table a", "drops table c"]
    assert found["1_a"].unexamined == ("DROPROLE in line 1",)


async def test_our_own_migrations_are_understood() -> None:
    found = await pg_parser.examine({file.title: file.sql for file in read_files()})

    assert {title: one.unexamined for title, one in found.items() if one.unexamined} == {
        "20251201000000_roles_and_schemas": ("DO in line 10",),
        "20251202000100_batches_follow_jobs": ("a call of intake.batch_id_of in line 59",),
    }
    assert [title for title, one in found.items() if one.breaking] == ["20251202000110_ingest_files"]


async def test_squawk_names_the_rules_and_lines() -> None:
    sqls = {"1_a": "SELECT 1;\nALTER TABLE a DROP COLUMN n;", "2_b": "CREATE TABLE b (n bigint);"}

    found = await squawk.lint(sqls)

    assert found["1_a"] == ("ban-drop-column in line 2",)
    assert found["2_b"] == ()


def test_without_the_extra_nothing_is_called_harmless() -> None:
    program = (
        "import sys, asyncio; sys.modules['pglast'] = None\n"
        "from services.clients import pg_parser\n"
        "asyncio.run(pg_parser.examine({'1_a': 'SELECT 1'}))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert "SourceError" in done.stderr
    assert MISSING in done.stderr


async def test_an_empty_file_changes_nothing() -> None:
    found = (await pg_parser.examine({"1_a": "-- nothing\n"}))["1_a"]

    assert (found.effects, found.unexamined) == ((), ())
