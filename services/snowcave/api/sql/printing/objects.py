"""CREATE, ALTER, DROP, UNDROP and DESCRIBE of objects that are a name with properties."""

from snowcave.api.sql.event_tables import CLUSTER_BY, COPY_GRANTS
from snowcave.api.sql.printing import services
from snowcave.api.sql.printing.words import (
    arguments,
    domain_words,
    given,
    if_new,
    joined,
    name,
    of_type,
    options,
    or_what,
    strings,
    tags,
)
from snowcave.api.sql.tags import ALLOWED_VALUES
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Drop, Undrop

_INTEGRATIONS = {
    "EXTERNAL_ACCESS": "EXTERNAL ACCESS INTEGRATION",
    "SECURITY": "SECURITY INTEGRATION",
}
_PLAIN = {
    Action.SUSPEND: "SUSPEND",
    Action.RESUME: "RESUME",
    Action.ABORT_ALL: "ABORT ALL QUERIES",
    Action.NOTHING: "REFRESH",
}


def create(it: Create) -> str:
    category = next((words for flag, words in _INTEGRATIONS.items() if flag in it.flags), "")
    return joined(
        "CREATE",
        or_what(it.existing),
        given("TRANSIENT" in it.flags, "TRANSIENT"),
        given("TEMPORARY" in it.flags, "TEMPORARY"),
        category or domain_words(it.domain),
        if_new(it.existing),
        name(it.name),
        given("MANAGED ACCESS" in it.flags, "WITH MANAGED ACCESS"),
        given(COPY_GRANTS in it.flags, COPY_GRANTS),
        options(it.options),
    )


def alter(it: Alter) -> str:
    which = name(it.name) + arguments(it.arguments)
    exists = given(it.if_exists, "IF EXISTS")
    if it.action is Action.TRUNCATE:
        return joined("TRUNCATE", domain_words(it.domain), exists, which)
    return joined("ALTER", domain_words(it.domain), exists, which, _action(it))


def _action(it: Alter) -> str:
    match it.action:
        case Action.SET if CLUSTER_BY in it.options:
            return options(it.options)
        case Action.SET:
            return "SET " + options(it.options)
        case Action.UNSET if it.unset == (CLUSTER_BY,):
            return "DROP CLUSTERING KEY"
        case Action.UNSET:
            return "UNSET " + ", ".join(it.unset)
        case Action.SET_TAG:
            return "SET TAG " + tags(it.options["TAG"])
        case Action.UNSET_TAG:
            return "UNSET TAG " + ", ".join(map(name, it.unset_tags))
        case Action.ADD_VALUES | Action.DROP_VALUES:
            word = "ADD" if it.action is Action.ADD_VALUES else "DROP"
            return f"{word} {ALLOWED_VALUES} {strings(it.options[ALLOWED_VALUES])}"
        case Action.RENAME:
            assert it.new_name is not None
            return "RENAME TO " + name(it.new_name)
        case Action.FROM_SPECIFICATION:
            assert it.source is not None
            return services.source(it.source)
        case Action.STOP_ALL:
            return joined("STOP ALL", of_type(it.types))
        case _:
            return _PLAIN[it.action]


def drop(it: Drop) -> str:
    which = name(it.name) + arguments(it.arguments)
    exists = given(it.if_exists, "IF EXISTS")
    return joined("DROP", domain_words(it.domain), exists, which, given(it.force, "FORCE"))


def undrop(it: Undrop) -> str:
    return joined("UNDROP", domain_words(it.domain), name(it.name))


def describe(it: Describe) -> str:
    return joined("DESCRIBE", domain_words(it.domain), name(it.name) + arguments(it.arguments))
