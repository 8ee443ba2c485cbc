"""Overloads of one statement, settled before its calls are made."""

from collections.abc import Sequence
from typing import Any

from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import Context, Relation
from snowcave.warehouse.service_functions import overloads
from snowcave.warehouse.service_functions.calls import Found
from snowcave.warehouse.sessions import Session, Sessions


async def settle(
    sessions: Sessions,
    session: Session,
    statement: Any,
    functions: Sequence[pb.FunctionBinding],
    context: Context,
    relations: Sequence[Relation],
) -> None:
    """Each call of the statement means one function from here on, inner calls first. Raises SnowcaveError."""

    async def types_of(call: Found) -> list[str] | None:
        if (query := overloads.probe(statement, call, functions)) is None:
            return None
        told = await sessions.thread(session.engine.refusal, query, context, relations)
        return overloads.types_told(told, call)

    while waiting := overloads.unsettled(statement, functions):
        for call in waiting:
            types = await types_of(call)
            if overloads.are_known(call, types):
                overloads.settle(call, types)
                break
        else:
            # Where it cannot be bound whatever its calls mean, running it will say why.
            overloads.settle(waiting[0], await types_of(waiting[0]))
