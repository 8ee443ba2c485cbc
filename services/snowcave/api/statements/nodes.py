"""SHOW NODES IN COMPUTE POOL. Its columns are ours: no source was found."""

from snowcave.api.contract import Cell, Rows
from snowcave.api.sql.tree import Show
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.work import Work, moment
from snowcave.model.names import ObjectName

_SHAPE = columns("name", "compute_pool", "instance_family", "status", "started_on:timestamp_ltz")


async def show_nodes(statement: Show, work: Work) -> Rows:
    """The nodes of the pool whose agent is alive."""
    name = statement.scope.name if statement.scope else None
    pool = work.caller.find("compute_pool", name or ObjectName("")).message
    work.caller.need_any(pool, "OWNERSHIP", "MONITOR", "OPERATE", "MODIFY")
    rows: list[tuple[Cell, ...]] = [
        (node.name, pool.name, pool.compute_pool.instance_family, "READY", moment(node.started_on))
        for _, node in work.catalog.mirrors.nodes.items()
        if node.compute_pool == pool.uid
    ]
    return filtered(statement, _SHAPE, rows)
