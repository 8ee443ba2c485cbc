"""Whatever the text is, reading it takes a number of steps that grows with its length, and no recursion.

Steps are calls of functions, ours and C's, so nothing here depends on the machine. A search that backtracks
would not show in them; on the long texts below it would never end.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowcave.api.sql import lexer
from snowcave.api.sql.calls import placed_calls
from snowcave.api.sql.parser import parse
from snowcave.model.errors import SnowcaveError
from tests.kit.statement_corpus import STATEMENTS

# A call takes about a tenth of a microsecond: fifty milliseconds a kilobyte are some hundred times as many.
STEPS_PER_CHARACTER = 60
STEPS_AT_LEAST = 1_000
# Pieces of which hostile texts are made, each repeated.
HOSTILE = [
    *(
        "(",
        ")",
        "((",
        ",",
        ".",
        "a.",
        "=",
        "=>",
        "-",
        "@",
        "@a",
        '@"',
        '""',
        "''",
        "$",
        "$$",
        "\\",
    ),
    *(
        "a",
        "a ",
        "1",
        "1.",
        "1e",
        "/*",
        "*/",
        "/**/",
        "--\n",
        "//",
        ";",
        "\n",
        " ",
        "!",
        "a!b ",
        "é",
        "\0",
    ),
    *(
        "file://",
        "'file://' ",
        "IDENTIFIER('a')",
        "IDENTIFIER(",
        "SYSTEM$GET_TAG(",
        "SYSTEM$GET_TAG(1,",
    ),
    *(
        "COMMENT = 'x' ",
        "TAG (t = 'v') ",
        "t = 'v', ",
        "(1, ",
        "CREATE ",
        "NOT ",
        "IF EXISTS ",
        "ON ",
    ),
]
OPENINGS = [
    *(
        "",
        "SELECT ",
        "CREATE SERVICE ",
        "CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION ",
        "PUT ",
    ),
    *(
        "GET @st ",
        "LIST ",
        "ALTER SESSION SET ",
        "ALTER SERVICE s SET ",
        "CREATE FUNCTION f(",
        "SHOW ",
    ),
    *(
        "GRANT ",
        "CALL ",
        "CREATE SERVICE s USING (",
        "CREATE STAGE s ENCRYPTION = (",
        "SHOW SERVICES IN ",
    ),
    *("EXECUTE JOB SERVICE NAME = ", "CREATE TAG t ALLOWED_VALUES ", "ALTER TAG t SET TAG "),
]


@contextmanager
def counted() -> Generator[list[int]]:
    """The number of calls made within."""
    steps = [0]

    def step(_frame: object, event: str, _what: object) -> None:
        if event in ("call", "c_call"):
            steps[0] += 1

    sys.setprofile(step)
    try:
        yield steps
    finally:
        sys.setprofile(None)


def steps_of(sql: str) -> int:
    """Raises what is no refusal in words."""
    with counted() as steps, suppress(SnowcaveError):
        parse(sql)
    with counted() as more, suppress(SnowcaveError):
        list(placed_calls(sql))
    with counted() as split, suppress(SnowcaveError):
        lexer.split(sql)
    return max(steps[0], more[0], split[0])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*OPENINGS, *HOSTILE]) | st.text(max_size=8)).map("".join))
def test_random_text_takes_steps_in_proportion_to_its_length(sql: str) -> None:
    assert steps_of(sql) <= STEPS_AT_LEAST + STEPS_PER_CHARACTER * len(sql)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(STATEMENTS), st.data())
def test_a_statement_with_something_changed_is_read_or_refused(
    sql: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(sql)))
    stop = data.draw(st.integers(start, len(sql)))
    changed = sql[:start] + data.draw(st.sampled_from(HOSTILE) | st.text(max_size=4)) + sql[stop:]
    assert steps_of(changed) <= STEPS_AT_LEAST + STEPS_PER_CHARACTER * len(changed)


@pytest.mark.parametrize("opening", OPENINGS)
def test_twice_the_text_takes_twice_the_steps(opening: str) -> None:
    for piece in HOSTILE:
        short, long = (steps_of(opening + piece * (size // len(piece))) for size in (300, 600))
        assert long <= 2.2 * short + 200, (opening, piece)


@pytest.mark.parametrize(
    "piece", ["(", "a ", "file://", "''", '@"', "SYSTEM$GET_TAG(1,", "x" * 40]
)
def test_a_megabyte_of_anything_is_read_or_refused(piece: str) -> None:
    with suppress(SnowcaveError):
        parse("PUT " + piece * (1_000_000 // len(piece)))
