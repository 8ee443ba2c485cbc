"""The values of USING (…), and how a template's `{{ … }}` writes them.

A value in quotes is JSON where it is a string, a map or a list of JSON, and otherwise the text itself; one
without quotes is a truth value, null, a number or a word. Written, they are JSON again, but for texts, which
stand bare.
"""

import json
import math
from typing import Any

from snowcave.model.errors import TemplateFailed

# Of one value as given, in characters.
_LONGEST = 256 << 10
_DEEPEST = 64
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


def read_value(key: str, text: str, quoted: bool) -> object:
    """Raises TemplateFailed."""
    if len(text) > _LONGEST:
        raise TemplateFailed(f"the value of '{key}' is longer than {_LONGEST} characters.")
    if not quoted:
        return _WORDS[text.lower()] if text.lower() in _WORDS else _number(text)
    if text.strip()[:1] not in ('"', "[", "{"):
        return text
    try:
        value: Any = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        if text.strip()[0] == '"':
            return text
        raise TemplateFailed(f"the value of '{key}' is not valid JSON.") from None
    if not _is_flat(value, _DEEPEST):
        raise TemplateFailed(f"the value of '{key}' is nested deeper than {_DEEPEST} levels.")
    return value


def written(value: object) -> str:
    """As `{{ value }}` puts it into the specification."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _number(text: str) -> object:
    """A number where it would be written the same; else the text: 1.10 stays 1.10."""
    for kind in (int, float):
        try:
            value = kind(text[:400])
        except ValueError:
            continue
        if json.dumps(value) == text:
            return value
    return text


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def _is_flat(value: object, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return True
    parts: list[object] = list(value.values()) if isinstance(value, dict) else value  # type: ignore[assignment]
    return levels > 0 and all(_is_flat(part, levels - 1) for part in parts)
