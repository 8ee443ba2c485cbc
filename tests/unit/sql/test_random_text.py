"""Whatever the text: what looks for values, calls, tables and chains in it finds some or refuses it."""

import re
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowcave.api.queries import pipes
from snowcave.api.sql.calls import placed_calls
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.parser import parse, variables_in
from snowcave.api.sql.placeholders import Given
from snowcave.api.sql.service_tables import service_tables
from snowcave.model.errors import SnowcaveError

# A busy machine is no failure.
UNTIMED = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
WORDS = re.findall(
    r"\S+",
    """
    CREATE ALTER SHOW DESC SELECT CALL EXECUTE JOB SERVICE COMPUTE POOL FUNCTION IN FROM SPECIFICATION
    TABLE ( ) , ; ! . = => ->> ? :1 :2 $v $1 'text' $$spec$$ "Name" 12 -1.5 @st/x s d.s LIKE LIMIT SET
    SPCS_GET_LOGS SYSTEM$GET_SERVICE_STATUS IDENTIFIER START_TIME USING -- /* */ ' "
""",
)
TEXTS = (
    st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=25).map(" ".join) | st.text()
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
GIVEN = st.builds(
    Given, st.lists(VALUES, max_size=3), st.dictionaries(st.just("V"), VALUES, max_size=1)
)


@UNTIMED
@given(TEXTS, GIVEN)
def test_a_text_with_values_is_read_or_refused(text: str, values: Given) -> None:
    with suppress(SnowcaveError):
        variables_in(text)
        parse(text, values)


@UNTIMED
@given(TEXTS, GIVEN)
def test_calls_are_found_within_the_text_and_in_order(text: str, values: Given) -> None:
    with suppress(SnowcaveError):
        at = marks = 0
        for placed in placed_calls(text, values):
            assert at <= placed.start < placed.stop <= len(text)
            assert marks <= placed.marks.start
            at, marks = placed.stop, placed.marks.stop


@UNTIMED
@given(TEXTS)
def test_tables_are_found_within_the_text_and_in_order(text: str) -> None:
    with suppress(SnowcaveError):
        at = 0
        for table in service_tables(Cursor(text)):
            assert at <= table.start < table.stop <= len(text)
            at = table.stop


@UNTIMED
@given(TEXTS)
def test_the_statements_of_a_chain_are_its_text(text: str) -> None:
    with suppress(SnowcaveError):
        assert "->>".join(pipes.steps(text)) == text
        pipes.pointed(text, ["a"])
