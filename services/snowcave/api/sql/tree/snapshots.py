"""Snapshots of block volumes."""

from dataclasses import dataclass, field

from snowcave.api.sql.options import Options
from snowcave.api.sql.tree.objects import Existing
from snowcave.model.names import ObjectName


@dataclass(frozen=True, slots=True)
class CreateSnapshot:
    """The volume's name keeps its case."""

    name: ObjectName
    existing: Existing
    service: ObjectName
    volume: str
    instance_id: int
    options: Options = field(default_factory=Options)
