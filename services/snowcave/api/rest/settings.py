"""Settings of the REST API."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RestSettings:
    # What takes longer is answered with 202 and asked for again.
    hold: float = 4.0
    # Statements that only look have no longer than this, nor those that others follow in one request.
    read: float = 30.0
    # Elements of one page of a list; no more than a statement's first answer has (queries.inline_rows).
    page: int = 2000
    # Used where a statement changes something; as of any other statement.
    statement: float = 172800.0
