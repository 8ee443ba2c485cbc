"""What a finished statement tells its client, whatever the protocol."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from snowcave.api.contract import SessionContext, Transfer
from snowcave.model.errors import SnowcaveError
from snowcave.v1 import warehouse_pb2 as warehouse


@dataclass(frozen=True)
class Answer:
    """The first rows, and how many there are in all; the rest is fetched by query id."""

    query_id: str
    context: SessionContext
    columns: Sequence[warehouse.ColumnType]
    table: pa.Table = field(repr=False)
    total: int = 0
    statement_type: int = 0
    # Needed to read the rest over a chunk URL; empty where there is no rest.
    chunk_secret: str = field(default="", repr=False)
    # Placeholders of the statement, and whether a client may bind arrays to them.
    binds: int = 0
    array_binds: bool = False
    transfer: Transfer | None = None


@dataclass(frozen=True)
class Failure:
    """A statement that ran and failed: its id is known, unlike that of a request that was refused."""

    query_id: str
    error: SnowcaveError


class Internal(SnowcaveError):
    """A bug of ours; the log has its traceback beside the incident's number."""

    def __init__(self, incident: str) -> None:
        super().__init__(f"SQL execution internal error: incident {incident}.")


@dataclass(frozen=True)
class InProgress:
    query_id: str


Outcome = Answer | Failure | InProgress
