"""SHOW with its filters, in the order in which none is taken for a part of another."""

from snowcave.api.sql.lexer import literal
from snowcave.api.sql.printing.words import domain_words, given, joined, name, of_type
from snowcave.api.sql.tree import Scope, Show, ShowParameters

_ROLES_IN_SERVICE = "ROLES IN SERVICE"


def show(it: Show) -> str:
    return joined(
        "SHOW",
        given(it.terse, "TERSE"),
        given("JOB" in it.flags, "JOB"),
        # What it shows the roles of, its scope says.
        "ROLES" if it.kind == _ROLES_IN_SERVICE else it.kind,
        given("EXCLUDE JOBS" in it.flags, "EXCLUDE JOBS"),
        given("HISTORY" in it.flags, "HISTORY"),
        like(it.like),
        of_type(it.types),
        given(it.scope, "IN " + scope(it.scope)),
        "" if it.starts_with is None else "STARTS WITH " + literal(it.starts_with),
        limit(it.limit),
        "" if it.from_name is None else "FROM " + literal(it.from_name),
    )


def show_parameters(it: ShowParameters) -> str:
    return joined("SHOW PARAMETERS", like(it.like), given(it.scope, "IN " + scope(it.scope)))


def like(pattern: str | None) -> str:
    return "" if pattern is None else "LIKE " + literal(pattern)


def limit(most: int | None) -> str:
    return "" if most is None else f"LIMIT {most}"


def scope(of: Scope | None) -> str:
    if of is None:
        return ""
    if of.domain in ("account", "session"):
        return of.domain.upper()
    return joined(domain_words(of.domain), name(of.name) if of.name else "")
