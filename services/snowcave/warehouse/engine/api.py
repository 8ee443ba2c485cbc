"""What the warehouse asks of a SQL engine, so that another one can take DuckDB's place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.event_tables.bounds import EventBounds
from snowcave.warehouse.event_tables.table import Moment


@dataclass(frozen=True, slots=True)
class OwnEventTable:
    """An event table of the account's own. `number`: what its rows bear; `owner`: uid of its role."""

    uid: int
    number: int
    owner: int = 0
    owner_name: str = ""
    comment: str = ""
    # Microseconds since 1970.
    created_on: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What a statement's context functions answer, and where unqualified names are looked up."""

    session: int = 0
    user: str = ""
    role: str = ""
    warehouse: str = ""
    database: str = ""
    schema: str = ""
    account: str = ""
    organization: str = ""
    client_app: str = ""
    client_version: str = ""
    last_query_id: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    # uid of the role: what the statement makes is its.
    role_uid: int = 0
    # The text that is being run, for services that are told of it.
    statement: str = ""
    # uid of the user, who alone reads again what the statement answers.
    user_uid: int = 0
    # (database, schema) that the roles may use, with their privileges on them; None: all, and no object is
    # looked at.
    schemas: Mapping[tuple[str, str], frozenset[str]] | None = None
    # Roles that count, closed over their hierarchy, and what they hold, by the object's uid.
    roles: frozenset[int] = frozenset()
    held: Mapping[int, frozenset[str]] = field(default_factory=dict[int, frozenset[str]])
    # By (database, schema, name), those that the statement may name.
    event_tables: Mapping[tuple[str, str, str], OwnEventTable] = field(
        default_factory=dict[tuple[str, str, str], OwnEventTable]
    )


class ArrowRows(Protocol):
    """A pyarrow table, or what comes batch by batch; it may be read more than once."""

    @property
    def schema(self) -> pa.Schema: ...

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows that a statement may read under a name that holds for this statement only."""

    name: str
    table: ArrowRows
    # Columns that hold JSON texts.
    variants: frozenset[str] = frozenset()
    # In the engine's own words; given, it takes the table's place.
    query: str = ""


@dataclass(frozen=True, slots=True)
class ArrowFunction:
    """A function that DuckDB calls with Arrow arrays of texts and that answers with one."""

    name: str
    arity: int
    call: Callable[..., pa.Array]
    # Whether the engine may take equal calls for equal values, and make them when it likes.
    stable: bool = False
    # What plans call it.
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A statement's rows, in the Arrow types that `types.normalise` promises."""

    table: pa.Table
    columns: tuple[pb.ColumnType, ...]
    statement_type: int
    rows_affected: int
    database: str
    schema: str
    # Tables and the like that the statement made.
    made: tuple[pb.WarehouseObject, ...] = ()


class Reader(Protocol):
    """Rows of a query, batch by batch. Blocking: call from the engine's threads."""

    @property
    def names(self) -> list[str]: ...

    @property
    def schema(self) -> pa.Schema: ...

    @property
    def variants(self) -> frozenset[str]:
        """Columns that hold JSON texts."""
        ...

    def read(self) -> pa.RecordBatch | None: ...

    def close(self) -> None: ...


class EngineSession(Protocol):
    """One client's connection. Its methods block; the caller sees that only one runs at a time."""

    def parse(self, sql: str, context: Context) -> Any:
        """The statement as a tree, checked and with variables and context functions filled in."""
        ...

    def execute(
        self,
        statement: Any,
        context: Context,
        *,
        bindings: Sequence[Any] = (),
        relations: Sequence[Relation] = (),
        functions: Sequence[ArrowFunction] = (),
        lasting: bool = False,
    ) -> Outcome:
        """Raises SnowcaveError and the engine's own errors, which failures.translated knows.

        `lasting`: nothing was put into the statement that another time will not be there.
        """
        ...

    def remembers(self, sql: str, context: Context) -> float | None:
        """Seconds that `repeat` took for the statement the last time, infinite where there was none.

        None: `repeat` does not know it. Does not block.
        """
        ...

    def repeat(self, sql: str, context: Context) -> Outcome | None:
        """Run a statement again without a look at its text; None where that cannot be done."""
        ...

    def stream(
        self,
        query: Any,
        context: Context,
        *,
        relations: Sequence[Relation],
        rows: int,
        most_bytes: int,
    ) -> Reader:
        """A query's rows in batches of about `rows`, or fewer where they are large.

        Nothing else may run until it is read or closed.
        """
        ...

    def refusal(self, query: Any, context: Context, relations: Sequence[Relation]) -> str:
        """Why the query cannot be run, in the engine's words; a transaction does not suffer by it."""
        ...

    def describe(
        self, statement: Any, context: Context, relations: Sequence[Relation] = ()
    ) -> tuple[pb.ColumnType, ...]:
        """The columns that the statement would give, without running it."""
        ...

    def reads_event_table(self, statement: Any, sql: str, context: Context) -> bool: ...

    def event_bounds(self, statement: Any, context: Context) -> EventBounds:
        """Which rows of the event table such a statement can need."""
        ...

    def point_event_table(self, now: Moment) -> None:
        """What the event table holds for this session from now on."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether the client opened a transaction that is still open."""
        ...

    def interrupt(self) -> None:
        """From any thread: the running statement fails at its next opportunity."""
        ...

    def close(self) -> None: ...


class SqlEngine(Protocol):
    def open_session(self, session: int) -> EngineSession: ...

    def create_database(self, name: str, *, replace: bool, uid: int = 0) -> None: ...

    def drop_database(self, name: str, *, uid: int = 0) -> None: ...

    def create_schema(self, database: str, name: str, *, replace: bool, uid: int = 0) -> None: ...

    def drop_schema(self, database: str, name: str, *, uid: int = 0) -> None: ...

    def forget_room(self, uid: int) -> None: ...

    def objects(self, request: pb.ListObjectsRequest) -> list[pb.WarehouseObject]: ...

    def change_owner(self, request: pb.ChangeOwnerRequest) -> None: ...

    def close(self) -> None: ...
