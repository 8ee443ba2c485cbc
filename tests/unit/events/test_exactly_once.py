"""Which rows of an append are new: by the marks of their sources, whatever order they come in."""

from hypothesis import given
from hypothesis import strategies as st

from snowcave.events import intake, once
from snowcave.events.rows import Marks, stored
from snowcave.v1 import events_pb2 as v1

# Source, generation and offset of a row. No source: no key.
Row = tuple[str, int, int]
ROWS = st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 2), st.integers(0, 5))
SOURCES = ["", "a", "b"]


def request(lines: list[Row], rows: list[Row]) -> v1.AppendRequest:
    """A row's value is what it is."""
    made = v1.AppendRequest(resources=[v1.Resource(service=7, source=one) for one in SOURCES])
    values: list[bytes] = []
    for source, generation, offset in lines:
        made.lines.kind.append(len(made.lines.kinds))
        made.lines.kinds.add(resource=SOURCES.index(source), file_generation=generation)
        made.lines.offset.append(offset)
        made.lines.timestamp.append(0)
        values.append(f'"{source} {generation} {offset}"'.encode())
        made.lines.value_length.append(len(values[-1]))
    made.lines.value = b"".join(values)
    for source, generation, offset in rows:
        made.rows.add(
            resource=SOURCES.index(source),
            file_generation=generation,
            offset=offset,
            value=f'"{source} {generation} {offset}"',
        )
    return made


def expected(rows: list[Row], marks: Marks) -> list[str]:
    """One after the other; moves the marks."""
    found: list[str] = []
    for source, *key in rows:
        mark = marks.get(source)
        if source and mark is not None and (key[0], key[1]) <= mark:
            continue
        if source:
            marks[source] = (key[0], key[1])
        found.append(f'"{source} {key[0]} {key[1]}"')
    return found


@given(
    st.lists(st.tuples(st.lists(ROWS, max_size=6), st.lists(ROWS, max_size=3)), max_size=3),
    st.dictionaries(st.sampled_from(["a", "b"]), st.tuples(st.integers(0, 2), st.integers(0, 5))),
)
def test_of_appends_together_the_same_rows_are_new_as_of_their_rows_one_by_one(
    appends: list[tuple[list[Row], list[Row]]], marks: Marks
):
    told = [intake.read(request(*one)) for one in appends]
    fresh = once.select_new(told, marks)
    reached = dict(marks)
    want = [value for lines, rows in appends for value in expected([*lines, *rows], reached)]
    got = stored(fresh.frame).column("value").to_pylist() if fresh.frame else []
    assert got == want
    assert {**marks, **fresh.marks} == reached
    assert fresh.doubled == sum(map(len, told)) - len(want)
