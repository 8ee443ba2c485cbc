"""Typed access to one mapping of the specification, with Snowflake's words for what is wrong."""

import re
from collections.abc import Iterator

from snowcave.model.errors import SpecInvalid
from snowcave.model.spec.document import Mapping, Node, Scalar, Sequence

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")


def invalid(value: str, key: str, place: str, why: str = "") -> SpecInvalid:
    tail = f": {why}" if why else "."
    return SpecInvalid(f"invalid value '{value[:200]}' for '{key}' in '{place}'{tail}")


class Fields:
    """A mapping at `place`, of which only `known` keys may be there. Nulls count as not given."""

    def __init__(self, node: Node, place: str, known: tuple[str, ...]) -> None:
        if not isinstance(node, Mapping):
            raise SpecInvalid(
                f"'{place}' must be a mapping of options"
                if place
                else "it must be a mapping that begins with 'spec:'"
            )
        self.place = place
        self._items = {
            key: value
            for key, value in node.items.items()
            if not (isinstance(value, Scalar) and value.is_null)
        }
        for key in node.items:
            if key not in known:
                suffix = f" for '{place}'." if place else "."
                raise SpecInvalid(f"unknown option '{key}'{suffix}")

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def need(self, key: str) -> Node:
        if key not in self._items:
            suffix = f" for '{self.place}'" if self.place else ""
            raise SpecInvalid(f"missing '{key}'{suffix}")
        return self._items[key]

    def text(self, key: str, default: str | None = None) -> str:
        """Required where there is no default."""
        if key not in self._items and default is not None:
            return default
        node = self.need(key)
        if not isinstance(node, Scalar):
            raise SpecInvalid(f"'{key}' in '{self.place}' must be a single value")
        return node.text

    def name(self, key: str = "name") -> str:
        """Names of containers, endpoints and volumes."""
        text = self.text(key)
        if not _NAME.fullmatch(text):
            raise invalid(
                text,
                key,
                self.place,
                "at most 63 lower-case letters, digits and hyphens, beginning with a letter "
                "and ending with a letter or digit",
            )
        return text

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        if key not in self._items and default is not None:
            return default
        text = self.text(key)
        if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
            raise invalid(text, key, self.place, f"an integer from {low} to {high} is expected")
        return int(text)

    def boolean(self, key: str, default: bool) -> bool:
        if key not in self._items:
            return default
        text = self.text(key)
        if text.lower() not in ("true", "false"):
            raise invalid(text, key, self.place, "true or false is expected")
        return text.lower() == "true"

    def one_of(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """Choices are written in upper case and compared without case."""
        if key not in self._items and default is not None:
            return default
        text = self.text(key)
        if text.upper() not in choices:
            raise invalid(text, key, self.place, f"one of {', '.join(choices)} is expected")
        return text.upper()

    def texts(self, key: str) -> list[str]:
        """A list of single values; empty where not given."""
        return [self._item_text(key, node) for node in self._list(key)]

    def child(self, key: str, known: tuple[str, ...]) -> "Fields | None":
        return Fields(self._items[key], key, known) if key in self._items else None

    def children(self, key: str, known: tuple[str, ...]) -> Iterator["Fields"]:
        """The mappings of a list, with places such as `endpoints[0]`."""
        for index, node in enumerate(self._list(key)):
            yield Fields(node, f"{key}[{index}]", known)

    def pairs(self, key: str) -> dict[str, str]:
        """A mapping of free keys to single values in their own spelling. A null is the empty text."""
        node = self._items.get(key, Mapping({}))
        if not isinstance(node, Mapping):
            raise SpecInvalid(f"'{key}' in '{self.place}' must be a mapping of names to values")
        return {name: self._pair_text(key, name, value) for name, value in node.items.items()}

    def _list(self, key: str) -> tuple[Node, ...]:
        node = self._items.get(key, Sequence(()))
        if not isinstance(node, Sequence):
            raise SpecInvalid(f"'{key}' in '{self.place}' must be a list")
        return node.items

    def _item_text(self, key: str, node: Node) -> str:
        if not isinstance(node, Scalar):
            raise SpecInvalid(f"'{key}' in '{self.place}' must be a list of single values")
        return node.text

    def _pair_text(self, key: str, name: str, node: Node) -> str:
        if not isinstance(node, Scalar):
            raise SpecInvalid(f"'{name}' in '{key}' must be a single value")
        return "" if node.is_null else node.text


def not_yet(key: str, place: str) -> SpecInvalid:
    return SpecInvalid(
        f"option '{key}' for '{place}' is not supported by this version of Snowcave."
    )


def plural(fields: Fields, key: str) -> str:
    """Samples in the documents also write the singular: `container:`, `endpoint:`."""
    single = key.removesuffix("s")
    if single in fields and key in fields:
        raise SpecInvalid(f"both '{single}' and '{key}' for '{fields.place}'")
    return single if single in fields else key


def unique(names: list[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SpecInvalid(f"duplicate {what} name '{name}'")
        seen.add(name)
