"""File formats by name: what CREATE FILE FORMAT says, and what COPY INTO names. Pure."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from fakesnow.transforms.options import parse_options
from sqlglot import Expr, exp
from sqlglot.errors import SqlglotError

from snowcave.model.errors import Unsupported, ValueInvalid

KIND = "FILE FORMAT"
_TYPES = ("CSV", "JSON", "AVRO", "ORC", "PARQUET", "XML")
_NAME = "FORMAT_NAME"


def of_format(statement: Expr) -> bool:
    """Whether it makes, drops or describes one."""
    return str(statement.args.get("kind") or "").upper() == KIND


def options(statement: Expr) -> str:
    """As JSON, what CREATE FILE FORMAT says; empty for any other statement. Raises SnowcaveError."""
    if not isinstance(statement, exp.Create) or not of_format(statement):
        return ""
    try:
        said = parse_options(statement.args.get("properties") or [])
    except NotImplementedError as error:
        raise Unsupported(f"{error} of a file format") from error
    kind = str(said.pop("TYPE", "CSV")).upper()
    if kind not in _TYPES:
        raise ValueInvalid(f"SQL compilation error:\ninvalid value '{kind}' for property 'TYPE'")
    return json.dumps({"TYPE": kind, **said})


def name_formats(statement: Expr) -> Expr:
    """FILE_FORMAT = f and (FORMAT_NAME = f) of COPY INTO as (FORMAT_NAME = 'f')."""
    for parameter in _of_copy(statement):
        if (bare := parameter.args.get("expression")) is not None:
            parameter.set("expression", None)
            parameter.set("expressions", [exp.Property(this=exp.var(_NAME), value=bare)])
        for option in _naming(parameter):
            value = option.args["value"]
            if not isinstance(value, exp.Literal):
                option.set("value", exp.Literal.string(value.sql(dialect="snowflake")))
    return statement


def fill(option: exp.Property, found: str) -> None:
    """The options of a named format in its name's place, but for those that stand beside it."""
    parameter = option.parent
    assert parameter is not None
    beside = {one.this.name.upper() for one in parameter.expressions}
    more = [
        exp.Property(this=exp.var(name), value=_value(value))
        for name, value in json.loads(found).items()
        if name not in beside and name != "COMMENT"
    ]
    option.pop()
    parameter.set("expressions", [*more, *parameter.expressions])


def names_in(statement: Expr) -> list[tuple[exp.Property, exp.Table]]:
    """Each FORMAT_NAME of COPY INTO, and whom it means. Raises ValueInvalid."""
    return [
        (option, _table(option))
        for parameter in _of_copy(statement)
        for option in list(_naming(parameter))
    ]


def _of_copy(statement: Expr) -> Iterator[exp.CopyParameter]:
    if isinstance(statement, exp.Copy):
        for parameter in statement.args.get("params") or []:
            if parameter.this.name.upper() == "FILE_FORMAT":
                yield parameter


def _naming(parameter: exp.CopyParameter) -> Iterator[exp.Property]:
    for option in parameter.expressions:
        if isinstance(option, exp.Property) and option.this.name.upper() == _NAME:
            yield option


def _table(option: exp.Property) -> exp.Table:
    text = option.args["value"].name
    with suppress(SqlglotError):
        table = exp.to_table(text, dialect="snowflake")
        if isinstance(table.this, exp.Identifier):
            return table
    raise ValueInvalid(f"SQL compilation error:\ninvalid value '{text}' for property '{_NAME}'")


def _value(value: Any) -> Expr:
    if isinstance(value, list):
        return exp.Tuple(expressions=[_value(one) for one in value])
    return exp.convert(value)
