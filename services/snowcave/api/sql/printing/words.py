"""Names, literals and properties as text."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from snowcave.api.sql import properties
from snowcave.api.sql.domains import WORDS
from snowcave.api.sql.event_tables import CLUSTER_BY
from snowcave.api.sql.lexer import literal
from snowcave.api.sql.tags import ALLOWED_VALUES
from snowcave.api.sql.tree import Existing
from snowcave.model.names import ObjectName, quoted
from snowcave.model.stage_path import StagePath

# Words that the parser looks for where a name may stand as well; between quotes they are names.
_LOOKED_FOR = """
    ABORT ACCOUNT ADD ALL APPLICATION AS BY CALLED CASCADE CLONE COPY CURRENT DATABASE DROP EXCLUDE EXISTS
    FALSE FOR FORCE FROM FUTURE GRANT GRANTS HISTORY IDENTIFIER IF IMMUTABLE IN INSTANCE INSTANCES IS JOB JOBS
    LANGUAGE LIKE LIMIT MANAGED MASKING MODIFY NOT NULL OF ON OPTION OR PAT PROGRAMMATIC REFRESH REMOVE RENAME
    REPLACE RESTORE RESTRICT RESUME RETURNS REVOKE ROLES ROTATE SECONDARY SESSION SET SPEC SPEC_TEMPLATE
    SPECIFICATION SPECIFICATION_FILE SPECIFICATION_TEMPLATE SPECIFICATION_TEMPLATE_FILE STARTS STOP STRICT
    SUSPEND SUSPENDED TAG TEMP TEMPORARY TERSE TO TRANSIENT TRUE TYPE UNSET USING VOLATILE VOLUME WITH
"""
_GRAMMAR = frozenset(_LOOKED_FOR.split())
_PROPERTIES = frozenset(
    name
    for table in (*properties.CREATE.values(), *properties.SET.values(), properties.JOB)
    for name in table
)
_DOMAINS = frozenset(word for words in WORDS for word in words)
KEYWORDS = _GRAMMAR | _PROPERTIES | _DOMAINS | {ALLOWED_VALUES}
# The words of a domain, as few as will do.
_WORDS = {
    domain: " ".join(words)
    for words, domain in sorted(WORDS.items(), key=lambda item: -len(item[0]))
}


def joined(*parts: str) -> str:
    """The parts that say something, with spaces between them."""
    return " ".join(part for part in parts if part)


def given(condition: object, words: str) -> str:
    return words if condition else ""


def or_what(existing: Existing) -> str:
    """What stands behind CREATE."""
    return {Existing.REPLACE: "OR REPLACE", Existing.ALTER: "OR ALTER"}.get(existing, "")


def if_new(existing: Existing) -> str:
    """What stands before the name of what is created."""
    return given(existing is Existing.KEEP, "IF NOT EXISTS")


def domain_words(domain: str) -> str:
    return _WORDS[domain]


def plural_words(domain: str) -> str:
    words = _WORDS[domain]
    return words[:-1] + "IES" if words.endswith("REPOSITORY") else words + "S"


def identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if text in KEYWORDS else quoted(text)


def name(of: ObjectName) -> str:
    return ".".join(identifier(part) for part in (of.database, of.schema, of.name) if part)


def arguments(types: tuple[str, ...] | None) -> str:
    """Of a function, by which its overloads are told apart."""
    return "" if types is None else "(" + ", ".join(types) + ")"


def stage(path: StagePath) -> str:
    return literal(path.spelling + ("/" + path.path if path.path else ""))


def of_type(types: tuple[str, ...]) -> str:
    return given(types, "OF TYPE " + ", ".join(types))


def options(values: Mapping[str, Any]) -> str:
    return " ".join(_option(key, value) for key, value in values.items())


def tags(values: Mapping[ObjectName, str]) -> str:
    return ", ".join(f"{name(key)} = {literal(value)}" for key, value in values.items())


def strings(values: Iterable[str]) -> str:
    return ", ".join(map(literal, values))


def _option(key: str, value: Any) -> str:
    if key == "TAG":
        return f"TAG ({tags(value)})"
    if key == ALLOWED_VALUES:
        return f"{ALLOWED_VALUES} {strings(value)}"
    if key == CLUSTER_BY:
        return f"CLUSTER BY ({value})"
    return f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).upper()
        case int():
            return str(value)
        case str():
            return literal(value)
        case ObjectName():
            return name(value)
        case Mapping():
            pairs = cast("Mapping[str, str]", value).items()
            return "(" + ", ".join(f"{identifier(k)} = {literal(v)}" for k, v in pairs) + ")"
        case _:
            return "(" + ", ".join(map(_value, value)) + ")"
