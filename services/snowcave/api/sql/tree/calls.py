"""Functions of the system and of services, called."""

from dataclasses import dataclass

from snowcave.model.names import ObjectName

Literal = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class SystemCall:
    """SELECT or CALL of one of our SYSTEM$ functions. `column` names the result."""

    function: str
    arguments: tuple[Literal, ...]
    column: str


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """CALL service!SPCS_…(…)."""

    service: ObjectName
    function: str
    arguments: tuple[Literal, ...]
