"""Event tables: what CREATE EVENT TABLE has beside its properties, and statements that call one a table."""

from collections.abc import Mapping
from typing import Any

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind
from snowcave.api.sql.options import Clause, Options
from snowcave.api.sql.placeholders import Given
from snowcave.api.sql.tree import Action, Alter
from snowcave.model.errors import SyntaxInvalid, Unsupported
from snowcave.model.names import ObjectName

CLUSTER_BY = "CLUSTER_BY"
COPY_GRANTS = "COPY GRANTS"
_ABOUT_TABLES = ("DROP", "UNDROP", "ALTER", "DESC", "DESCRIBE", "TRUNCATE", "COMMENT")


def clauses_of_event_table(found: dict[str, Any], flags: set[str]) -> Mapping[str, Clause]:
    """For a statement's table of clauses."""

    def cluster(cursor: Cursor) -> None:
        found[CLUSTER_BY] = _keys(cursor)

    def copy(cursor: Cursor) -> None:
        cursor.expect("COPY", "GRANTS")
        flags.add(COPY_GRANTS)

    def with_word(cursor: Cursor) -> None:
        """The word may be left out before what it begins."""
        cursor.expect("WITH")
        if not cursor.at_one("COMMENT", "ROW"):
            raise cursor.unexpected()

    def policy(cursor: Cursor) -> None:
        cursor.expect("ROW", "ACCESS", "POLICY")
        raise Unsupported("ROW ACCESS POLICY")

    return {"CLUSTER": cluster, "COPY": copy, "WITH": with_word, "ROW": policy}


def clustering(cursor: Cursor, name: ObjectName, if_exists: bool) -> Alter:
    """What ALTER TABLE does to an event table beside its name, properties and tags."""
    if cursor.at("CLUSTER", "BY"):
        options = Options({CLUSTER_BY: _keys(cursor)})
        return Alter("event_table", name, if_exists, Action.SET, options)
    if cursor.accept("DROP", "CLUSTERING", "KEY"):
        return Alter("event_table", name, if_exists, Action.UNSET, unset=(CLUSTER_BY,))
    for words in (("SUSPEND", "RECLUSTER"), ("RESUME", "RECLUSTER")):
        if cursor.at(*words):
            raise Unsupported(" ".join(words))
    for verb in ("ADD", "DROP"):
        for words in (("SEARCH", "OPTIMIZATION"), ("ROW", "ACCESS"), ("ALL", "ROW")):
            if cursor.at(verb, *words):
                raise Unsupported(" ".join((verb, *words)))
    raise cursor.unexpected()


def _keys(cursor: Cursor) -> str:
    """`CLUSTER BY (…)`: the expressions as they were written."""
    cursor.expect("CLUSTER", "BY", "(")
    first, depth = cursor.peek(), 0
    while depth or not cursor.at(")"):
        token = cursor.peek()
        if token.kind is Kind.END:
            raise cursor.unexpected("')'")
        depth += (token.text == "(") - (token.text == ")")
        cursor.take()
    if cursor.peek() is first:
        raise cursor.unexpected("expression")
    keys = cursor.sql[first.start : cursor.previous().stop]
    cursor.expect(")")
    return keys


def said_of_a_table(sql: str, given: Given) -> tuple[ObjectName, str] | None:
    """The table that a statement is about, and the statement as it would be about an event table of the name.

    None where the statement is about no table by its first words.
    """
    cursor = Cursor(sql, given)
    verb = cursor.take()
    if verb.value not in _ABOUT_TABLES:
        return None
    if verb.value == "COMMENT":
        cursor.accept("IF", "EXISTS")
        if not cursor.accept("ON"):
            return None
    at = cursor.peek().start
    words = "EVENT "
    if not cursor.accept("TABLE"):
        if verb.value != "TRUNCATE":
            return None
        words = "EVENT TABLE "
    cursor.accept("IF", "EXISTS")
    try:
        name = cursor.name()
    except SyntaxInvalid:
        return None
    return name, sql[:at] + words + sql[at:]
