"""Values of USING: what is given in JSON comes out in JSON, and texts come out bare."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.model.errors import TemplateFailed
from snowcave.model.spec.values import read_value, written

_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _FLOATS | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4) | st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_maps_and_lists_come_out_as_they_were_given(value: Any) -> None:
    assert json.loads(written(read_value("k", json.dumps(value), quoted=True))) == value


@given(st.text())
def test_a_string_of_json_comes_out_bare(text: str) -> None:
    assert written(read_value("k", json.dumps(text), quoted=True)) == text


@given(st.text(), st.booleans())
def test_any_text_is_read_or_refused(text: str, quoted: bool) -> None:
    try:
        value = read_value("k", text, quoted=quoted)
    except TemplateFailed:
        assert text.strip()[0] in "[{"
        return
    assert isinstance(written(value), str)


@given(st.integers() | _FLOATS | st.decimals(-9, 9))
def test_a_bare_number_keeps_its_spelling(number: object) -> None:
    assert written(read_value("k", str(number), quoted=False)) == str(number)


@pytest.mark.parametrize(
    ("text", "quoted", "shown"),
    [
        ("true", False, "true"),
        ("FALSE", False, "false"),
        ("null", False, "null"),
        ("1.10", False, "1.10"),
        ("-007", False, "-007"),
        ("v1.2-a", False, "v1.2-a"),
        ("true", True, "true"),
        ("", True, ""),
        (' "/db/s/r/i:latest"', True, "/db/s/r/i:latest"),
        ('"unfinished', True, '"unfinished'),
        ('{"a": ["ü", null, true]}', True, '{"a": ["ü", null, true]}'),
    ],
)
def test_how_values_are_written(text: str, quoted: bool, shown: str) -> None:
    assert written(read_value("k", text, quoted=quoted)) == shown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{'a': 1}", "not valid JSON"),
        ("[NaN]", "not valid JSON"),
        ("[1e999]", "not valid JSON"),
        ("[" * 100 + "]" * 100, "nested deeper"),
        ("[" * 100_000 + "]" * 100_000, "not valid JSON"),
        ("x" * 300_000, "longer than"),
    ],
)
def test_values_that_are_refused(text: str, why: str) -> None:
    with pytest.raises(TemplateFailed, match=why):
        read_value("k", text, quoted=True)
