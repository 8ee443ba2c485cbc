"""Bodies: what is taken of them, what rows become, and what the schema says of both."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.rest.models import Field, Model, fields

CHILD = Model("Child", fields("name! size:integer"))
CAT, DOG = Model("Cat", fields("kind! lives!:integer")), Model("Dog", fields("kind!"))
PET = Model("Pet", tag="kind", one_of={"cat": CAT, "dog": DOG})
PARENT = Model(
    "Parent",
    (
        *fields("name! age:integer is_open:boolean owner~ words:strings seen~:datetime"),
        Field("children", [CHILD]),
        Field("pet", PET),
        Field("color", choices=("red", "blue")),
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = [one.name for one in PARENT.fields]


def test_what_is_known_is_kept_and_the_rest_is_not():
    body = {
        "name": "a",
        "age": None,
        "owner": "me",
        "unknown": 1,
        "children": [{"name": "b", "size": 2, "more": 3}],
        "pet": {"kind": "cat", "lives": 9},
    }
    assert PARENT.read(body) == {
        "name": "a",
        "children": [{"name": "b", "size": 2}],
        "pet": {"kind": "cat", "lives": 9},
    }


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], "The body"),
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": "a", "age": True}, "age"),
        ({"name": "a", "age": 1 << 70}, "age"),
        ({"name": "a", "is_open": "true"}, "is_open"),
        ({"name": "a", "words": ["b", 1]}, "words"),
        ({"name": "a", "children": {}}, "children"),
        ({"name": "a", "children": [{"name": "b"}, {}]}, "children[1].name"),
        ({"name": "a", "pet": {"kind": "bird"}}, "pet.kind"),
        ({"name": "a", "pet": {"kind": "cat"}}, "pet.lives"),
        ({"name": "a", "color": "green"}, "color"),
    ],
)
def test_what_is_not_as_it_must_be_is_named(body: Any, place: str):
    with pytest.raises(RequestInvalid) as refused:
        PARENT.read(body)
    assert refused.value.message.startswith(place)


@given(st.dictionaries(st.sampled_from(NAMES), JSON) | JSON)
def test_any_body_is_read_or_refused(body: Any):
    try:
        found = PARENT.read(body)
    except RequestInvalid:
        return
    assert PARENT.read(found) == found


def test_rows_become_bodies_in_the_types_of_their_fields():
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    row = {"name": 1, "age": "3.7", "is_open": "Y", "seen": moment, "words": '["A","b c"]', "x": 1}
    assert PARENT.shaped(row) == {
        "name": "1",
        "age": 3,
        "is_open": True,
        "seen": "2026-01-02T00:00:00+00:00",
        "words": ["A", "b c"],
    }
    assert PARENT.shaped({"name": None, "age": "?", "words": "[]"}) == {"words": []}


def test_the_schema_says_what_must_be_there_and_what_may_be_null():
    shown = PARENT.schema()
    assert shown["required"] == ["name"]
    assert shown["properties"]["name"] == {"type": "string"}
    assert {"type": "null"} in shown["properties"]["age"]["anyOf"]
    assert shown["properties"]["owner"] == {"readOnly": True, "type": "string"}
    assert [one.name for one in PARENT.parts()] == ["Parent", "Child", "Pet", "Cat", "Dog"]
    assert PET.schema()["discriminator"]["mapping"]["cat"] == "#/components/schemas/Cat"
