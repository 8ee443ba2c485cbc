"""EXECUTE JOB SERVICE, whose clauses may come in any order, and CALL service!SPCS_… ."""

from snowcave.api.sql import properties
from snowcave.api.sql.calls import literal
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.options import read_options
from snowcave.api.sql.services import source_clauses
from snowcave.api.sql.tree import ExecuteJob, ServiceCall, SpecSource

# Functions that every service has.
SERVICE_FUNCTIONS = ("SPCS_WAIT_FOR",)


def execute_job(cursor: Cursor) -> ExecuteJob:
    cursor.expect("EXECUTE", "JOB", "SERVICE")
    pools: list[str] = []
    sources: list[SpecSource] = []

    def in_pool(cursor: Cursor) -> None:
        if pools:
            raise cursor.unexpected()
        cursor.expect("IN", "COMPUTE", "POOL")
        pools.append(cursor.plain_name())

    clauses = {"IN": in_pool, **source_clauses(sources)}
    options = read_options(cursor, "SERVICE", properties.JOB, clauses)
    cursor.end()
    if not pools:
        raise cursor.unexpected("IN COMPUTE POOL")
    if not sources:
        raise cursor.unexpected("FROM SPECIFICATION")
    return ExecuteJob(options.object_name("NAME"), pools[0], sources[0], options)


def at_service_call(cursor: Cursor) -> bool:
    """Whether CALL is followed by one of the functions that every service has."""
    mark = cursor.mark()
    cursor.expect("CALL")
    while cursor.peek().is_name or cursor.at("."):
        cursor.take()
    found = cursor.accept("!") and cursor.at_one(*SERVICE_FUNCTIONS)
    cursor.reset(mark)
    return found


def service_call(cursor: Cursor) -> ServiceCall:
    cursor.expect("CALL")
    service = cursor.name()
    cursor.expect("!")
    function = cursor.one_of(*SERVICE_FUNCTIONS)
    arguments = cursor.in_parentheses(lambda: literal(cursor))
    cursor.end()
    return ServiceCall(service, function, arguments)
