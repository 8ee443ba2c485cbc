"""Keeps the directory equal to the store's mirrors, one change at a time."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from snowcave.dns.directory import Directory
from snowcave.model.names import dns_label
from snowcave.v1 import state_pb2 as state

M = TypeVar("M", bound=Message)
Seen = TypeVar("Seen", bound=Message, covariant=True)
Key = tuple[str, ...]


class Followed(Protocol[Seen]):
    """What we use of a mirror."""

    def items(self, *under: str) -> Iterator[tuple[Key, Seen]]: ...

    def subscribe(self, callback: Callable[[Key, Seen | None], None]) -> Callable[[], None]: ...


@dataclass(frozen=True, slots=True)
class Mirrors:
    databases: Followed[state.Object]
    schemas: Followed[state.Object]
    services: Followed[state.Object]
    pools: Followed[state.Object]
    statuses: Followed[state.ServiceStatus]
    endpoints: Followed[state.Endpoint]
    vms: Followed[state.Vm]


@contextmanager
def feeding(
    mirrors: Mirrors, directory: Directory, changed: Callable[[], None]
) -> Generator[None]:
    """`changed` is called after each change that some answer may depend on."""
    feed = _Feed(directory)
    unsubscribes = (
        _connect(mirrors.databases, feed.database, changed),
        _connect(mirrors.schemas, feed.schema, changed),
        _connect(mirrors.services, feed.service, changed),
        _connect(mirrors.pools, feed.pool, changed),
        _connect(mirrors.statuses, feed.status, changed),
        _connect(mirrors.endpoints, feed.endpoint, changed),
        _connect(mirrors.vms, feed.vm, changed),
    )
    try:
        yield
    finally:
        for unsubscribe in unsubscribes:
            unsubscribe()


def _connect(
    mirror: Followed[M], put: Callable[[Key, M | None], bool], changed: Callable[[], None]
) -> Callable[[], None]:
    def on_change(key: Key, message: M | None) -> None:
        if put(key, message):
            changed()

    unsubscribe = mirror.subscribe(on_change)
    for key, message in mirror.items():
        on_change(key, message)
    return unsubscribe


class _Feed:
    """One method a mirror; each says whether something changed."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        # Node to its pool: a deleted key no longer tells.
        self._pool_of: dict[str, int] = {}

    def database(self, key: Key, database: state.Object | None) -> bool:
        return self._directory.databases.put(int(key[0]), _label(database))

    def schema(self, key: Key, schema: state.Object | None) -> bool:
        uid, label = int(key[0]), _label(schema)
        named = self._directory.schemas.put(
            uid, (schema.parent, label) if schema and label else None
        )
        dns_hash = schema.schema.dns_hash.lower() if schema and label else None
        return self._directory.hashes.put(uid, dns_hash or None) or named

    def service(self, key: Key, service: state.Object | None) -> bool:
        label = _label(service)
        name = (service.parent, label) if service and label else None
        return self._directory.services.put(int(key[0]), name)

    def pool(self, key: Key, pool: state.Object | None) -> bool:
        return self._directory.pools.put(int(key[0]), _label(pool))

    def status(self, key: Key, status: state.ServiceStatus | None) -> bool:
        address = status.service_address if status else ""
        return self._directory.service_addresses.put(int(key[0]), None, address)

    def endpoint(self, key: Key, endpoint: state.Endpoint | None) -> bool:
        address = endpoint.address if endpoint and not endpoint.stopping else ""
        return self._directory.instances.put(int(key[0]), key[1], address)

    def vm(self, key: Key, vm: state.Vm | None) -> bool:
        node = dns_label(key[1])
        if vm is not None and not vm.stopping:
            self._pool_of[node] = vm.compute_pool
            return self._directory.nodes.put(vm.compute_pool, node, vm.underlay_address)
        pool = self._pool_of.pop(node, None)
        return pool is not None and self._directory.nodes.put(pool, node, "")


def _label(named: state.Object | None) -> str | None:
    """None for what does not exist, or no longer."""
    if named is None or named.HasField("dropped_on"):
        return None
    return dns_label(named.name)
