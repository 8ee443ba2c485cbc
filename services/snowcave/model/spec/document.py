"""YAML to a small tree that keeps each scalar's own spelling: `1.10` stays `1.10`, `22:22` stays `22:22`.

Bounds: the text, the depth and the number of nodes, so that aliases cannot blow a small text up.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from snowcave.model.errors import SpecInvalid

_MAX_TEXT = 128 * 1024
_MAX_DEPTH = 24
_MAX_NODES = 20_000
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class Scalar:
    text: str
    quoted: bool

    @property
    def is_null(self) -> bool:
        return not self.quoted and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    items: dict[str, "Node"]


Node = Scalar | Sequence | Mapping


def load(text: str) -> Node:
    """The document's tree. Raises SpecInvalid with line and column where it is not YAML."""
    if len(text) > _MAX_TEXT:
        raise SpecInvalid(f"the specification is longer than {_MAX_TEXT} characters")
    try:
        # Tabs cannot indent YAML, but SQL editors like to put one at the ends of a $$ text.
        root = yaml.compose(text.rstrip(" \t"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise SpecInvalid(_sentence(error)) from None
    except yaml.YAMLError as error:
        raise SpecInvalid(f"invalid YAML: {str(error).splitlines()[0]}") from None
    except (ValueError, OverflowError):
        # An escape such as "\UFFFFFFFF" names no character.
        raise SpecInvalid("invalid YAML: a value cannot be read") from None
    except RecursionError:
        raise SpecInvalid("invalid YAML: nested too deeply") from None
    if root is None:
        raise SpecInvalid("missing 'spec'")
    return _Converter().convert(root, 0)


def _sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    what = error.problem or error.context or "malformed"
    return f"invalid YAML{place}: {what}"


class _Converter:
    def __init__(self) -> None:
        self._left = _MAX_NODES

    def convert(self, node: Any, depth: int) -> Node:
        self._left -= 1
        if depth > _MAX_DEPTH or self._left < 0:
            raise SpecInvalid("invalid YAML: nested too deeply or too large")
        if isinstance(node, yaml.MappingNode):
            return Mapping(self._items(node, depth))
        if isinstance(node, yaml.SequenceNode):
            return Sequence(tuple(self.convert(item, depth + 1) for item in node.value))
        return Scalar(_clean(str(node.value)), quoted=node.style is not None)

    def _items(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise SpecInvalid(
                    f"invalid YAML at line {key.start_mark.line + 1}: key is no text"
                )
            name = _clean(str(key.value))
            if name in found:
                line = key.start_mark.line + 1
                raise SpecInvalid(f"invalid YAML at line {line}: duplicate key '{name}'")
            found[name] = self.convert(value, depth + 1)
        return found


def _clean(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise SpecInvalid("invalid YAML: half of a surrogate pair is no character")
    return text
