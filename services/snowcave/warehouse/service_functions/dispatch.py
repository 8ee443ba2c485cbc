"""Service functions of one statement, called: arguments out, answers back in their rows."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import ArrowFunction, Context, Relation
from snowcave.warehouse.results.keeping import Keeper
from snowcave.warehouse.service_functions.callbacks import Callbacks
from snowcave.warehouse.service_functions.calling import Calling
from snowcave.warehouse.service_functions.invoke import Invoker
from snowcave.warehouse.service_functions.preparing import Asked, Means, Preparation
from snowcave.warehouse.sessions import Session, Sessions
from snowcave.warehouse.settings import CallSettings


@dataclass
class Prepared:
    """A statement that the engine can run."""

    statement: Any
    relations: list[Relation]
    callbacks: Callbacks
    functions: list[ArrowFunction] = field(default_factory=list[ArrowFunction])
    # Whose last answers may come while the statement runs.
    calling: Calling | None = None

    @property
    def error(self) -> Exception | None:
        """What a call raised while the statement ran; the engine knows its text at the most."""
        return self.callbacks.error or (self.calling.error if self.calling else None)

    def cancel(self) -> None:
        """End what the statement waits for; on the event loop."""
        self.callbacks.cancel()
        if self.calling is not None:
            self.calling.cancel()


class Dispatch:
    def __init__(
        self, sessions: Sessions, invoker: Invoker, keeper: Keeper, settings: CallSettings
    ) -> None:
        self._means = Means(sessions, invoker, keeper, settings)

    @asynccontextmanager
    async def prepared(
        self,
        session: Session,
        statement: Any,
        functions: Sequence[pb.FunctionBinding],
        query_id: str,
        context: Context,
        relations: Sequence[Relation],
    ) -> AsyncGenerator[Prepared]:
        """Call what can be called before the statement; make functions of the rest.

        A statement that just writes down the answers may begin before the last of them have come; leaving
        ends all calls. Raises SnowcaveError.
        """
        asked = Asked(session, statement, functions, query_id, context, relations)
        made = Preparation(self._means, asked)
        async with AsyncExitStack() as stack:
            await made.ahead(stack)
            callbacks, rest = made.rest()
            yield Prepared(made.statement, made.relations, callbacks, rest, made.calling)
