"""What statements read: the catalog, its names and grants, and how things are."""

from dataclasses import dataclass

from snowcave.model import keys
from snowcave.runtime.daemon import Parts
from snowcave.store.api import Store
from snowcave.store.mirror import Mirror, follow
from snowcave.v1 import state_pb2 as state


@dataclass(frozen=True)
class Mirrors:
    objects: Mirror[state.Object]
    names: Mirror[state.NameEntry]
    grants: Mirror[state.Grant]
    pools: Mirror[state.PoolStatus]
    services: Mirror[state.ServiceStatus]
    snapshots: Mirror[state.SnapshotStatus]
    images: Mirror[state.Image]
    hosts: Mirror[state.Host]
    nodes: Mirror[state.Node]


async def follow_catalog(
    store: Store,
    parts: Parts,
    *,
    objects: Mirror[state.Object] | None = None,
    names: Mirror[state.NameEntry] | None = None,
) -> Mirrors:
    """Ready once all have been read. Mirrors that the daemon follows already may be given."""
    return Mirrors(
        objects=objects or await parts.enter("catalog", follow(store, keys.CATALOG)),
        names=names or await parts.enter("names", follow(store, keys.NAMES)),
        grants=await parts.enter("grants", follow(store, keys.GRANTS)),
        pools=await parts.enter("pool status", follow(store, keys.POOL_STATUS)),
        services=await parts.enter("service status", follow(store, keys.SERVICE_STATUS)),
        snapshots=await parts.enter("snapshot status", follow(store, keys.SNAPSHOT_STATUS)),
        images=await parts.enter("images", follow(store, keys.IMAGES)),
        hosts=await parts.enter("hosts", follow(store, keys.HOSTS)),
        nodes=await parts.enter("nodes", follow(store, keys.NODES)),
    )
