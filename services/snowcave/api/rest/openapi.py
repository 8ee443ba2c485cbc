"""The OpenAPI document, made of the operations that are served."""

from typing import Any

from snowcave.api.rest import models
from snowcave.api.rest.models import Json, Model
from snowcave.api.rest.names import PATTERN
from snowcave.api.rest.operations import PAGE, PREFIX, Many, Operation, Parameter

_DESCRIPTION = (
    "The part of Snowflake's REST API that Snowcave serves. Every operation is the same statement as in SQL, "
    "with the rights of the caller's session."
)
# Every operation may fail in these ways, and with 202 say that it goes on.
_FAILURES = {
    "400": "What was asked for is not valid.",
    "401": "Nobody knows the caller.",
    "403": "The caller may not do this.",
    "404": "There is no such object, or the caller may not see it.",
    "409": "The object exists, or was changed by somebody else at the same time.",
    "422": "Not supported.",
    "429": "Too many requests.",
    "500": "A fault of the server.",
    "503": "A part of the server is away.",
    "504": "It took too long.",
}


def document(operations: tuple[Operation, ...]) -> Json:
    paths: dict[str, Json] = {}
    for one in operations:
        paths.setdefault(PREFIX + one.path, {})[one.method.lower()] = _operation(one)
    paths[PREFIX + "/results/{handle}"] = {"get": _results()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Snowcave REST API", "version": "2", "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "responses": {
                "Failure": {"description": "What went wrong.", "content": _content(models.ERROR)},
                "Accepted": {
                    "description": "It goes on; the answer can be had at the Location.",
                    "headers": {"Location": {"required": True, "schema": {"type": "string"}}},
                    "content": _content(models.ACCEPTED),
                },
            },
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "header", "name": "Authorization"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"session": []}, {"bearer": []}],
    }


def _operation(one: Operation) -> Json:
    shown: Json = {
        "operationId": one.id,
        "parameters": [
            *(_in_path(one, name) for name in one.names),
            *map(_in_query, one.query),
        ],
        "responses": _responses(one),
    }
    if one.body is not None:
        shown["requestBody"] = {"required": True, "content": _content(one.body)}
    if one.meaningless:
        shown["summary"] = one.meaningless
    return shown


def _in_path(one: Operation, name: str) -> Json:
    plain = name in one.free
    schema = {"type": "string"} if plain else {"type": "string", "pattern": PATTERN}
    return {"name": name, "in": "path", "required": True, "schema": {**schema, "minLength": 1}}


def _in_query(one: Parameter) -> Json:
    return {"name": one.name, "in": "query", "required": one.required, "schema": one.schema()}


def _responses(one: Operation) -> Json:
    found: Json = {key: _failure(words) for key, words in _FAILURES.items()}
    if one.meaningless:
        return {"501": _failure(one.meaningless), "401": found["401"], "400": found["400"]}
    found["200"] = {"description": "Done.", "content": _content(one.answer)}
    if isinstance(one.answer, Many):
        found["200"]["headers"] = {"Link": {"schema": {"type": "string"}}}
    found["202"] = {"$ref": "#/components/responses/Accepted"}
    return dict(sorted(found.items()))


def _failure(_words: str) -> Json:
    return {"$ref": "#/components/responses/Failure"}


def _results() -> Json:
    handle: Json = {
        "name": "handle",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }
    answer: Json = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
    return {
        "operationId": "get_result",
        "parameters": [handle, _in_query(PAGE)],
        "responses": {
            **{key: _failure(words) for key, words in _FAILURES.items()},
            "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": answer}},
            },
            "202": {"$ref": "#/components/responses/Accepted"},
        },
    }


def _content(what: Model | Many | None) -> Json:
    if what is None:
        schema: Json = {"type": "object"}
    elif isinstance(what, Many):
        schema = {"type": "array", "items": _reference(what.model)}
    else:
        schema = _reference(what)
    return {"application/json": {"schema": schema}}


def _reference(model: Model) -> Json:
    return {"$ref": f"#/components/schemas/{model.name}"}


def _schemas(operations: tuple[Operation, ...]) -> dict[str, Any]:
    found: dict[str, Model] = {}
    for what in (models.ERROR, models.ACCEPTED, models.SUCCESS):
        found[what.name] = what
    for one in operations:
        for body in (one.body, one.answer):
            model = body.model if isinstance(body, Many) else body
            for part in model.parts() if model else ():
                assert found.setdefault(part.name, part) is part, part.name
    return {name: model.schema() for name, model in sorted(found.items())}
