"""Files on stages."""

from dataclasses import dataclass

from snowcave.api.sql.options import Options
from snowcave.model.stage_path import StagePath


@dataclass(frozen=True, slots=True)
class PutFiles:
    """`local` is what stands after file://; the client expands what stars are in it."""

    local: str
    stage: StagePath
    options: Options


@dataclass(frozen=True, slots=True)
class GetFiles:
    stage: StagePath
    local: str
    options: Options


@dataclass(frozen=True, slots=True)
class ListFiles:
    stage: StagePath
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    stage: StagePath
    pattern: str = ""
