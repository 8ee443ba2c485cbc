"""CREATE SERVICE, whose clauses may come in any order, and where specifications come from."""

from snowcave.api.sql import properties
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind
from snowcave.api.sql.options import Clause, read_options
from snowcave.api.sql.tree import CreateService, Existing, SpecSource
from snowcave.model.errors import Unsupported


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


def source_clauses(found: list[SpecSource]) -> dict[str, Clause]:
    """FROM … and USING …, for a statement's table of clauses; what they say goes to `found`."""

    def source(cursor: Cursor) -> None:
        if found:
            raise cursor.unexpected()
        found.append(read_source(cursor))

    def using(cursor: Cursor) -> None:
        raise Unsupported("USING in a service specification")

    return {"FROM": source, "USING": using}


def read_source(cursor: Cursor) -> SpecSource:
    cursor.expect("FROM")
    stage = _stage(cursor)
    if cursor.at_one("SPECIFICATION_TEMPLATE", "SPECIFICATION_TEMPLATE_FILE"):
        raise Unsupported(cursor.peek().value)
    # Older documents and the tutorials write SPEC='file'.
    if cursor.accept("SPECIFICATION_FILE") or cursor.accept("SPEC"):
        if not cursor.accept("=>"):
            cursor.expect("=")
        return SpecSource(stage=stage, file=_path(cursor))
    cursor.expect("SPECIFICATION")
    if stage:
        raise cursor.unexpected("SPECIFICATION_FILE")
    return SpecSource(text=cursor.string())


def _stage(cursor: Cursor) -> str:
    token = cursor.peek()
    if token.kind is Kind.STAGE or (token.kind is Kind.STRING and token.value.startswith("@")):
        return cursor.take().value
    return ""


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
