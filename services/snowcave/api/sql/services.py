"""CREATE SERVICE, whose clauses may come in any order, and where specifications come from."""

from collections.abc import Mapping
from dataclasses import replace

from snowcave.api.sql import properties
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind
from snowcave.api.sql.options import Clause, read_options
from snowcave.api.sql.snapshots import volume_name
from snowcave.api.sql.stages import read_stage
from snowcave.api.sql.tree import CreateService, Existing, RestoreVolume, SpecSource
from snowcave.model.names import ObjectName
from snowcave.model.stage_path import StagePath

_FILES = (
    "SPECIFICATION_FILE",
    "SPEC",
    "SPECIFICATION_TEMPLATE_FILE",
    "SPEC_TEMPLATE",
)


def create_service(cursor: Cursor, existing: Existing) -> CreateService:
    name = cursor.name()
    pools: list[str] = []
    sources: list[SpecSource] = []

    def in_pool(cursor: Cursor) -> None:
        if pools:
            raise cursor.unexpected()
        cursor.expect("IN", "COMPUTE", "POOL")
        pools.append(cursor.plain_name())

    clauses = {"IN": in_pool, **source_clauses(sources)}
    options = read_options(cursor, "SERVICE", properties.SERVICE, clauses)
    # Something that begins no clause is the error to tell about, before what may be missing.
    cursor.end()
    if not pools:
        raise cursor.unexpected("IN COMPUTE POOL")
    if not sources:
        raise cursor.unexpected("FROM SPECIFICATION")
    return CreateService(name, existing, pools[0], sources[0], options)


def restore_volume(cursor: Cursor, service: ObjectName, if_exists: bool) -> RestoreVolume:
    """After ALTER SERVICE and its name."""
    cursor.expect("RESTORE", "VOLUME")
    name = volume_name(cursor)
    cursor.expect("INSTANCES")
    numbers = cursor.in_parentheses(cursor.integer) if cursor.at("(") else None
    instances = numbers or cursor.comma_list(cursor.integer)
    cursor.expect("FROM", "SNAPSHOT")
    snapshot = cursor.name()
    cursor.end()
    return RestoreVolume(service, if_exists, name, instances, snapshot)


def source_clauses(found: list[SpecSource]) -> dict[str, Clause]:
    """FROM … and USING …, for a statement's table of clauses; what they say goes to `found`."""
    used: list[Mapping[str, tuple[str, bool]]] = []

    def source(cursor: Cursor) -> None:
        if found:
            raise cursor.unexpected()
        read = read_source(cursor)
        found.append(replace(read, values=used[0]) if used else read)

    def using(cursor: Cursor) -> None:
        if used:
            raise cursor.unexpected()
        used.append(_values(cursor))
        if found:
            found[0] = replace(found[0], values=used[0])

    return {"FROM": source, "USING": using}


def read_source(cursor: Cursor) -> SpecSource:
    cursor.expect("FROM")
    stage = _stage(cursor)
    # Without values it is a template all the same.
    values = {} if _at_template(cursor) else None
    # Older documents and the tutorials write SPEC='file'.
    if any(cursor.accept(word) for word in _FILES):
        if not cursor.accept("=>"):
            cursor.expect("=")
        return SpecSource(stage=stage, file=_path(cursor), values=values)
    if stage:
        raise cursor.unexpected("SPECIFICATION_FILE")
    if not cursor.accept("SPECIFICATION_TEMPLATE"):
        cursor.expect("SPECIFICATION")
    return SpecSource(text=cursor.string(), values=values)


def _at_template(cursor: Cursor) -> bool:
    return cursor.at_one("SPECIFICATION_TEMPLATE", "SPECIFICATION_TEMPLATE_FILE", "SPEC_TEMPLATE")


def _stage(cursor: Cursor) -> StagePath | None:
    token = cursor.peek()
    if token.kind is Kind.STAGE or (token.kind is Kind.STRING and token.value.startswith("@")):
        return read_stage(cursor)
    return None


def _values(cursor: Cursor) -> Mapping[str, tuple[str, bool]]:
    """USING (key => value, …). Keys keep their case; a value is text, and whether it was quoted."""
    cursor.expect("USING", "(")
    found: dict[str, tuple[str, bool]] = {}
    while not cursor.accept(")"):
        token = cursor.peek()
        name = cursor.identifier()
        key = token.text if token.kind is Kind.WORD else name
        if key in found:
            raise cursor.unexpected("", token)
        if not cursor.accept("=>"):
            cursor.expect("=")
        found[key] = _value(cursor)
        if not cursor.at(")"):
            cursor.expect(",")
    return found


def _value(cursor: Cursor) -> tuple[str, bool]:
    if cursor.peek().kind is Kind.STRING:
        return cursor.take().value, True
    first = cursor.peek()
    end = first.start
    while cursor.peek().start == end and cursor.peek().text not in (",", ")", "(", ""):
        end = cursor.take().stop
    if end == first.start:
        raise cursor.unexpected("value")
    return cursor.sql[first.start : end], False


def _path(cursor: Cursor) -> str:
    """A file's path, quoted or bare: `dir/my_spec.yaml`."""
    first = cursor.peek()
    if first.kind is Kind.STRING:
        return cursor.take().value
    if not first.is_name:
        raise cursor.unexpected("file name")
    end = cursor.take().stop
    while cursor.peek().start == end and cursor.peek().text and cursor.peek().text not in (";",):
        end = cursor.take().stop
    return cursor.sql[first.start : end]
