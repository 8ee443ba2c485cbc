"""How an agent says for which volume it asks for a stage's files: metadata of its calls."""

from collections.abc import Iterable
from dataclasses import dataclass

_NODE, _INSTANCE, _VOLUME = "snowcave-node", "snowcave-instance", "snowcave-volume"


@dataclass(frozen=True, slots=True)
class StageCaller:
    """Empty where nothing was said."""

    node: str
    instance: str
    volume: str


def metadata(node: str, instance: str, volume: str) -> tuple[tuple[str, str], ...]:
    return ((_NODE, node), (_INSTANCE, instance), (_VOLUME, volume))


def caller(found: Iterable[tuple[str, str | bytes]]) -> StageCaller:
    said = {key: value for key, value in found if isinstance(value, str)}
    return StageCaller(said.get(_NODE, ""), said.get(_INSTANCE, ""), said.get(_VOLUME, ""))
