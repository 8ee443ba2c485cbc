"""How api tells the warehouse which of a caller's rights are left to the service that acts for them. Pure.

It is told in the same words as rights are: in the privileges on a schema stands also what is left on all
objects of a kind in it, in those on an object, under a prefix, what is left on it alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from snowcave.model.privileges import CALLER

Place = tuple[str, str]

# No schema has this name: its privileges are about the whole statement.
NOWHERE: Place = ("", "")
LIMITED = "LIMITED"
# The caller has every privilege, whoever owns the object.
HAS_ALL = "ALL"


def left_on(kind: str, privilege: str) -> str:
    return f"{CALLER}{privilege} ON {kind.upper().replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Left:
    """`privileges` may be used on an object, of those that the caller has."""

    privileges: frozenset[str]
    has_all: bool

    def allows(self, privilege: str) -> bool:
        """An empty one: any."""
        return privilege in self.privileges if privilege else bool(self.privileges)


def left(
    schemas: Mapping[Place, frozenset[str]],
    in_schema: Collection[str],
    held: Collection[str],
    kind: str,
) -> Left | None:
    """Of an object of this kind. None: nobody acts for anybody else, and all that is held counts."""
    told = schemas.get(NOWHERE, frozenset[str]())
    if LIMITED not in told:
        return None
    end = f" ON {kind.upper()}"
    of_kind = {
        one.removeprefix(CALLER).removesuffix(end)
        for one in in_schema
        if one.startswith(CALLER) and one.endswith(end)
    }
    own = {one.removeprefix(CALLER) for one in held if one.startswith(CALLER)}
    return Left(frozenset(of_kind | own), HAS_ALL in told)
