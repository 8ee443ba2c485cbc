"""RESOURCE_ATTRIBUTES: today's names, and those of the generations before. Pure.

Source: facts on the event table (S1-S4); older names are kept because published queries use them.
"""

from functools import lru_cache
from typing import Any

import orjson

from snowcave.model.telemetry import ATTRIBUTE
from snowcave.v1 import events_pb2 as v1

_NOTHING = ("", 0)


def attributes(resource: v1.Resource) -> str:
    """As JSON; what is not known is left out. Raises ValueError where `attributes` is no JSON."""
    return _attributes(resource.SerializeToString(deterministic=True))


@lru_cache(4096)
def _attributes(serialized: bytes) -> str:
    """An agent sends the same few with every append."""
    resource = v1.Resource.FromString(serialized)
    values = _today(resource) | _older(resource) | _oldest(resource)
    values[ATTRIBUTE] = resource.event_table
    known = {name: value for name, value in values.items() if value not in _NOTHING}
    return orjson.dumps(_further(resource) | known).decode()


def _today(of: v1.Resource) -> dict[str, object]:
    return {
        "snow.account.name": of.account_name,
        "snow.compute_pool.id": of.compute_pool,
        "snow.compute_pool.name": of.compute_pool_name,
        "snow.compute_pool.node.id": of.node,
        "snow.compute_pool.node.instance_family": of.instance_family,
        "snow.database.id": of.database,
        "snow.database.name": of.database_name,
        "snow.schema.id": of.schema,
        "snow.schema.name": of.schema_name,
        "snow.service.id": of.service,
        "snow.service.name": of.service_name,
        "snow.service.type": of.service_type,
        "snow.service.instance": _instance(of),
        "snow.service.container.name": of.container_name,
        "snow.service.container.run.id": of.container_run_id,
        "snow.endpoint.name": of.endpoint_name,
        "snow.query.id": of.query_id,
    }


def _older(of: v1.Resource) -> dict[str, object]:
    return {
        "snow.service.container.instance": _instance(of),
        "snow.container.instance": _instance(of),
    }


def _oldest(of: v1.Resource) -> dict[str, object]:
    return {
        "snow.executable.id": of.service,
        "snow.executable.name": of.service_name,
        "snow.executable.type": "SnowparkContainers",
        "snow.containers.compute_pool.id": of.compute_pool,
        "snow.containers.compute_pool.name": of.compute_pool_name,
        "snow.containers.container.name": of.container_name,
        "snow.containers.instance.name": _instance(of),
        "snow.containers.restart.id": of.container_run_id[:6],
    }


def _instance(of: v1.Resource) -> str:
    """Empty for what is said of a service as a whole."""
    named = of.container_name or of.container_run_id or of.has_instance
    return str(of.instance_id) if named else ""


def _further(of: v1.Resource) -> dict[str, Any]:
    """What the sender knows besides. The prefix `snow.` is the platform's own."""
    found: Any = orjson.loads(of.attributes) if of.attributes else {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if not str(name).startswith("snow.")}
