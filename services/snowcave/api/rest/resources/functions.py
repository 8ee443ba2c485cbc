"""Service functions: defined, shown and called."""

from dataclasses import dataclass
from typing import Any

import orjson

from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call, named
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.names import any_name, data_type, identifier, with_arguments
from snowcave.api.rest.operations import CREATE_MODE, IF_EXISTS, Many, Operation
from snowcave.api.rest.resource import EXISTING
from snowcave.api.sql import tree
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import literal
from snowcave.api.sql.options import Options
from snowcave.api.sql.printing import words
from snowcave.api.sql.types import base_of, read_type
from snowcave.model.names import ObjectName, quoted

_ARGUMENT = Model("FunctionArgument", (*fields("name datatype"), Field("value", "any")))
_SERVICE_FUNCTION = Model(
    "ServiceFunction",
    (
        *fields("function_type! name!"),
        Field("arguments", [_ARGUMENT], required=True),
        *fields(
            "returns max_batch_rows:integer created_on~:datetime signature~ language~ body~ "
            "service! service_database service_schema endpoint! path!"
        ),
    ),
)
FUNCTION = Model("Function", tag="function_type", one_of={"service-function": _SERVICE_FUNCTION})
_PATH = "/databases/{database}/schemas/{schema}/functions"
_WHICH = "/{nameWithArgs}"
_FREE = frozenset({"nameWithArgs"})
_SEMI = ("VARIANT", "OBJECT", "ARRAY")


@dataclass(frozen=True)
class _Overload:
    name: ObjectName
    arguments: tuple[str, ...]


def _overload(call: Call) -> _Overload:
    name, types = with_arguments(call.names["nameWithArgs"])
    return _Overload(call.within(name), types)


async def _create(call: Call) -> Json:
    body = call.body
    service = any_name(body["service"])
    schema = service.schema or identifier(body.get("service_schema") or call.names["schema"])
    database = service.database or identifier(
        body.get("service_database") or call.names["database"]
    )
    values: Json = {
        "SERVICE": ObjectName(service.name, schema, database),
        "ENDPOINT": body["endpoint"],
    }
    if "max_batch_rows" in body:
        values["MAX_BATCH_ROWS"] = body["max_batch_rows"]
    arguments = tuple(
        (
            identifier(one.get("name") or f"ARG{number}"),
            data_type(one.get("datatype") or "TEXT"),
        )
        for number, one in enumerate(body["arguments"], start=1)
    )
    return await call.change(
        tree.CreateFunction(
            call.within(identifier(body["name"])),
            EXISTING[call.query.get("createMode", "errorIfExists")],
            arguments,
            data_type(body.get("returns") or "TEXT"),
            strict=False,
            immutable=False,
            path=body["path"],
            options=Options(values),
        )
    )


async def _described(call: Call, which: _Overload, created: Any = None) -> Json:
    rows = named(await call.rows(tree.Describe("function", which.name, which.arguments)))
    found = {str(row["property"]): row["value"] for row in rows}
    service = any_name(str(found["service"])) if found["service"] else ObjectName("")
    shown: Json = {
        "function_type": "service-function",
        "name": quoted(which.name.name),
        "arguments": _arguments(str(found["signature"])),
        "returns": str(found["returns"]),
        "signature": str(found["signature"]),
        "language": str(found["language"]),
        "body": str(found["body"]),
        "service": quoted(service.name),
        "service_database": quoted(service.database),
        "service_schema": quoted(service.schema),
        "endpoint": str(found["endpoint"]),
        "path": str(found["body"]),
    }
    most = str(found["max_batch_rows"])
    if most.isdigit():
        shown["max_batch_rows"] = int(most)
    if created is not None:
        shown["created_on"] = created.isoformat()
    return shown


def _arguments(signature: str) -> list[Json]:
    """`(A VARCHAR, B NUMBER)`."""

    def one() -> Json:
        return {"name": quoted(cursor.identifier()), "datatype": read_type(cursor).base}

    cursor = Cursor(signature)
    return list(cursor.in_parentheses(one))


async def _list(call: Call) -> list[Json]:
    show = tree.Show(
        "FUNCTIONS", like=call.query.get("like"), scope=tree.Scope("schema", call.schema())
    )
    return [
        await _described(call, _of_row(call, row), row["created_on"])
        for row in await call.look(show)
    ]


def _of_row(call: Call, row: Row) -> _Overload:
    """`F(VARCHAR, NUMBER) RETURN VARCHAR`, where the name is not said as an identifier."""
    name = str(row["name"])
    text = str(row["arguments"])[len(name) :].partition(")")[0] + ")"
    return _Overload(call.within(name), with_arguments(f"f{text}")[1])


async def _fetch(call: Call) -> Json:
    which = _overload(call)
    # DESCRIBE does not say when it was made.
    show = tree.Show("FUNCTIONS", scope=tree.Scope("schema", call.schema()))
    found = [row["created_on"] for row in await call.look(show) if _of_row(call, row) == which]
    return await _described(call, which, next(iter(found), None))


async def _delete(call: Call) -> Json:
    which = _overload(call)
    lenient = call.query.get("ifExists", False)
    return await call.change(tree.Drop("function", which.name, lenient, arguments=which.arguments))


async def _execute(call: Call) -> Json:
    """One cell, under the function's name."""
    arguments = ", ".join(map(_value, call.body))
    called = f"{words.name(call.target())}({arguments})"
    return await call.ordinary(f"SELECT {called} AS {words.identifier(call.name())}")


def _value(one: Json) -> str:
    kind = data_type(one.get("datatype") or "TEXT")
    value = one.get("value")
    if value is None:
        return f"NULL::{kind.text}"
    if base_of(kind.text) in _SEMI:
        return f"PARSE_JSON({literal(orjson.dumps(value).decode())})::{kind.text}"
    plain = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"{literal(plain)}::{kind.text}"


OPERATIONS = (
    Operation("create_function", "POST", _PATH, _create, (CREATE_MODE,), FUNCTION),
    Operation("list_functions", "GET", _PATH, _list, (ops.LIKE,), answer=Many(FUNCTION)),
    Operation("fetch_function", "GET", _PATH + _WHICH, _fetch, answer=FUNCTION, free=_FREE),
    Operation("delete_function", "DELETE", _PATH + _WHICH, _delete, (IF_EXISTS,), free=_FREE),
    Operation(
        "execute_function",
        "POST",
        _PATH + "/{name}:execute",
        _execute,
        body=Many(_ARGUMENT),
        answer=None,
    ),
)
