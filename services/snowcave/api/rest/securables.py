"""What grants are about, as the two APIs of grants say it: in a body, or in the path."""

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.rest.models import Json, Row
from snowcave.api.rest.names import any_name, identifier, with_arguments
from snowcave.api.sql import tree
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.domains import accept_domain
from snowcave.api.sql.tree import Grantee, Scope, Securable
from snowcave.model.errors import SnowcaveError, Unsupported
from snowcave.model.names import ObjectName, quoted

_WITH_ARGUMENTS = ("function", "procedure")
_GRANTEES = ("ROLE", "USER")


def domain_of(words: str, *, plural: bool = False) -> str:
    """`COMPUTE POOL` → compute_pool. Raises RequestInvalid."""
    cursor = Cursor(words.replace("_", " "))
    try:
        domain = accept_domain(cursor, plural=plural)
        cursor.end()
    except SnowcaveError:
        domain = None
    if domain is None:
        raise RequestInvalid(f"'{words[:64]}' is not a type of securables.")
    return domain


def named(words: str, name: ObjectName, arguments: tuple[str, ...] | None = None) -> Securable:
    if words.upper() == "ACCOUNT":
        return Securable("account")
    domain = domain_of(words)
    if domain == "schema":
        # Parsed as any name: its database stands where others have their schema.
        name = ObjectName(name.name, database=name.database or name.schema)
    return Securable(domain, name, arguments)


def in_body(body: Json) -> Securable:
    """Raises RequestInvalid."""
    words = body["securable_type"]
    if scope := body.get("containing_scope"):
        return Securable(domain_of(words, plural=_is_plural(words)), all_in=container(scope))
    if words.upper() == "ACCOUNT":
        return Securable("account")
    given = body.get("securable")
    if given is None:
        raise RequestInvalid("securable is missing.")
    text, arguments = given["name"], None
    if domain_of(words) in _WITH_ARGUMENTS and "(" in text:
        name, arguments = with_arguments(text)
    else:
        name = identifier(text)
    schema, database = (
        identifier(given[key]) if key in given else "" for key in ("schema", "database")
    )
    return named(words, ObjectName(name, schema, database), arguments)


def _is_plural(words: str) -> bool:
    return words.upper().endswith("S") and not words.upper().endswith("ALIAS")


def container(scope: Json) -> Scope:
    database = identifier(scope["database"])
    if "schema" in scope:
        return Scope("schema", ObjectName(identifier(scope["schema"]), database=database))
    return Scope("database", ObjectName(database))


def in_path(words: str, text: str) -> Securable:
    """`securable_name` of a path: qualified, with argument types where it is a function."""
    if words.upper() == "ACCOUNT":
        return Securable("account")
    before, mark, types = text.partition("(")
    arguments = with_arguments(f"f({types}")[1] if mark else None
    return named(words, any_name(before), arguments)


def scope_in_path(kind: str, text: str) -> Scope:
    name = any_name(text)
    match kind.lower():
        case "database":
            return Scope("database", ObjectName(name.name))
        case "schema":
            return Scope("schema", ObjectName(name.name, database=name.schema))
        case _:
            raise RequestInvalid(f"'{kind[:64]}' is neither a database nor a schema.")


def grantee(kind: str, name: str) -> Grantee:
    if kind.upper() not in _GRANTEES:
        raise Unsupported(f"grants to {kind[:64].upper()}")
    return Grantee(kind.lower(), identifier(name))


def role_granted(body: Json, to: Grantee, *, revoke: bool) -> tree.Statement | None:
    """The grant of a role, or of a service role, where it is one."""
    words, given = body["securable_type"].upper(), body.get("securable")
    if given is None or words not in ("ROLE", "SERVICE ROLE"):
        return None
    name = identifier(given["name"])
    if words == "ROLE":
        if body.get("privileges"):
            return None
        return tree.GrantRole(name, to, revoke)
    service = ObjectName(
        *(
            identifier(given[key]) if key in given else ""
            for key in ("service", "schema", "database")
        )
    )
    return tree.GrantServiceRole(service, name, to, revoke)


def shown(row: Row) -> Json:
    """A row of SHOW GRANTS TO as `securable` and `securable_type`."""
    words = str(row.get("granted_on") or row.get("grant_on") or "").replace("_", " ")
    if words == "ACCOUNT":
        return {"securable_type": words}
    if words == "SERVICE ROLE":
        before, _, role = str(row["name"]).partition("!")
        service = any_name(before)
        found = _parts(ObjectName(role, service.schema, service.database))
        return {
            "securable_type": words,
            "securable": {**found, "service": quoted(service.name)},
        }
    text = str(row["name"]).partition("(")[0]
    try:
        name = any_name(text)
    except RequestInvalid:
        name = ObjectName(text)
    if words == "SCHEMA":
        name = ObjectName(name.name, database=name.schema)
    return {"securable_type": words, "securable": _parts(name)}


def _parts(name: ObjectName) -> Json:
    parts = {"database": name.database, "schema": name.schema, "name": name.name}
    return {key: quoted(value) for key, value in parts.items() if value}
