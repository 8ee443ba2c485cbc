"""The table of statements itself: complete, and able to fail."""

import re
from collections import Counter

import pytest

from tests.kit.statement_table import FAMILIES
from tests.kit.statement_table.records import (
    KNOWN,
    Answer,
    Columns,
    Expectation,
    Holds,
    Listed,
    Refused,
    Rows,
    Without,
    documented,
)

ANSWER = Answer(columns=["name", "count"], rows=[["A", 1], ["B", None]])
ERROR = Answer(errno=2003, sqlstate="02000", message="Service 'X' does not exist.")


def test_the_table_holds_enough_statements_for_both_connectors():
    assert sum(len(family.statements) for family in FAMILIES) >= 400
    assert sum(len(family.statements) for family in FAMILIES if family.smoke) >= 60


def test_every_statement_says_what_it_expects_and_from_where():
    for family in FAMILIES:
        for statement in family.statements:
            assert statement.expected, statement.sql
            needs_source = statement.marker in ("validated", "deviates")
            assert bool(statement.source) == needs_source, statement.sql


def test_families_have_names_of_their_own():
    assert max(Counter(family.name for family in FAMILIES).values()) == 1


@pytest.mark.parametrize(
    "met",
    [
        Columns("name count"),
        Rows([("A", 1), (KNOWN, None)]),
        Holds({"name": "B", "count": None}),
        Listed(["A", re.compile("[B-D]")]),
        Without("C"),
    ],
)
def test_an_expectation_is_met_by_what_it_names(met: Expectation):
    assert met.unmet(ANSWER) == ""


@pytest.mark.parametrize(
    "broken",
    [
        Columns("count name"),
        Rows([("A", 1)]),
        Rows([("A", 1), ("B", KNOWN)]),
        Rows([("A", True), ("B", None)]),
        Holds({"name": "B", "count": 1}),
        Holds({"name": "A", "owner": None}),
        Holds({"name": "A"}, only=True),
        Listed(["B", "A"]),
        Without("A"),
        Refused(2003, "02000", "does not exist"),
    ],
)
def test_an_expectation_names_what_is_otherwise(broken: Expectation):
    assert broken.unmet(ANSWER)


def test_a_refusal_is_told_apart_by_number_state_and_text():
    assert not Refused(2003, "02000", "'X' does not exist").unmet(ERROR)
    assert Refused(2002, "02000", "'X' does not exist").unmet(ERROR)
    assert Refused(2003, "42000", "'X' does not exist").unmet(ERROR)
    assert Refused(2003, "02000", re.compile("Y")).unmet(ERROR)


def test_an_error_is_never_taken_for_rows():
    assert documented("SHOW SERVICES", Without("A")).unmet(ERROR)
