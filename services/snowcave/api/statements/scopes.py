"""IN …: which of a schema's objects a SHOW looks at."""

from collections.abc import Iterator

from snowcave.api.sql.tree import Scope
from snowcave.api.statements.work import Work
from snowcave.model.errors import Unsupported
from snowcave.v1 import state_pb2 as state


def within(work: Work, domain: str, scope: Scope | None) -> Iterator[state.Object]:
    """What the caller sees of the domain. No scope: the session's schema or database, else the account."""
    schemas = _schemas(work, scope)
    for found in work.catalog.all(domain):
        if (schemas is None or found.parent in schemas) and work.caller.sees(found):
            yield found


def _schemas(work: Work, scope: Scope | None) -> set[int] | None:
    """uids of the schemas to look into; None: all."""
    if scope is None:
        if work.context.schema:
            return {work.caller.schema().message.uid}
        scope = Scope("database" if work.context.database else "account")
    match scope.domain:
        case "account":
            return None
        case "database":
            database = work.caller.database(scope.name.name if scope.name else "")
            return {one.uid for one in work.catalog.children("schema", database.message.uid)}
        case "schema":
            return {work.caller.schema(scope.name).message.uid}
        case _:
            raise Unsupported(f"IN {scope.domain.replace('_', ' ').upper()}")
