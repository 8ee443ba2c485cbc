"""What a statement's handler works with."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.contract import (
    Ddl,
    LogReader,
    QueryHandle,
    Renderer,
    Resolver,
    Results,
    SessionContext,
    StageFiles,
    Tickets,
    Variables,
)
from snowcave.api.secrets.sealing import Sealer
from snowcave.api.settings import StatementSettings
from snowcave.api.statements.caller import Caller
from snowcave.kit import ids
from snowcave.kit.clock import Clock
from snowcave.model.errors import NotAuthorized
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True)
class Ports:
    """The other daemons, as statements need them."""

    resolver: Resolver
    ddl: Ddl
    logs: LogReader
    results: Results
    stages: StageFiles
    tickets: Tickets
    renderer: Renderer
    sealer: Sealer
    variables: Variables


@dataclass(frozen=True)
class Work:
    """One attempt of one statement. Handlers change `context`, which is a copy."""

    catalog: Catalog
    caller: Caller
    context: SessionContext
    query: QueryHandle
    ports: Ports
    mesh: Mesh
    settings: StatementSettings
    clock: Clock
    rng: random.Random
    # What WITH TAG of a CREATE gave, by the tags' uids.
    tags: dict[int, str] = field(default_factory=dict[int, str])

    def now(self) -> Timestamp:
        stamp = Timestamp()
        stamp.FromDatetime(self.clock.now())
        return stamp

    def owner(self) -> int:
        """The role that owns what the statement makes."""
        if not self.caller.primary:
            raise NotAuthorized("account without a role in use")
        return self.context.role_uid or self._role_uid()

    def _role_uid(self) -> int:
        found = self.catalog.named("role", 0, self.context.role)
        return found.message.uid if found else 0

    def new(self, name: str, parent: int = 0, comment: str = "") -> state.Object:
        """An object with everything but its body."""
        now = self.now()
        return state.Object(
            uid=ids.uid(self.rng),
            name=name,
            parent=parent,
            owner_role=self.owner(),
            comment=comment,
            created_on=now,
            updated_on=now,
        )

    def changed(self, found: state.Object) -> state.Object:
        """A copy to be changed, stamped."""
        copy = state.Object()
        copy.CopyFrom(found)
        copy.updated_on.CopyFrom(self.now())
        return copy


def moment(stamp: Timestamp) -> datetime | None:
    """A timestamp as a cell."""
    return stamp.ToDatetime(UTC) if stamp.seconds or stamp.nanos else None
