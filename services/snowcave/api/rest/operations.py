"""Operations of the REST API as data: one entry gives the route, what is checked, and the documentation."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.rest.models import SUCCESS, Json, Model, Row
from snowcave.api.rest.names import decoded

PREFIX = "/api/v2"
_BOOLEANS = {"true": True, "false": False}
MOST_SHOWN = 10_000


@dataclass(frozen=True)
class Parameter:
    """Of the address, after the question mark. `kind`: string, boolean or integer."""

    name: str
    kind: str = "string"
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 2**31 - 1
    required: bool = False

    def read(self, text: str) -> Any:
        """Raises RequestInvalid."""
        if self.kind == "boolean":
            if text.lower() not in _BOOLEANS:
                raise RequestInvalid(f"{self.name} must be true or false.")
            return _BOOLEANS[text.lower()]
        if self.kind == "integer":
            sound = text.isascii() and text.isdecimal() and len(text) < 12
            if not sound or not self.least <= int(text) <= self.most:
                raise RequestInvalid(
                    f"{self.name} must be a whole number from {self.least} to {self.most}."
                )
            return int(text)
        if self.choices and text not in self.choices:
            raise RequestInvalid(f"{self.name} must be one of {', '.join(self.choices)}.")
        return text

    def schema(self) -> Json:
        shown: Json = {"type": self.kind}
        if self.kind == "integer":
            shown |= {"minimum": self.least, "maximum": self.most}
        if self.choices:
            shown["enum"] = list(self.choices)
        return shown


CREATE_MODE = Parameter("createMode", choices=("errorIfExists", "orReplace", "ifNotExists"))
IF_EXISTS = Parameter("ifExists", "boolean")
LIKE = Parameter("like")
STARTS_WITH = Parameter("startsWith")
FROM_NAME = Parameter("fromName")
SHOW_LIMIT = Parameter("showLimit", "integer", least=1, most=MOST_SHOWN)
PAGE = Parameter("page", "integer", most=MOST_SHOWN)
FILTERS = (LIKE, STARTS_WITH, SHOW_LIMIT, FROM_NAME)

Action = Callable[[Any], Awaitable[Any]]


@dataclass(frozen=True)
class Many:
    """A list of one model, in a body or an answer."""

    model: Model


@dataclass(frozen=True)
class Operation:
    """`path` from behind /api/v2; a `:word` at its end is part of it. `answer` None: any JSON object."""

    id: str
    method: str
    path: str
    action: Action
    query: tuple[Parameter, ...] = ()
    body: Model | Many | None = None
    answer: Model | Many | None = SUCCESS
    # Why it answers 501, where it does.
    meaningless: str = ""
    aliases: tuple[str, ...] = ()
    # Of a list: how a row becomes an element of the answer.
    shape: Callable[[Row], Json] | None = None
    # Parts of the path that are no identifiers.
    free: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """What stands in braces in the path."""
        return tuple(
            part.partition("}")[0][1:] for part in self.path.split("/") if part.startswith("{")
        )


@dataclass(frozen=True)
class _Pattern:
    """Literal parts, None for a name; and what follows a colon in the last part."""

    parts: tuple[str | None, ...]
    verb: str


@dataclass(frozen=True)
class Match:
    operation: Operation
    names: Mapping[str, str]


@dataclass
class Routes:
    """Finds the operation of a request."""

    operations: Sequence[Operation]
    _by_shape: dict[tuple[int, str], list[tuple[_Pattern, Operation]]] = field(
        default_factory=dict[tuple[int, str], list[tuple[_Pattern, Operation]]]
    )

    def __post_init__(self) -> None:
        for one in self.operations:
            for path in (one.path, *one.aliases):
                pattern = _pattern(path)
                shape = (len(pattern.parts), pattern.verb)
                self._by_shape.setdefault(shape, []).append((pattern, one))
        for found in self._by_shape.values():
            # /compute-pools/instance-families before /compute-pools/{name}.
            found.sort(key=lambda one: sum(part is None for part in one[0].parts))

    def find(self, method: str, raw_path: str) -> Match | tuple[str, ...]:
        """The match; else the methods that the path has, none where there is no such path."""
        parts = raw_path.strip("/").split("/")
        last, colon, verb = parts[-1].rpartition(":")
        candidates: list[tuple[list[str], str]] = [(parts, "")]
        if colon:
            candidates.insert(0, ([*parts[:-1], last], verb))
        allowed: dict[str, None] = {}
        for given, word in candidates:
            for pattern, one in self._by_shape.get((len(given), word), ()):
                names = _matched(pattern, given, one)
                if names is None:
                    continue
                if one.method == method:
                    return Match(one, names)
                allowed[one.method] = None
        return tuple(allowed)


def _pattern(path: str) -> _Pattern:
    parts = path.strip("/").split("/")
    last, _, verb = parts[-1].partition(":")
    parts[-1] = last
    return _Pattern(tuple(None if one.startswith("{") else one for one in parts), verb)


def _matched(pattern: _Pattern, given: Sequence[str], one: Operation) -> dict[str, str] | None:
    found: list[str] = []
    for wanted, part in zip(pattern.parts, given, strict=True):
        if wanted is None and part:
            found.append(decoded(part))
        elif wanted != part:
            return None
    return dict(zip(one.names, found, strict=True))


def read_query(operation: Operation, text: str) -> dict[str, Any]:
    """The parameters that were given; what else stands there is not looked at. Raises RequestInvalid."""
    given = dict(_pair(one) for one in text.split("&") if one)
    found: dict[str, Any] = {}
    for one in operation.query:
        if one.name in given:
            found[one.name] = one.read(given[one.name])
        elif one.required:
            raise RequestInvalid(f"{one.name} is missing.")
    return found


def _pair(text: str) -> tuple[str, str]:
    """snowflake.core sends patterns as they are, so `%DB` may stand for itself."""
    name, _, value = text.partition("=")
    try:
        return name, unquote_to_bytes(value.replace("+", " ")).decode()
    except UnicodeDecodeError:
        return name, value
