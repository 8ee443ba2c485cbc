"""Where a service or job takes its specification from."""

from collections.abc import Mapping
from dataclasses import dataclass

from snowcave.model.stage_path import StagePath


@dataclass(frozen=True, slots=True)
class SpecSource:
    """FROM SPECIFICATION …: the text itself, or a file on a stage.

    With `values` it is a template; each value is text and whether it stood between quotes.
    """

    text: str = ""
    stage: StagePath | None = None
    file: str = ""
    values: Mapping[str, tuple[str, bool]] | None = None
