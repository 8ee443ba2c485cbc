"""What a statement says of a compute pool's state: the scheduler's word, or what it is about to say.

See `service_status`, which does this for services.
"""

from snowcave.api.statements.work import Work
from snowcave.v1 import state_pb2 as state

_STARTING = "Compute pool is starting for last 0 minutes"
_RESTS = ("STOPPING", "SUSPENDED")


def status_of(found: state.Object, work: Work) -> state.PoolStatus:
    """Not to be changed."""
    return brought_up(found.compute_pool, work.catalog.mirrors.pools.get(found.uid))


def brought_up(pool: state.ComputePool, known: state.PoolStatus | None) -> state.PoolStatus:
    """`known` with what the scheduler will make of the pool's own flag. Pure."""
    if known is None or not known.state:
        known = state.PoolStatus(state="SUSPENDED")
    if pool.suspended == (known.state in _RESTS):
        return known
    told = state.PoolStatus()
    told.CopyFrom(known)
    told.error_code = ""
    if pool.suspended:
        told.state, told.message, told.target_nodes = "STOPPING", "", 0
    else:
        told.state, told.message, told.target_nodes = "STARTING", _STARTING, pool.min_nodes
    return told
