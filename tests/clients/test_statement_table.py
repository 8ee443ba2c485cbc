"""The table of statements, run through Snowflake's connector: each statement is a case of its own.

One pass runs a family's statements in one session and records what they answer; the cases look at that, so
a statement that fails does not hide the ones behind it.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.kit.clients import CONNECTOR4, CONNECTOR5
from tests.kit.mesh import Connector, Snowcave
from tests.kit.statement_table import FAMILIES
from tests.kit.statement_table.records import Answer, Family, Statement

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
SMOKE = [family for family in FAMILIES if family.smoke]
Answers = dict[str, list[Answer]]


def cases(families: list[Family]) -> list[Any]:
    return [
        pytest.param(
            family.name,
            place,
            marks=getattr(pytest.mark, statement.marker),
            id=f"{family.name}-{place}-{' '.join(statement.sql.split())[:60]}",
        )
        for family in families
        for place, statement in enumerate(family.statements)
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the statements PUT."""
    folder = tmp_path_factory.mktemp("files")
    for family in FAMILIES:
        for name, text in family.files.items():
            (folder / name).write_text(text)
    return folder


def answered(connector: Connector, cave: Snowcave, families: list[Family], files: Path) -> Answers:
    order = {
        "connect": cave.api(),
        "families": [
            {
                "name": family.name,
                "role": family.role,
                "statements": [
                    statement.sql.replace("{folder}", str(files))
                    for statement in family.statements
                ],
            }
            for family in families
        ],
    }
    told = connector.feed("families.py", order)["answers"]
    return {name: [Answer(**answer) for answer in answers] for name, answers in told.items()}


@pytest.fixture(scope="module")
def by_connector4(tutorial: Snowcave, files: Path) -> Answers:
    return answered(CONNECTOR4, tutorial, FAMILIES, files)


@pytest.fixture(scope="module")
def by_connector5(tutorial: Snowcave, by_connector4: Answers, files: Path) -> Answers:
    """After the other one: the families' objects have the same names."""
    return answered(CONNECTOR5, tutorial, SMOKE, files)


def statement_at(family: str, place: int) -> Statement:
    return next(one for one in FAMILIES if one.name == family).statements[place]


@pytest.mark.parametrize(("family", "place"), cases(FAMILIES))
def test_a_statement_is_answered_as_on_snowflake(
    by_connector4: Answers, family: str, place: int
) -> None:
    assert statement_at(family, place).unmet(by_connector4[family][place]) == []


@pytest.mark.parametrize(("family", "place"), cases(SMOKE))
def test_the_newest_connector_sees_the_same(
    by_connector5: Answers, family: str, place: int
) -> None:
    assert statement_at(family, place).unmet(by_connector5[family][place]) == []
