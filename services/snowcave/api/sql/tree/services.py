"""Services, jobs and service functions."""

from dataclasses import dataclass

from snowcave.api.sql.options import Options
from snowcave.api.sql.tree.objects import Existing
from snowcave.api.sql.tree.specifications import SpecSource
from snowcave.api.sql.types import DataType
from snowcave.model.names import ObjectName


@dataclass(frozen=True, slots=True)
class CreateService:
    name: ObjectName
    existing: Existing
    compute_pool: str
    source: SpecSource
    options: Options


@dataclass(frozen=True, slots=True)
class ExecuteJob:
    """No name: one is made of the statement's query id."""

    name: ObjectName | None
    compute_pool: str
    source: SpecSource
    options: Options


@dataclass(frozen=True, slots=True)
class CreateFunction:
    name: ObjectName
    existing: Existing
    arguments: tuple[tuple[str, DataType], ...]
    returns: DataType
    strict: bool
    immutable: bool
    path: str
    options: Options


@dataclass(frozen=True, slots=True)
class RestoreVolume:
    """ALTER SERVICE … RESTORE VOLUME "v" INSTANCES 0,2 FROM SNAPSHOT s. The volume's name keeps its case."""

    service: ObjectName
    if_exists: bool
    volume: str
    instances: tuple[int, ...]
    snapshot: ObjectName
