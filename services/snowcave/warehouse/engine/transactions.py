"""A client's explicit transaction, over an engine that gives up a whole one for a single failure.

Snowflake undoes the failed statement only and goes on. DuckDB's transaction is lost by then, so it is begun
again and its statements are repeated. Where that would not give what the client was told before, the
transaction is over: the client learns it from the failed statement's successors, and COMMIT fails.
"""

from collections.abc import Callable, Sequence

import duckdb
import structlog
from sqlglot import Expr, exp

from snowcave.model.errors import Kind, SnowcaveError
from snowcave.warehouse.engine.api import Context

log = structlog.get_logger()

_CHANGES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)
_DEFINITIONS = (exp.Create, exp.Drop, exp.Alter, exp.TruncateTable)
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
        if not isinstance(statement, _CHANGES):
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


class Transactions:
    """Of one connection: at most one is open. Where AUTOCOMMIT is false, a change opens one."""

    def __init__(self, duck: duckdb.DuckDBPyConnection) -> None:
        self._duck = duck
        self.open: Transaction | None = None

    def look_at(self, statement: Expr, context: Context) -> None:
        """Before it is run. Raises TransactionLost where it belongs to one that cannot go on."""
        opened = self.open
        if isinstance(statement, (exp.Commit, exp.Rollback)):
            self.open = None
            if opened and opened.lost and isinstance(statement, exp.Commit):
                raise TransactionLost
        elif opened and opened.lost:
            raise TransactionLost
        elif isinstance(statement, exp.Transaction):
            self.open = opened or self._begin()
        elif opened and isinstance(statement, _DEFINITIONS):
            # As on Snowflake: a definition commits what was open, and is a transaction of its own.
            self._duck.execute("COMMIT")
            self.open = None
        elif not opened and isinstance(statement, _CHANGES) and not _commits_by_itself(context):
            self.open = self._begin()

    def revive(self) -> None:
        """Go on with a transaction that DuckDB gave up for a failed statement."""
        opened = self.open
        if opened is None or opened.lost:
            return
        try:
            self._duck.execute("SELECT 1").fetchall()
        except duckdb.TransactionException:
            self._duck.execute("ROLLBACK")
            if not opened.begun_again(lambda: self._duck.execute("BEGIN")):
                self._duck.execute("ROLLBACK")

    def _begin(self) -> Transaction:
        self._duck.execute("BEGIN")
        return Transaction()


def _commits_by_itself(context: Context) -> bool:
    return context.parameters.get("AUTOCOMMIT") != "false"


def is_volatile(statement: Expr) -> bool:
    if statement.find(*_VOLATILE) is not None:
        return True
    names = (node.name.upper() for node in statement.find_all(exp.Anonymous))
    columns = (node.name.upper() for node in statement.find_all(exp.Column))
    return any(name in _NAMES for name in names) or "NEXTVAL" in columns
