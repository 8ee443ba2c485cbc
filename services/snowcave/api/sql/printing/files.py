"""PUT, GET, LIST and REMOVE, every path between quotes."""

from snowcave.api.sql.lexer import literal
from snowcave.api.sql.printing.words import given, joined, options, stage
from snowcave.api.sql.tree import GetFiles, ListFiles, PutFiles, RemoveFiles


def _local(path: str) -> str:
    return literal("file://" + path)


def put_files(it: PutFiles) -> str:
    return joined("PUT", _local(it.local), stage(it.stage), options(it.options))


def get_files(it: GetFiles) -> str:
    return joined("GET", stage(it.stage), _local(it.local), options(it.options))


def list_files(it: ListFiles) -> str:
    return joined("LIST", stage(it.stage), _pattern(it.pattern))


def remove_files(it: RemoveFiles) -> str:
    return joined("REMOVE", stage(it.stage), _pattern(it.pattern))


def _pattern(pattern: str) -> str:
    return given(pattern, "PATTERN = " + literal(pattern))
