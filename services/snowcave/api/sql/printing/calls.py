"""Calls of the system's functions and of services'."""

from snowcave.api.sql.lexer import literal
from snowcave.api.sql.printing.words import identifier, name
from snowcave.api.sql.tree import Literal, ServiceCall, SystemCall


def system_call(it: SystemCall) -> str:
    call = f"{it.function}({_arguments(it.arguments)})"
    # CALL names its column after the function, SELECT as it is told to.
    if it.column == it.function:
        return "CALL " + call
    return f"SELECT {call} AS {identifier(it.column)}"


def service_call(it: ServiceCall) -> str:
    return f"CALL {name(it.service)}!{it.function}({_arguments(it.arguments)})"


def _arguments(values: tuple[Literal, ...]) -> str:
    return ", ".join(map(_argument, values))


def _argument(value: Literal) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case str():
            return literal(value)
        case _:
            return repr(value)
