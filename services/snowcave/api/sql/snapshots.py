"""CREATE SNAPSHOT … FROM SERVICE … VOLUME … INSTANCE …, and how volumes are named."""

from snowcave.api.sql import properties
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind
from snowcave.api.sql.options import read_options
from snowcave.api.sql.tree import CreateSnapshot, Existing


def create_snapshot(cursor: Cursor, existing: Existing) -> CreateSnapshot:
    """After CREATE SNAPSHOT and IF NOT EXISTS."""
    name = cursor.name()
    cursor.expect("FROM", "SERVICE")
    service = cursor.name()
    cursor.expect("VOLUME")
    volume = volume_name(cursor)
    cursor.expect("INSTANCE")
    instance_id = cursor.integer()
    options = read_options(cursor, "SNAPSHOT", properties.CREATE["snapshot"])
    cursor.end()
    return CreateSnapshot(name, existing, service, volume, instance_id, options)


def volume_name(cursor: Cursor) -> str:
    """In quotes, as the documents want it, or as it is written in the specification."""
    token = cursor.peek()
    if token.kind is Kind.NUMBER:
        raise cursor.unexpected("identifier", token)
    return cursor.word_or_string()
