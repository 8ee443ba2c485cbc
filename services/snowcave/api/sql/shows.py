"""SHOW of what api keeps, with its filters in any order."""

from collections.abc import Callable
from dataclasses import replace

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.domains import WORDS
from snowcave.api.sql.grants import parse_show_caller_grants, parse_show_grants
from snowcave.api.sql.tree import Scope, Show, ShowParameters, Statement
from snowcave.api.sql.users import show_tokens
from snowcave.api.sql.workloads import read_types
from snowcave.model.names import ObjectName

# The words after SHOW → the kind. Longer ones first where one begins like another.
_KINDS: tuple[tuple[str, ...], ...] = (
    ("COMPUTE", "POOL", "INSTANCE", "FAMILIES"),
    ("COMPUTE", "POOLS"),
    ("NODES",),
    ("IMAGE", "REPOSITORIES"),
    ("IMAGES",),
    ("SERVICE", "INSTANCES"),
    ("SERVICE", "CONTAINERS"),
    ("SERVICES",),
    ("STAGES",),
    ("SNAPSHOTS",),
    ("SECRETS",),
    ("NETWORK", "RULES"),
    ("EVENT", "TABLES"),
    ("EXTERNAL", "ACCESS", "INTEGRATIONS"),
    ("SECURITY", "INTEGRATIONS"),
    ("INTEGRATIONS",),
    ("TAGS",),
    ("ENDPOINTS",),
    ("DATABASES",),
    ("SCHEMAS",),
    ("ROLES",),
    ("USERS",),
    ("WAREHOUSES",),
    ("USER", "FUNCTIONS"),
    ("FUNCTIONS",),
)
# Those that stand IN one object, which must be named: the words for it.
_OF_ONE: dict[str, tuple[str, ...]] = {
    "IMAGES": ("IMAGE", "REPOSITORY"),
    "SERVICE INSTANCES": ("SERVICE",),
    "SERVICE CONTAINERS": ("SERVICE",),
    "ENDPOINTS": ("SERVICE",),
    "NODES": ("COMPUTE", "POOL"),
}


def parse_show(cursor: Cursor) -> Statement | None:
    cursor.expect("SHOW")
    if cursor.accept("GRANTS"):
        return parse_show_grants(cursor)
    if cursor.accept("CALLER", "GRANTS"):
        return parse_show_caller_grants(cursor)
    if cursor.accept("FUTURE", "GRANTS"):
        return parse_show_grants(cursor, future=True)
    if cursor.accept("USER", "PROGRAMMATIC", "ACCESS", "TOKENS") or cursor.accept("USER", "PATS"):
        return show_tokens(cursor)
    if cursor.accept("PARAMETERS"):
        return _parameters(cursor)
    terse = cursor.accept("TERSE")
    flags = {"JOB"} if cursor.accept("JOB") else set[str]()
    kind = next((words for words in _KINDS if cursor.accept(*words)), None)
    if kind is None:
        _refuse_near(cursor, job=bool(flags))
        return None
    if flags and kind != ("SERVICES",):
        raise cursor.unexpected("SERVICES")
    if kind == ("SERVICES",) and not flags and cursor.accept("EXCLUDE"):
        cursor.expect("JOBS")
        flags.add("EXCLUDE JOBS")
    if cursor.accept("HISTORY"):
        flags.add("HISTORY")
    show = _filters(cursor, Show(" ".join(kind), terse, flags=frozenset(flags)))
    cursor.end()
    return _checked(cursor, show)


def _refuse_near(cursor: Cursor, *, job: bool) -> None:
    """Raises where the words could only have become one of our kinds: SHOW SERVICE FOO."""
    if job:
        raise cursor.unexpected("SERVICES")
    if not cursor.at_one("COMPUTE", "IMAGE", "SERVICE"):
        return
    far = max(_met(cursor, words) for words in _KINDS)
    further = [words[far] for words in _KINDS if _met(cursor, words) == far]
    raise cursor.unexpected(
        ", ".join(dict.fromkeys(f"'{word}'" for word in further)), cursor.peek(far)
    )


def _met(cursor: Cursor, words: tuple[str, ...]) -> int:
    """How many of the words come next."""
    return next(
        (count for count in range(len(words)) if not cursor.at(*words[: count + 1])), len(words)
    )


def _checked(cursor: Cursor, show: Show) -> Show:
    if show.kind in _OF_ONE and show.scope is None:
        raise cursor.unexpected("IN " + " ".join(_OF_ONE[show.kind]))
    if show.kind == "ROLES" and show.scope and show.scope.domain == "service":
        return replace(show, kind="ROLES IN SERVICE")
    if show.kind == "USER FUNCTIONS":
        return replace(show, kind="FUNCTIONS")
    return show


def _filters(cursor: Cursor, show: Show) -> Show:
    readers: dict[str, Callable[[Show], Show]] = {
        "LIKE": lambda show: replace(show, like=cursor.string()),
        "IN": lambda show: replace(show, scope=_scope(cursor, show.kind)),
        "STARTS": lambda show: replace(show, starts_with=_starts_with(cursor)),
        "LIMIT": lambda show: _limit(cursor, show),
    }
    if show.kind == "SERVICES":
        readers["OF"] = lambda show: replace(show, types=read_types(cursor))
    while (word := cursor.peek().value) in readers and cursor.accept(word):
        show = readers[word](show)
    return show


def _starts_with(cursor: Cursor) -> str:
    cursor.expect("WITH")
    return cursor.string()


def _limit(cursor: Cursor, show: Show) -> Show:
    if cursor.at("-"):
        raise cursor.unexpected("integer")
    limit = cursor.integer()
    name = cursor.string() if cursor.accept("FROM") else None
    return replace(show, limit=limit, from_name=name)


def _scope(cursor: Cursor, kind: str) -> Scope:
    words = _OF_ONE.get(kind)
    if words is None:
        return read_scope(cursor)
    # The words may be left out: nothing else could be meant.
    cursor.accept(*words)
    return Scope(WORDS[words], cursor.name())


def read_scope(cursor: Cursor) -> Scope:
    """After IN: a container, the account, or the one object whose parts are shown."""
    if cursor.accept("ACCOUNT"):
        return Scope("account")
    for words, domain in WORDS.items():
        if cursor.accept(*words):
            return Scope(domain, _scope_name(cursor, domain))
    # A bare name is a database, or db.schema.
    name = cursor.name()
    if name.schema:
        return Scope("schema", ObjectName(name.name, database=name.schema))
    return Scope("database", name)


def _scope_name(cursor: Cursor, domain: str) -> ObjectName | None:
    if not cursor.peek().is_name or cursor.at_one("LIKE", "STARTS", "LIMIT"):
        return None
    name = cursor.name()
    if domain == "schema":
        return ObjectName(name.name, database=name.schema)
    return name


def _parameters(cursor: Cursor) -> ShowParameters:
    like: str | None = None
    scope: Scope | None = None
    while cursor.at_one("LIKE", "IN", "FOR"):
        if cursor.accept("LIKE"):
            like = cursor.string()
            continue
        cursor.take()
        scope = Scope("session") if cursor.accept("SESSION") else read_scope(cursor)
    cursor.end()
    return ShowParameters(like, scope)
