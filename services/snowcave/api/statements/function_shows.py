"""What SHOW and DESCRIBE say of service functions."""

from snowcave.api.catalog.change import name_of
from snowcave.api.contract import Cell, Rows
from snowcave.api.sql.tree import Describe, Show
from snowcave.api.sql.types import base_of
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.functions import find_function
from snowcave.api.statements.scopes import within
from snowcave.api.statements.work import Work, moment
from snowcave.model.names import ObjectName, quoted
from snowcave.v1 import state_pb2 as state

_SHAPE = columns(
    "created_on:timestamp_ltz",
    "name",
    "schema_name",
    "is_builtin",
    "is_aggregate",
    "is_ansi",
    "min_num_arguments:fixed",
    "max_num_arguments:fixed",
    "arguments",
    "description",
    "catalog_name",
    "is_table_function",
    "valid_for_clustering",
    "is_secure",
    "secrets",
    "external_access_integrations",
    "is_external_function",
    "language",
    "is_memoizable",
    "is_data_metric",
)
_DESCRIBE = columns("property", "value")


async def show_functions(statement: Show, work: Work) -> Rows:
    rows: list[tuple[Cell, ...]] = []
    for found in within(work, "function", statement.scope):
        schema, database = work.catalog.place(found.parent)
        count = len(found.function.arguments)
        rows.append(
            (
                moment(found.created_on),
                found.name,
                schema,
                "N",
                "N",
                "N",
                count,
                count,
                f"{name_of(found)} RETURN {base_of(found.function.returns)}",
                found.comment,
                database,
                "N",
                "N",
                "N",
                None,
                None,
                "Y",
                "EXTERNAL",
                "N",
                "N",
            )
        )
    return filtered(statement, _SHAPE, rows)


async def describe_function(statement: Describe, work: Work) -> Rows:
    found = find_function(work, statement.name, statement.arguments).message
    body = found.function
    arguments = ", ".join(f"{quoted(one.name)} {base_of(one.type)}" for one in body.arguments)
    properties: dict[str, str | None] = {
        "signature": f"({arguments})",
        "returns": body.returns,
        "language": "EXTERNAL",
        "null handling": "RETURNS NULL ON NULL INPUT" if body.strict else "CALLED ON NULL INPUT",
        "volatility": "IMMUTABLE" if body.immutable else "VOLATILE",
        "body": body.path,
        "service": _service_name(work, body),
        "endpoint": body.endpoint,
        "max_batch_rows": str(body.max_batch_rows) if body.max_batch_rows else "not set",
        "max_batch_retries": str(body.max_batch_retries),
        "batch_timeout_secs": f"{body.batch_timeout_secs:g}",
        "on_batch_failure": "RETURN_NULL" if body.return_null_on_failure else "ABORT",
        "context_headers": ", ".join(body.context_headers) or None,
    }
    return Rows(_DESCRIBE, list(properties.items()))


def _service_name(work: Work, body: state.Function) -> str:
    """Also of one that is gone."""
    found = work.catalog.get("service", body.service)
    parent, name = (
        (found.parent, found.name) if found else (body.service_schema, body.service_name)
    )
    if not name or work.catalog.get("schema", parent) is None:
        return ""
    schema, database = work.catalog.place(parent)
    return str(ObjectName(name, schema, database))
