"""PUT, GET, LIST and REMOVE: files of stages, with paths quoted or not."""

import re

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind
from snowcave.api.sql.options import (
    Reader,
    read_boolean,
    read_integer,
    read_options,
    read_string,
    read_upper,
)
from snowcave.api.sql.tree import GetFiles, ListFiles, PutFiles, RemoveFiles, Statement
from snowcave.model.errors import ValueInvalid
from snowcave.model.stage_path import StagePath, parse_stage_path

_SCHEME = "file://"
# An unquoted local path is no token of SQL: its slashes would begin a comment.
_LOCAL = re.compile(
    r"""
      (?: \s++ | --[^\n]*+ | /\*(?>.*?\*/) | '(?:[^'\\]|\\.|'')*+' | "(?:[^"]|"")*+"
        | @[^\s;,()'"]*+ | \w++ )*?
      (?P<local>file://[^\s;]*)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_PUT: dict[str, Reader] = {
    "PARALLEL": read_integer,
    "AUTO_COMPRESS": read_boolean,
    "SOURCE_COMPRESSION": read_upper,
    "OVERWRITE": read_boolean,
    # Sent by some clients; a stage keeps no such record.
    "THRESHOLD": read_integer,
}
_GET: dict[str, Reader] = {"PARALLEL": read_integer, "PATTERN": read_string}
_PATTERN: dict[str, Reader] = {"PATTERN": read_string}


def parse_put(cursor: Cursor) -> Statement:
    local, cursor = _set_aside(cursor)
    cursor.expect("PUT")
    local = _local(cursor, local)
    stage = read_stage(cursor)
    options = read_options(cursor, "PUT", _PUT)
    cursor.end()
    return PutFiles(local, stage, options)


def parse_get(cursor: Cursor) -> Statement:
    local, cursor = _set_aside(cursor)
    cursor.expect("GET")
    stage = read_stage(cursor)
    local = _local(cursor, local)
    options = read_options(cursor, "GET", _GET)
    cursor.end()
    return GetFiles(stage, local, options)


def parse_list(cursor: Cursor) -> Statement:
    cursor.take()
    stage = read_stage(cursor)
    options = read_options(cursor, "LIST", _PATTERN)
    cursor.end()
    return ListFiles(stage, options.text("PATTERN"))


def parse_remove(cursor: Cursor) -> Statement:
    cursor.take()
    stage = read_stage(cursor)
    options = read_options(cursor, "REMOVE", _PATTERN)
    cursor.end()
    return RemoveFiles(stage, options.text("PATTERN"))


def read_stage(cursor: Cursor) -> StagePath:
    """`@st/dir`, or the same in quotes."""
    token = cursor.peek()
    if token.kind is Kind.STRING and token.value.startswith("@"):
        return parse_stage_path(cursor.take().value)
    if token.kind is not Kind.STAGE:
        raise cursor.unexpected("stage")
    text, end = cursor.take().text, token.stop
    # A path may hold characters that end a stage token; space, comma and semicolon it may not.
    while cursor.peek().start == end and cursor.peek().text not in (";", ",", "(", ")", ""):
        end = cursor.take().stop
        text = cursor.sql[token.start : end]
    return parse_stage_path(text)


def _set_aside(cursor: Cursor) -> tuple[str, Cursor]:
    """An unquoted local path, and the statement with a string of the same length in its place."""
    found = _LOCAL.match(cursor.sql)
    if found is None:
        return "", cursor
    start, stop = found.span("local")
    stand_in = "'" + "x" * (stop - start - 2) + "'"
    return found["local"], Cursor(cursor.sql[:start] + stand_in + cursor.sql[stop:])


def _local(cursor: Cursor, set_aside: str) -> str:
    """What stands after file://."""
    text = cursor.string()
    text = set_aside or text
    if not text.lower().startswith(_SCHEME) or len(text) == len(_SCHEME):
        raise ValueInvalid(
            f"SQL compilation error:\ninvalid local path '{text[:256]}': it must begin with file://."
        )
    return text[len(_SCHEME) :]
