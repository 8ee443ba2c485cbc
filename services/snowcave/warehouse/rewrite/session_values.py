"""CURRENT_ROLE() and its like: what a statement asks of its own session. Pure."""

from collections.abc import Callable

from sqlglot import Expr, exp

from snowcave.model.errors import Kind, RemoteError
from snowcave.warehouse.engine.api import Context

VERSION = "9.36.0"


def fill_context(statement: Expr, context: Context) -> Expr:
    """CURRENT_ROLE() and its like become this session's values."""

    def replace(node: Expr) -> Expr:
        value = _context_value(node, context)
        if value is None:
            return node
        return exp.Literal.string(value) if value else exp.cast(exp.Null(), "TEXT")

    return statement.transform(replace, copy=False)


def _context_value(node: Expr, context: Context) -> str | None:
    if isinstance(node, exp.Anonymous):
        return _anonymous_value(node, context)
    getter = _CONTEXT.get(type(node).__name__)
    return getter(context) if getter else None


_CONTEXT: dict[str, Callable[[Context], str]] = {
    "CurrentRole": lambda c: c.role,
    "CurrentUser": lambda c: c.user,
    "CurrentWarehouse": lambda c: c.warehouse,
    "CurrentAccount": lambda c: c.account,
    "CurrentAccountName": lambda c: c.account,
    "CurrentOrganizationName": lambda c: c.organization,
    "CurrentSession": lambda c: str(c.session),
    "CurrentVersion": lambda _: VERSION,
    "CurrentDatabase": lambda c: c.database,
    "CurrentSchema": lambda c: c.schema,
    "CurrentRegion": lambda _: "LOCAL",
    "CurrentClient": lambda c: f"{c.client_app} {c.client_version}".strip(),
    "CurrentSecondaryRoles": lambda _: '{"roles":"","value":""}',
    "CurrentRoleType": lambda _: "ROLE",
}


def _anonymous_value(node: exp.Anonymous, context: Context) -> str | None:
    match node.name.upper():
        case "LAST_QUERY_ID":
            if node.expressions and node.expressions[0].sql() != "-1":
                raise RemoteError(
                    Kind.UNSUPPORTED,
                    2,
                    "0A000",
                    "SQL compilation error:\nUnsupported feature 'LAST_QUERY_ID of an older query'.",
                )
            return context.last_query_id
        case "CURRENT_TRANSACTION" | "LAST_TRANSACTION":
            return ""
        case _:
            return None
