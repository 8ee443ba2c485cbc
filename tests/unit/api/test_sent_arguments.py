"""Arguments of FunctionService.Invoke: anybody makes them, so what cannot be sent on is refused in words."""

import datetime
import random
import struct
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from snowcave.api.grpc.arguments import Arguments
from snowcave.api.settings import RelaySettings
from snowcave.functions import wire
from snowcave.model.errors import ValueInvalid

SETTINGS = RelaySettings(expanded_bytes=1 << 20, rows=1000)


def as_stream(*batches: pa.RecordBatch, compression: str | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def column(values: Any, kind: pa.DataType | None = None) -> pa.RecordBatch:
    array = values if isinstance(values, pa.Array) else pa.array(values, kind)
    return pa.RecordBatch.from_arrays([array], ["a"])


def passed(stream: bytes, *declared: str) -> list[pa.RecordBatch]:
    """What a router reads of it."""
    found: list[pa.RecordBatch] = []
    for rows, message in Arguments(declared or ["VARCHAR"], SETTINGS).record_batches(stream):
        (batch,) = pa.ipc.open_stream(message)
        assert batch.num_rows == rows
        found.append(batch)
    return found


def refused(stream: bytes, *declared: str) -> str:
    return refused_of(declared or ["VARCHAR"], stream)


def refused_of(declared: Sequence[str], stream: bytes) -> str:
    with pytest.raises(ValueInvalid) as error:
        Arguments(declared, SETTINGS).record_batches(stream)
    return error.value.message


def test_one_batch_is_handed_on_as_it_came_and_several_one_by_one():
    one, two, none = column(["x", None]), column(["y"] * 3), column([], pa.string())
    arguments = Arguments(["VARCHAR"], SETTINGS)
    assert arguments.record_batches(as_stream(one)) == [(2, as_stream(one))]
    sent = passed(as_stream(one, none, two))
    assert [batch.column(0) for batch in sent] == [batch.column(0) for batch in (one, none, two)]
    empty = pa.BufferOutputStream()
    pa.ipc.new_stream(empty, one.schema).close()
    assert passed(empty.getvalue().to_pybytes()) == []


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_ones_are_handed_on_as_they_are_read(compression: str):
    few = column(["x" * 100] * 100)
    ((rows, message),) = Arguments(["VARCHAR"], SETTINGS).record_batches(
        as_stream(few, compression=compression)
    )
    assert (rows, len(message)) == (100, len(as_stream(few)))
    assert pa.ipc.open_stream(message).read_all().column(0).combine_chunks() == few.column(0)


@pytest.mark.parametrize("compression", ["lz4", "zstd", None])
def test_a_few_bytes_that_become_many_are_refused_unread(compression: str | None):
    bomb = as_stream(column(["x" * (2 << 20)]), compression=compression)
    before = pa.total_allocated_bytes()
    assert refused(bomb) == "The arguments of one message are larger than 1 MB."
    assert refused(as_stream(*[column(["x" * 300_000])] * 4, compression=compression))
    assert pa.total_allocated_bytes() - before < 1 << 20


def test_a_length_that_is_a_lie_is_refused():
    text = "x" * 5000
    good, told = as_stream(column([text]), compression="zstd"), struct.pack("<q", len(text))
    before, _, after = good.rpartition(told)
    for lie in (1 << 62, 4000, 6000, -2):
        refused(before + struct.pack("<q", lie) + after)


def test_buffers_in_one_place_count_each():
    text = "x" * 300_000
    twice = pa.RecordBatch.from_arrays([pa.array([text])] * 4, list("abcd"))
    assert "larger than" in refused(as_stream(twice), *["VARCHAR"] * 4)


def test_texts_that_lead_out_of_their_message_are_refused():
    good, offsets = as_stream(column(["x" * 64])), struct.pack("<ii", 0, 64)
    before, _, after = good.rpartition(offsets)  # the header has the same numbers
    assert refused(before + struct.pack("<ii", 0, 1 << 20) + after) == (
        "The arguments are not an Arrow stream."
    )
    assert len(passed(good)) == 1


def test_rows_that_take_no_bytes_have_a_bound():
    nothing = as_stream(column(pa.Array.from_buffers(pa.null(), 1 << 30, [None])))
    told = struct.pack("<q", 1 << 30)
    for rows in (1 << 30, 1 << 62):
        said = refused(nothing.replace(told, struct.pack("<q", rows)))
        assert said == "A record batch of arguments has 1000 rows at most."
    refused(nothing.replace(told, struct.pack("<q", -1)))
    place = pa.array([0, 1 << 30], pa.int32()).buffers()[1]
    of_nothing = pa.Array.from_buffers(pa.null(), 1 << 30, [None])
    lists = pa.Array.from_buffers(pa.list_(pa.null()), 1, [None, place], children=[of_nothing])
    assert refused(as_stream(column(lists)), "ARRAY") == "Argument 1 has more than 1000 elements."


@pytest.mark.parametrize("number", [0, 2])
def test_a_column_is_sent_for_each_argument(number: int):
    batch = pa.RecordBatch.from_pydict({f"a{n}": ["x"] for n in range(number)})
    said = "0 columns" if number == 0 else "2 columns"
    assert refused(as_stream(batch)) == f"The function takes 1 argument, but the rows have {said}."


def test_rows_of_a_function_without_arguments_have_no_columns():
    rows = column(pa.nulls(7)).select([])
    ((count, message),) = Arguments([], SETTINGS).record_batches(as_stream(rows))
    (read,) = pa.ipc.open_stream(message)
    assert (count, read.num_rows) == (7, 7)
    assert "takes 0 arguments" in refused_of([], as_stream(column(["x"])))


NOW = datetime.datetime.fromisoformat("2026-01-02T03:04:05.000006")
SENT: list[tuple[pa.Array, str]] = [
    (pa.array([1, None], pa.int8()), "NUMBER(38,0)"),
    (pa.array([1 << 63], pa.uint64()), "NUMBER(38,0)"),
    (pa.array([Decimal("1.50")]), "NUMBER(10,2)"),
    (pa.array([0.5, float("nan")]), "FLOAT"),
    (pa.array([True, None]), "BOOLEAN"),
    (pa.array(["x"], pa.large_string()), "VARCHAR(10)"),
    (pa.array([b"\x00"]), "BINARY"),
    (pa.array([NOW.date()]), "DATE"),
    (pa.array([NOW.time()]), "TIME(9)"),
    (pa.array([NOW], pa.timestamp("ns")), "TIMESTAMP_NTZ(9)"),
    (pa.array([NOW], pa.timestamp("us", "Europe/Berlin")), "TIMESTAMP_TZ(9)"),
    (pa.nulls(2), "DATE"),
    (pa.array([{"a": [1, None], "b": {"c": "x"}}]), "VARIANT"),
    (pa.array([["x"], []]), "ARRAY"),
]


@pytest.mark.parametrize(
    ("values", "declared"), SENT, ids=lambda one: str(getattr(one, "type", one))
)
def test_what_is_passed_on_can_be_sent(values: pa.Array, declared: str):
    (read,) = passed(as_stream(column(values)), declared)
    assert read.column(0).equals(values) or declared == "FLOAT"
    assert wire.encode(read).startswith(b'{"data":[[0,')


@pytest.mark.parametrize(
    ("values", "declared", "kind"),
    [
        (pa.array([["x"]]), "VARCHAR", "list<item: string>"),
        (pa.array([{"a": 1}]), "NUMBER", "struct<a: int64>"),
        (pa.array([[b"x"]]), "ARRAY", "list<item: binary>"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "OBJECT", "map<string, int64>"),
        (pa.StructArray.from_arrays([pa.array([1])] * 2, ["a", "a"]), "VARIANT", "struct<a: int64, a"),
        (pa.array([datetime.timedelta(1)]), "NUMBER", "duration[us]"),
        (pa.array([b"xy"], pa.binary(2)), "BINARY", "fixed_size_binary[2]"),
        (pa.array(["x"], pa.string_view()), "VARCHAR", "string_view"),
        (pa.array([0.5], pa.float16()), "FLOAT", "halffloat"),
        (pa.RunEndEncodedArray.from_arrays([1000], ["x"]), "VARCHAR", "run_end_encoded"),
    ],
    ids=lambda one: str(getattr(one, "type", one)),
)  # fmt: skip
def test_what_has_no_form_in_json_is_named(values: pa.Array, declared: str, kind: str):
    said = refused(as_stream(column(values)), declared)
    assert said.startswith(f"Argument 1 is {declared}: Arrow's {kind}")
    assert said.endswith("cannot be sent for it.")


def test_a_dictionary_is_to_be_decoded_first():
    coded = as_stream(column(pa.array(["x", "x"]).dictionary_encode()))
    assert refused(coded) == "Arguments are sent without dictionaries: decode them first."


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1], pa.int64()).cast(pa.timestamp("ns")),
        pa.array([1 << 62], pa.int64()).cast(pa.timestamp("us")),
        pa.array([1], pa.int64()).cast(pa.time64("ns")),
        pa.array([(1 << 31) - 1], pa.int32()).cast(pa.date32()),
        pa.array([1], pa.int64()).cast(pa.timestamp("us", "Nowhere/Never")),
    ],
    ids=lambda one: str(one.type),
)
def test_times_that_python_has_not_are_sent_as_texts(values: pa.Array):
    assert "Send them as texts." in refused(as_stream(column(values)), "TIMESTAMP_NTZ")


def test_nobody_says_that_a_text_is_json_already():
    noted = pa.schema([pa.field("a", pa.string(), metadata={wire.WIRE: b"json"})])
    batch = pa.RecordBatch.from_arrays([pa.array(['"], [1, "x'])], schema=noted)
    (read,) = passed(as_stream(batch))
    assert wire.encode(read) == rb'{"data":[[0,"\"], [1, \"x"]]}'


def damaged(rng: random.Random, streams: Iterable[bytes], times: int) -> Iterable[bytes]:
    for stream in streams:
        for _ in range(times):
            bytes_ = bytearray(stream)
            for _ in range(rng.randint(1, 4)):
                bytes_[rng.randrange(len(bytes_))] = rng.choice(
                    (0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256))
                )
            yield bytes(bytes_[: rng.choice((len(bytes_), rng.randrange(len(bytes_))))])


def test_damaged_streams_are_refused_or_can_be_sent():
    """Nothing else comes of them, whatever the damage is."""
    rng = random.Random(7)
    batch = pa.RecordBatch.from_pydict(
        {"t": ["x" * n for n in range(9)], "v": [[n] for n in range(9)]}
    )
    streams = [
        as_stream(batch),
        as_stream(batch, compression="zstd"),
        as_stream(batch, batch, compression="lz4"),
    ]
    read = 0
    for stream in damaged(rng, streams, 300):
        try:
            sent = passed(stream, "VARCHAR", "ARRAY")
        except ValueInvalid:
            continue
        for one in sent:
            wire.encode(one)
            read += 1
    assert read > 10
