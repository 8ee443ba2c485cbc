"""EXECUTE JOB SERVICE in every spelling, and the functions that every service has."""

import itertools

import pytest

from snowcave.api.sql.parser import parse
from snowcave.api.sql.tree import ExecuteJob, ServiceCall, SpecSource, SystemCall
from snowcave.model.errors import SyntaxInvalid, ValueInvalid
from snowcave.model.names import ObjectName

CLAUSES = (
    "IN COMPUTE POOL p",
    "NAME = db.sch.j1",
    "FROM SPECIFICATION $$spec$$",
    "ASYNC = TRUE",
    "REPLICAS => 2",
)


@pytest.mark.parametrize("order", list(itertools.permutations(CLAUSES)))
def test_clauses_may_come_in_any_order(order: tuple[str, ...]) -> None:
    found = parse(" ".join(("EXECUTE JOB SERVICE", *order, ";")))
    assert isinstance(found, ExecuteJob)
    assert (found.name, found.compute_pool) == (ObjectName("J1", "SCH", "DB"), "P")
    assert found.source == SpecSource(text="spec")
    assert (found.options.boolean("ASYNC"), found.options.integer("REPLICAS")) == (True, 2)


def test_a_job_as_the_cli_writes_it() -> None:
    found = parse(
        'EXECUTE JOB SERVICE\nIN COMPUTE POOL p1\nFROM SPECIFICATION $$\n{"spec": {}}\n$$\n'
        "NAME = j1\nASYNC = TRUE\nREPLICAS = 2\nEXTERNAL_ACCESS_INTEGRATIONS = (e1)\n"
        "QUERY_WAREHOUSE = wh\nCOMMENT = 'c'"
    )
    assert isinstance(found, ExecuteJob)
    assert found.options.names("EXTERNAL_ACCESS_INTEGRATIONS") == ("E1",)
    assert found.options.object_name("QUERY_WAREHOUSE") == ObjectName("WH")
    assert found.options.text("COMMENT") == "c"


def test_a_job_as_the_tutorial_writes_it() -> None:
    found = parse(
        "EXECUTE JOB SERVICE IN COMPUTE POOL tutorial_compute_pool NAME=tutorial_2_job_service "
        "FROM @tutorial_stage SPEC='my_job_spec.yaml';"
    )
    assert isinstance(found, ExecuteJob)
    assert found.source.stage
    assert found.source.file == "my_job_spec.yaml"


def test_a_job_needs_no_name() -> None:
    found = parse("execute job service in compute pool p from specification 'x'")
    assert isinstance(found, ExecuteJob)
    assert found.name is None


@pytest.mark.parametrize(
    "rest",
    [
        "FROM SPECIFICATION 'x'",
        "IN COMPUTE POOL p",
        "IN COMPUTE POOL p IN COMPUTE POOL q FROM SPECIFICATION 'x'",
        "IN COMPUTE POOL p FROM SPECIFICATION 'x' FROM SPECIFICATION 'x'",
        "IN COMPUTE POOL p NAME=a NAME=b FROM SPECIFICATION 'x'",
        "IN COMPUTE POOL p FROM SPECIFICATION 'x' nonsense",
    ],
)
def test_what_is_no_job_is_a_syntax_error(rest: str) -> None:
    with pytest.raises(SyntaxInvalid):
        parse(f"EXECUTE JOB SERVICE {rest}")


def test_a_job_has_no_properties_of_a_service() -> None:
    with pytest.raises(ValueInvalid, match="AUTO_SUSPEND_SECS"):
        parse("EXECUTE JOB SERVICE IN COMPUTE POOL p AUTO_SUSPEND_SECS=300 FROM SPECIFICATION 'x'")


def test_functions_of_services_and_of_jobs() -> None:
    assert parse("CALL db.sch.svc!SPCS_WAIT_FOR('DONE', 10);") == ServiceCall(
        ObjectName("SVC", "SCH", "DB"), "SPCS_WAIT_FOR", ("DONE", 10)
    )
    assert parse("CALL SYSTEM$CANCEL_JOB('j')") == SystemCall(
        "SYSTEM$CANCEL_JOB", ("j",), "SYSTEM$CANCEL_JOB"
    )
    assert parse("CALL some_procedure('x')") is None
