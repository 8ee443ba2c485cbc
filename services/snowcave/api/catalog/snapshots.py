"""What a snapshot says of the volume that it is of."""

from snowcave.api.catalog.catalog import Catalog
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

DEFAULT_ENCRYPTION = "SNOWFLAKE_SSE"


def snapshot_of(
    service: state.Object, full_name: str, volume: state.VolumeSpec, instance_id: int
) -> state.Snapshot:
    return state.Snapshot(
        service=service.uid,
        service_name=full_name,
        volume=volume.name,
        instance_id=instance_id,
        size_bytes=volume.size_bytes,
        encryption=volume.block.encryption or DEFAULT_ENCRYPTION,
    )


def full_name(catalog: Catalog, found: state.Object) -> str:
    schema, database = catalog.place(found.parent)
    return str(ObjectName(found.name, schema, database))
