"""What INFORMATION_SCHEMA.QUERY_HISTORY() and its kin read: the records of statements that the api keeps."""

from typing import Any

import orjson

from snowcave.api.sql.cursor import Cursor, parse_name
from snowcave.api.sql.lexer import literal
from snowcave.api.sql.query_history import QueryHistory, query_histories
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import ValueInvalid
from snowcave.v1 import state_pb2 as state

State = state.Query.State
_STATUS = {
    State.RUNNING: "RUNNING",
    State.SUCCESS: "SUCCESS",
    State.FAILED_WITH_ERROR: "FAILED_WITH_ERROR",
    State.ABORTED: "FAILED_WITH_ERROR",
}
_COLUMNS = {
    "QUERY_ID": "VARCHAR",
    "QUERY_TEXT": "VARCHAR",
    "QUERY_TYPE": "VARCHAR",
    "SESSION_ID": "NUMBER",
    "USER_NAME": "VARCHAR",
    "EXECUTION_STATUS": "VARCHAR",
    "ERROR_CODE": "VARCHAR",
    "ERROR_MESSAGE": "VARCHAR",
    "START_TIME": "TIMESTAMP_LTZ",
    "END_TIME": "TIMESTAMP_LTZ",
    "TOTAL_ELAPSED_TIME": "NUMBER",
    "ROWS_PRODUCED": "NUMBER",
}
_ROWS, _MOST_ROWS = 100, 10_000


async def read_from_records(sql: str, work: Work, *, describing: bool) -> str:
    """The statement with each such table as a query of what the caller may see of them."""
    if "QUERY_HISTORY" not in sql.upper():
        return sql
    parts: list[str] = []
    at = 0
    for found in query_histories(Cursor(sql)):
        records = [] if describing else await _records(found, work)
        parts += [sql[at : found.start], _query(found, records)]
        at = found.stop
    return "".join([*parts, sql[at:]])


async def _records(found: QueryHistory, work: Work) -> list[state.Query]:
    """Newest first. Their user sees them, and who owns that user; a service in its caller's name its own."""

    def may_see(user: int) -> bool:
        known = work.catalog.get("user", user)
        return user == work.context.user_uid or (known is not None and work.caller.owns(known))

    def is_asked_for(record: state.Query) -> bool:
        if work.caller.limits is not None and record.session != work.context.session_id:
            return False
        match found.function:
            case "QUERY_HISTORY_BY_SESSION":
                return record.session == session
            case "QUERY_HISTORY_BY_USER":
                return record.user_name == user
            case _:
                return True

    session, user = _session(found, work), _user(found, work)
    seen: dict[int, bool] = {}
    records = await work.ports.results.history()
    for record in records:
        if record.user not in seen:
            seen[record.user] = may_see(record.user)
    chosen = [one for one in records if seen[one.user] and is_asked_for(one)]
    return sorted(chosen, key=lambda one: one.started_on.ToNanoseconds(), reverse=True)


def _session(found: QueryHistory, work: Work) -> int:
    said = found.arguments.get("SESSION_ID", "").strip("' ")
    if not said or said.upper().startswith("CURRENT_SESSION"):
        return work.context.session_id
    if not said.isdigit():
        raise _wrong(found, "SESSION_ID")
    return int(said)


def _user(found: QueryHistory, work: Work) -> str:
    said = found.arguments.get("USER_NAME", "")
    if not said or said.upper().startswith("CURRENT_USER"):
        return work.context.user_name
    return parse_name(said.strip().strip("'")).name


def _wrong(found: QueryHistory, argument: str) -> ValueInvalid:
    return ValueInvalid(
        f"SQL compilation error:\nInvalid argument {argument} of function {found.function}."
    )


# ---------------------------------------------------------------- as a query


def _query(found: QueryHistory, records: list[state.Query]) -> str:
    limit = found.arguments.get("RESULT_LIMIT", str(_ROWS)).strip()
    if not limit.isdigit() or not 1 <= int(limit) <= _MOST_ROWS:
        raise _wrong(found, "RESULT_LIMIT")
    start = found.arguments.get("END_TIME_RANGE_START")
    end = found.arguments.get("END_TIME_RANGE_END")
    conditions: list[str] = []
    if start:  # what still runs ends later than that
        conditions.append(f"(END_TIME IS NULL OR END_TIME >= ({start}))")
    if end:
        conditions.append(f"END_TIME <= ({end})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    rows = records if conditions else records[: int(limit)]
    said = literal(orjson.dumps([_row(one) for one in rows]).decode())
    items = ", ".join(f'VALUE:"{name}"::{kind} AS {name}' for name, kind in _COLUMNS.items())
    told = f"(SELECT {items} FROM TABLE(FLATTEN(INPUT => PARSE_JSON({said}))))"
    return f"(SELECT * FROM {told}{where} ORDER BY START_TIME DESC LIMIT {limit})"


def _row(record: state.Query) -> dict[str, Any]:
    started, ended = moment(record.started_on), moment(record.ended_on)
    words = record.sql_text.split(maxsplit=1)
    failed = record.state in (State.FAILED_WITH_ERROR, State.ABORTED)
    values = (
        record.id,
        record.sql_text,
        words[0].upper() if words else "UNKNOWN",
        record.session,
        record.user_name,
        _STATUS[record.state],
        f"{record.error_code:06d}" if failed else None,
        record.error_message if failed else None,
        started.isoformat() if started else None,
        ended.isoformat() if ended else None,
        int((ended - started).total_seconds() * 1000) if started and ended else None,
        record.rows if record.has_result else None,
    )
    return dict(zip(_COLUMNS, values, strict=True))
