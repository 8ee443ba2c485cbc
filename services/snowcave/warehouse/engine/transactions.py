"""A client's explicit transaction, over an engine that gives up a whole one for a single failure.

Snowflake undoes the failed statement only and goes on. DuckDB's transaction is lost by then, so it is begun
again and its statements are repeated. Where that would not give what the client was told before, the
transaction is over: the client learns it from the failed statement's successors, and COMMIT fails.
"""

from collections.abc import Callable, Sequence

import structlog
from sqlglot import Expr, exp

from snowcave.model.errors import Kind, SnowcaveError

log = structlog.get_logger()

CHANGES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
DEFINITIONS = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)
# What gives something else when it is run again.
_VOLATILE = (
    exp.Rand,
    exp.Randn,
    exp.Uuid,
    exp.Uniform,
    exp.NextValueFor,
    exp.CurrentTimestamp,
    exp.CurrentDate,
    exp.CurrentTime,
)
_NAMES = {"RANDSTR", "UUID_STRING", "SYSDATE", "SYSTIMESTAMP", "SEQ4", "SEQ8", "RANDOM", "NEXTVAL"}
_MOST = 500


class TransactionLost(SnowcaveError):
    """A statement failed, and what came before it in the transaction cannot be repeated."""

    kind = Kind.CONFLICT
    code = 90236
    sqlstate = "55000"

    def __init__(self) -> None:
        super().__init__(
            "The transaction was rolled back, as a statement in it failed and the ones before it could "
            "not be repeated. ROLLBACK ends it."
        )


class Transaction:
    def __init__(self) -> None:
        # What runs a statement again and answers how many rows it changed; how many it was.
        self._repeats: list[tuple[Callable[[], int], int]] = []
        self._repeatable = True
        self.lost = False

    def succeeded(
        self, statement: Expr, again: Callable[[], int], changed: int, functions: Sequence[object]
    ) -> None:
        """`functions`: of services, which are not called twice for one statement."""
        if not isinstance(statement, CHANGES):
            return
        if is_volatile(statement) or functions or len(self._repeats) >= _MOST:
            self._repeatable = False
        self._repeats.append((again, changed))

    def begun_again(self, begin: Callable[[], object]) -> bool:
        """After a failure; where it answers False, what was begun is to be rolled back."""
        self.lost = True
        begin()
        if not self._repeatable:
            return False
        try:
            self.lost = any(again() != changed for again, changed in self._repeats)
        except Exception as error:  # whatever it is: the transaction cannot go on
            log.info("transaction_lost", reason=str(error))
        return not self.lost


def is_volatile(statement: Expr) -> bool:
    if statement.find(*_VOLATILE) is not None:
        return True
    names = (node.name.upper() for node in statement.find_all(exp.Anonymous))
    columns = (node.name.upper() for node in statement.find_all(exp.Column))
    return any(name in _NAMES for name in names) or "NEXTVAL" in columns
