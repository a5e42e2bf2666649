"""The local Railway's schema: a part of Railway's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema, build_schema

from services.sandbox.railway.control import SCHEMA
from services.sandbox.railway.queries import MUTATIONS, QUERIES

REAL_SCHEMA = Path(__file__).parents[6] / "shared" / "railway.graphql"
OURS = {name: kind for name, kind in SCHEMA.type_map.items() if not name.startswith("__")}


@pytest.fixture(scope="module")
def real() -> GraphQLSchema:
    if not REAL_SCHEMA.exists() and "CI" not in os.environ:
        pytest.skip("Railway's schema lies beside the checkout (../shared/railway.graphql), and here it does not")
    return build_schema(REAL_SCHEMA.read_text(encoding="utf-8"), assume_valid=True)


@pytest.mark.parametrize("name", sorted(OURS))
def test_type_is_the_real_one_or_a_part_of_it(name: str, real: GraphQLSchema) -> None:
    ours, theirs = OURS[name], real.type_map[name]

    assert type(ours) is type(theirs)
    if isinstance(ours, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
        assert set(ours.values) == set(theirs.values)
    if isinstance(ours, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
        assert {key: str(field.type) for key, field in ours.fields.items()} == {
            key: str(field.type) for key, field in theirs.fields.items()
        }
    if isinstance(ours, GraphQLObjectType) and isinstance(theirs, GraphQLObjectType):
        for key, field in ours.fields.items():
            assert str(field.type) == str(theirs.fields[key].type)
            assert _arguments(ours, key) == _arguments(theirs, key)


def test_every_field_of_query_and_mutation_has_a_resolver() -> None:
    assert SCHEMA.query_type is not None
    assert SCHEMA.mutation_type is not None
    assert set(SCHEMA.query_type.fields) == set(QUERIES)
    assert set(SCHEMA.mutation_type.fields) == set(MUTATIONS)


def _arguments(kind: GraphQLObjectType, field: str) -> dict[str, str]:
    return {name: str(argument.type) for name, argument in kind.fields[field].args.items()}
