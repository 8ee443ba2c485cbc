"""The bodies of the REST API as data: what is taken, how it is checked, and how rows become such bodies.

The same models give the OpenAPI document, so what it says is what is done.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from snowcave.api.contract import Cell
from snowcave.api.http.requests import RequestInvalid

Row = Mapping[str, Cell]
Json = dict[str, Any]

_TYPES: dict[str, Json] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "minimum": -(2**31), "maximum": 2**63 - 1},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "strings": {"type": "array", "items": {"type": "string"}},
    "any": {},
}
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "datetime": str,
    "strings": list,
}
_TRUE = ("true", "Y", "yes", "TRUE")


@dataclass(frozen=True)
class Field:
    """`kind`: a word of the table above, a model, or a list with one model in it."""

    name: str
    kind: "str | Model | list[Model]" = "string"
    required: bool = False
    # Said by the server only; a client that sends it back is not listened to.
    read_only: bool = False
    choices: tuple[str, ...] = ()
    # Taken, and never shown.
    secret: bool = False


@dataclass(frozen=True)
class Model:
    """`one_of`: models among which the field `tag` chooses, by its value."""

    name: str
    fields: tuple[Field, ...] = ()
    tag: str = ""
    one_of: "Mapping[str, Model]" = field(default_factory=dict[str, "Model"])

    # ------------------------------------------------------------ requests

    def read(self, body: Any, where: str = "") -> Json:
        """What a client sent, checked: only known fields, without nulls. Raises RequestInvalid."""
        if not isinstance(body, dict):
            raise RequestInvalid(f"{where or 'The body'} is not a JSON object.")
        given = cast("Json", body)
        if self.one_of:
            chosen = given.get(self.tag)
            if not isinstance(chosen, str) or chosen not in self.one_of:
                words = ", ".join(self.one_of)
                raise RequestInvalid(f"{where}{self.tag} must be one of {words}.")
            return {self.tag: chosen, **self.one_of[chosen].read(given, where)}
        found: Json = {}
        for one in self.fields:
            value = given.get(one.name)
            if value is None:
                if one.required:
                    raise RequestInvalid(f"{where}{one.name} is missing.")
            elif not one.read_only:
                found[one.name] = _checked(one, value, where + one.name)
        return found

    # ------------------------------------------------------------ answers

    def shaped(self, row: Row) -> Json:
        """A row's cells that the model has a field for, in the model's types, without nulls."""
        shown: Json = {}
        for one in self.fields:
            value = row.get(one.name)
            if value is not None and not one.secret:
                made = _shown(one.kind, value)
                if made is not None:
                    shown[one.name] = made
        return shown

    # ------------------------------------------------------------ schemas

    def schema(self) -> Json:
        """As JSON Schema (OpenAPI 3.1)."""
        if self.one_of:
            return {
                "oneOf": [_reference(one) for one in self.one_of.values()],
                "discriminator": {
                    "propertyName": self.tag,
                    "mapping": {key: _reference(one)["$ref"] for key, one in self.one_of.items()},
                },
            }
        required = [one.name for one in self.fields if one.required]
        shown: Json = {
            "type": "object",
            "properties": {one.name: _schema_of(one) for one in self.fields},
        }
        if required:
            shown["required"] = required
        return shown

    def parts(self) -> "list[Model]":
        """The models that this one is made of, itself first."""
        found: list[Model] = [self]
        for one in self.one_of.values():
            found += one.parts()
        for one in self.fields:
            if isinstance(one.kind, Model):
                found += one.kind.parts()
            elif isinstance(one.kind, list):
                found += one.kind[0].parts()
        return found


def fields(text: str) -> tuple[Field, ...]:
    """From `name! size:integer owner~ state~:string`: `!` must be given, `~` only the server says it."""
    found: list[Field] = []
    for word in text.split():
        name, _, kind = word.partition(":")
        bare = name.rstrip("!~")
        found.append(Field(bare, kind or "string", required="!" in name, read_only="~" in name))
    return tuple(found)


def _checked(one: Field, value: Any, where: str) -> Any:
    if isinstance(one.kind, Model):
        return one.kind.read(value, where + ".")
    if isinstance(one.kind, list):
        if not isinstance(value, list):
            raise RequestInvalid(f"{where} is not a list.")
        items = cast("list[Any]", value)
        return [one.kind[0].read(item, f"{where}[{n}].") for n, item in enumerate(items)]
    if one.kind == "any":
        return value
    wanted = _PYTHON[one.kind]
    # True is an int to Python, and to no client.
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise RequestInvalid(f"{where} is not of type {one.kind}.")
    if one.kind == "strings" and not all(
        isinstance(item, str) for item in cast("list[Any]", value)
    ):
        raise RequestInvalid(f"{where} is not a list of texts.")
    if one.kind == "integer" and not -(2**31) <= value < 2**63:
        raise RequestInvalid(f"{where} is out of range.")
    if one.choices and value not in one.choices:
        raise RequestInvalid(f"{where} must be one of {', '.join(one.choices)}.")
    return value


def _shown(kind: Any, value: Any) -> Any:
    """A cell in a field's type; None where it says nothing of that type."""
    match kind:
        case "string":
            return value if isinstance(value, str) else _text(value)
        case "integer":
            return _whole(value)
        case "boolean":
            return value if isinstance(value, bool) else str(value) in _TRUE
        case "datetime":
            return value.isoformat() if isinstance(value, datetime) else (value or None)
        case "strings" if isinstance(value, str):
            return _listed(value)
        case _:
            return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(value: Any) -> int | None:
    try:
        return int(float(value)) if isinstance(value, str) else int(value)
    except ValueError:
        return None


def _listed(value: str) -> list[str]:
    """Of a list as SHOW has it: `["A","B"]`, or names with commas between them."""
    try:
        found = json.loads(value)
    except ValueError:
        return [one.strip() for one in value.strip("[]").split(",") if one.strip()]
    return [str(one) for one in found] if isinstance(found, list) else [str(found)]


def _reference(model: Model) -> Json:
    return {"$ref": f"#/components/schemas/{model.name}"}


def _schema_of(one: Field) -> Json:
    """Fields that may be left out may also be null."""
    if isinstance(one.kind, Model):
        shown = _reference(one.kind)
    elif isinstance(one.kind, list):
        shown: Json = {"type": "array", "items": _reference(one.kind[0])}
    else:
        shown = dict(_TYPES[one.kind])
    if one.choices:
        shown["enum"] = list(one.choices)
    if one.read_only:
        # Nobody minds what a client sends back of these.
        return {"readOnly": True, **shown} if "$ref" not in shown else shown
    if not one.required and one.kind != "any":
        return {"anyOf": [shown, {"type": "null"}]}
    return shown


SUCCESS = Model("SuccessResponse", fields("status!"))
ACCEPTED = Model("SuccessAcceptedResponse", fields("code! message! resultHandler!"))
ERROR = Model("ErrorResponse", fields("message! code! error_code! request_id!"))
