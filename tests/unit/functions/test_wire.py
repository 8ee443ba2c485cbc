"""Arguments as the documents want them, and answers as texts."""

import json
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.functions import wire
from snowcave.functions.answers import BadAnswer, decode, decode_closely, join, nulls


def decoded(body, rows, returns):
    """As the only answer of its call."""
    return joined([decode(body, rows, returns)]).to_pylist()


def joined(answers, returns="VARCHAR"):
    return join(answers, lambda _, seeming: decode_closely(seeming.body, seeming.rows, returns))


def sent(array, metadata=None):
    field = pa.field("a", array.type, metadata=metadata)
    batch = pa.RecordBatch.from_arrays([array], schema=pa.schema([field]))
    return orjson.loads(wire.encode(batch))["data"]


JSON = {"snowcave.wire": "json"}


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None, -(2**63)]), [1, None, -(2**63)]),
        (pa.array([0.5, None]), [0.5, None]),
        (pa.array([True, False, None]), [True, False, None]),
        (pa.array(["a", 'q"\\', "é\u2028", None]), ["a", 'q"\\', "é\u2028", None]),
        (pa.array([Decimal("1.50"), None]), [1.5, None]),
        (pa.array([b"\xab\x00", None]), ["AB00", None]),
        (pa.array([date(2014, 1, 1), None]), ["2014-01-01", None]),
        (pa.array([time(16, 0, 1)], pa.time64("us")), ["16:00:01"]),
        (
            pa.array([datetime(2014, 1, 1, 16, tzinfo=UTC)], pa.timestamp("us")),
            ["2014-01-01 16:00:00"],
        ),
        (pa.array([{"a": [1]}, None]), [{"a": [1]}, None]),
    ],
)
def test_values_go_out_as_documented(array, expected):
    assert sent(array) == [[n, value] for n, value in enumerate(expected)]


def test_json_goes_out_as_it_is_but_for_numbers_that_json_has_not():
    texts = pa.array(["1.50", "true", '{"a":1}', None, "nan", "-inf", "inf"])
    assert sent(texts, JSON) == [
        *([0, 1.5], [1, True], [2, {"a": 1}], [3, None]),
        *([4, "NaN"], [5, "-inf"], [6, "inf"]),
    ]


@pytest.mark.parametrize(
    ("values", "returns", "expected"),
    [
        (["a", None], "VARCHAR", ["a", None]),
        ([1, "b", None, True], "VARCHAR", ["1", "b", None, "true"]),
        ([1, 2], "NUMBER(38,0)", ["1", "2"]),
        ([0.1, 1e300], "FLOAT", ["0.1", "1e+300"]),
        ([{"a": 1}, "x", None, [1]], "VARIANT", ['{"a":1}', '"x"', None, "[1]"]),
    ],
)
def test_answers_become_texts(values, returns, expected):
    body = orjson.dumps({"data": list(enumerate(values))})
    assert decoded(body, len(values), returns) == expected


def test_numbers_of_many_digits_are_not_rounded():
    body = b'{"data":[[0,12345678901234567890123],[1,0.12345678901234567890],[2,-1.5],[3,7]]}'
    exact = ["12345678901234567890123", "0.12345678901234567890", "-1.5", "7"]
    assert decoded(body, 4, "NUMBER(38,20)") == exact


@pytest.mark.parametrize(
    "data", [[[0, 1, 2]], [[True, 1]], [[0.0, 1]], ["ab"], [{"0": 1, "1": 2}], [[]], [None]]
)
def test_a_row_that_is_no_number_and_one_value_is_told(data):
    with pytest.raises(BadAnswer, match="row 0"):
        decode(orjson.dumps({"data": data}), 1, "VARCHAR")


TEXTS = st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=6)), max_size=5)
SPELLINGS = (
    lambda value: json.dumps(value, separators=(",", ":")).encode(),
    lambda value: json.dumps(value).encode(),
    lambda value: json.dumps(value, ensure_ascii=False).encode() + b"\n",
    lambda value: json.dumps(value, indent=1).encode(),
)


@given(
    values=TEXTS,
    spell=st.sampled_from(SPELLINGS),
    rows=st.integers(-1, 1),
    shift=st.sampled_from([0, 0, 1]),
)
def test_however_an_answer_is_written_it_is_read_the_same(values, spell, rows, shift):
    data = [[number + shift, value] for number, value in enumerate(values)]
    body, wanted = spell({"data": data}), max(0, len(values) + rows)
    right = wanted == len(values) and (not shift or not values)
    expected = [None if v is None else v if isinstance(v, str) else str(v) for v in values]
    try:
        assert decoded(body, wanted, "VARCHAR") == expected
    except BadAnswer:
        assert not right
    else:
        assert right


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":[[0,"a"],[2,"b"]]}',
        b'{"data":[[0,"a"],[1, "b"]}',
        b'{"date":[[0,"a"],[1,"b"]]}',
        b'{"data":[[0,"a\n"],[1,"b"]]}',
        b'{"data":[[0,"\xff"],[1,"b"]]}',
        b'{"data":[[0,"a"],[1,"b"]],"c":1',
        b'"data":[[0,"a"],[1,"b"]]}',
    ],
)
def test_an_answer_that_only_looks_right_is_refused(body):
    with pytest.raises(BadAnswer):
        decoded(body, 2, "VARCHAR")


@given(
    st.lists(st.text(max_size=40), min_size=1, max_size=40),
    st.sampled_from([None, "text", "json", "none"]),
    st.integers(1, 9),
    st.integers(20, 400),
)
def test_batches_hold_the_rows_in_their_order_within_their_limits(texts, second, most, most_bytes):
    """However the bodies are written."""
    columns = {
        "text": (pa.array([text[::-1] for text in texts]), {}),
        "json": (pa.array([str(len(text)) for text in texts]), {"snowcave.wire": "json"}),
        "none": (pa.nulls(len(texts), pa.string()), {}),
    }
    chosen = [(pa.array(texts), {}), *([columns[second]] if second else [])]
    schema = pa.schema(
        [pa.field(f"a{n}", pa.string(), metadata=m) for n, (_, m) in enumerate(chosen)]
    )
    batch = pa.RecordBatch.from_arrays([column for column, _ in chosen], schema=schema)
    found = []
    for start in (0, len(texts) // 2):  # also of columns that begin elsewhere
        found.clear()
        for size, body in wire.split(batch.slice(start), most, most_bytes):
            data = orjson.loads(body)["data"]
            assert [row[0] for row in data] == list(range(size))
            assert size <= most
            assert size == 1 or len(body) <= most_bytes
            found += [row[1:] for row in data]
        others = {
            None: [[] for _ in texts],
            "text": [[text[::-1]] for text in texts],
            "json": [[len(text)] for text in texts],
            "none": [[None] for _ in texts],
        }[second]
        assert found == [[t, *o] for t, o in zip(texts, others, strict=True)][start:]


@pytest.mark.parametrize("rows", [16_383, 16_384, 16_385, 40_000])
def test_many_rows_are_cut_at_the_same_places(rows):
    batch = pa.RecordBatch.from_arrays([pa.array([f"row {n}" for n in range(rows)])], ["a"])
    sizes, found = [], []
    for size, body in wire.split(batch, 500, 1 << 20):
        sizes.append(size)
        found += [text for _, text in orjson.loads(body)["data"]]
    assert sizes == [500] * (rows // 500) + ([rows % 500] if rows % 500 else [])
    assert found == batch.column(0).to_pylist()


def test_answers_of_both_kinds_stand_one_after_the_other():
    plain = decode(b'{"data":[[0,"a"],[1,"\xc3\xa4"]]}', 2, "VARCHAR")
    other = decode(b'{"data":[[0,null]]}', 1, "VARCHAR")
    assert joined([plain, other, plain, nulls(1)]).to_pylist() == [
        *("a", "ä"),
        None,
        *("a", "ä"),
        None,
    ]


@given(
    st.lists(st.lists(st.text(max_size=5), min_size=1, max_size=4), min_size=1, max_size=6),
    st.lists(st.sampled_from(SPELLINGS), min_size=6, max_size=6),
    st.none()
    | st.tuples(st.integers(0, 5), st.integers(0, 40), st.sampled_from(b'\x00"\\0,[\xff')),
)
def test_one_wrong_answer_among_many_is_found_and_the_others_are_read(given, spellings, wrong):
    """One byte of one answer may be another one."""
    bodies = [
        spell({"data": list(enumerate(texts))})
        for texts, spell in zip(given, spellings, strict=False)
    ]
    if wrong and wrong[0] < len(bodies) and wrong[1] < len(bodies[wrong[0]]):
        body = bytearray(bodies[wrong[0]])
        body[wrong[1]] = wrong[2]
        bodies[wrong[0]] = bytes(body)
    expected, answers = [], []
    for body, texts in zip(bodies, given, strict=True):
        try:
            one_by_one = decode_closely(body, len(texts), "VARCHAR").to_pylist()
        except BadAnswer:
            one_by_one = ["bad"]
        expected += one_by_one
        try:
            answers.append(decode(body, len(texts), "VARCHAR"))
        except BadAnswer:
            answers.append(pa.array(["bad"]))

    def closely(_, seeming):
        try:
            return decode_closely(seeming.body, seeming.rows, "VARCHAR")
        except BadAnswer:
            return pa.array(["bad"])

    assert join(answers, closely).to_pylist() == expected


def test_answers_of_more_rows_than_are_looked_at_together_are_all_read():
    texts = [f"é{n}" for n in range(40_000)]
    bodies = [
        orjson.dumps({"data": list(enumerate(texts[at : at + 9_000]))})
        for at in range(0, 40_000, 9_000)
    ]
    answers = [
        decode(body, min(9_000, 40_000 - 9_000 * n), "VARCHAR") for n, body in enumerate(bodies)
    ]
    assert joined(answers).to_pylist() == texts


def test_no_rows_give_no_body_even_without_offsets():
    """As Arrow's format allows it for an empty column."""
    nothing = pa.StringArray.from_buffers(0, pa.py_buffer(b""), pa.py_buffer(b""))
    assert list(wire.split(pa.RecordBatch.from_arrays([nothing], ["a0"]), 10, 1000)) == []


def test_long_texts_are_read_as_they_come():
    body = orjson.dumps({"data": [[0, "x" * 1000], [1, "y"]]})
    assert isinstance(decode(body, 2, "VARCHAR"), pa.Array)
    assert decoded(body, 2, "VARCHAR") == ["x" * 1000, "y"]


@pytest.mark.parametrize(
    ("value", "returns", "reason"),
    [
        ({"a": 1}, "ARRAY", 'row 1 is {"a":1}, which is no ARRAY'),
        ("x", "ARRAY(NUMBER)", 'row 1 is "x", which is no ARRAY'),
        ([1], "OBJECT", "row 1 is [1], which is no OBJECT"),
        (5, "OBJECT", "row 1 is 5, which is no OBJECT"),
    ],
)
def test_arrays_and_objects_have_to_be_some(value, returns, reason):
    good = [] if returns.startswith("ARRAY") else {}
    body = orjson.dumps({"data": [[0, good], [1, value], [2, None]]})
    with pytest.raises(BadAnswer, match=re.escape(reason)):
        decode(body, 3, returns)
    fine = orjson.dumps({"data": [[0, good], [1, None]]})
    assert decode_closely(fine, 2, returns).to_pylist() == [orjson.dumps(good).decode(), None]
