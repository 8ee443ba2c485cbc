"""Queries in DuckDB's words by what the client wrote, so that one sent again is not translated again.

A translation depends on the text, on who asks and where, and on what the tables and functions in reach look
like. So a session's plans hold for one context, and until any session has defined anything anew; they are for
queries alone, and for none whose meaning changes from one time to the next.
"""

import math
import re
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import duckdb
from sqlglot import Expr, exp

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import Context

# Results and statements of the session, stages and variables: another thing every time.
_CHANGING = re.compile(r"RESULT_SCAN|LAST_QUERY_ID|[@$?]", re.IGNORECASE)
_LONGEST = 16_384
# These leave all definitions as they are.
_HARMLESS = (
    *(exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.TruncateTable),
    # A definition is a transaction of its own, so the end of another one undoes none.
    *(exp.Show, exp.Describe, exp.Use, exp.Set, exp.Transaction, exp.Commit, exp.Rollback),
)


class Definitions:
    """Counts what may have changed a table, a view or a function, in whatever session."""

    def __init__(self) -> None:
        self.number = 1

    def changed(self) -> None:
        self.number += 1


@dataclass(slots=True)
class Plan:
    """`sql` is DuckDB's. The rest is as it was the last time: columns by name and type, rows, seconds."""

    sql: str
    # By DuckDB, which takes a third of its time for a small query to read it.
    parsed: duckdb.Statement | None = None
    types: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    described: tuple[pb.ColumnType, ...] = ()
    are_plain: bool = False
    rows: int = 0
    seconds: float = math.inf


class Plans:
    """Of one session."""

    def __init__(self, definitions: Definitions, most: int) -> None:
        self.definitions = definitions
        self._most = most
        self._kept: OrderedDict[str, tuple[int, Plan]] = OrderedDict()
        self._context = Context()

    def find(self, sql: str, context: Context) -> Plan | None:
        self._stand_in(context)
        found = self._kept.get(sql)
        if found is None:
            return None
        if found[0] != self.definitions.number:
            del self._kept[sql]
            return None
        self._kept.move_to_end(sql)
        return found[1]

    def keep(self, sql: str, context: Context, as_of: int, plan: Plan) -> None:
        """`as_of`: the definitions' number before the translation, which may have missed what came later."""
        self._stand_in(context)
        self._kept[sql] = (as_of, plan)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, sql: str) -> None:
        self._kept.pop(sql, None)

    def _stand_in(self, context: Context) -> None:
        context = replace(context, last_query_id="")
        if context != self._context:
            self._kept.clear()
            self._context = context


def is_lasting(statement: Expr, sql: str) -> bool:
    """Whether the same text, sent again under the same circumstances, means the same."""
    return (
        isinstance(statement, exp.Query)
        and len(sql) <= _LONGEST
        and _CHANGING.search(sql) is None
        and statement.find(exp.Into, exp.Placeholder) is None
    )


def defines(statement: Expr) -> bool:
    """Whether it may change what other statements mean."""
    return not isinstance(statement, _HARMLESS)
