"""What a specification's volumes and secrets name: found, and allowed to the role that owns the service."""

from snowcave.api.catalog.snapshots import DEFAULT_ENCRYPTION
from snowcave.api.sql.cursor import parse_name
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized, ObjectNotFound, SpecInvalid, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.model.stage_path import parse_stage_path
from snowcave.v1 import state_pb2 as state

CREATED = "CREATED"
_ADMIN = "ACCOUNTADMIN"
# What each type of secret has for containers.
_SECRET_KEYS = {
    "PASSWORD": ("username", "password"),
    "GENERIC_STRING": ("secret_string",),
}


def resolve_volumes(
    work: Work, found: state.Object, parsed: state.ServiceSpec, before: state.ServiceSpec
) -> None:
    """Fill in stages and snapshots; check secrets. `before`: what an ALTER replaces.

    Raises ObjectNotFound, NotAuthorized, SpecInvalid, ValueInvalid.
    """
    if before.containers:
        _check_frozen(parsed, before)
    kept = {volume.name: volume.block.snapshot for volume in before.volumes}
    for volume in parsed.volumes:
        if volume.HasField("stage"):
            _resolve_stage(work, found, volume.stage)
        elif volume.block.from_snapshot and volume.name in kept:
            # It has its contents; the snapshot may be gone by now.
            volume.block.snapshot = kept[volume.name]
        elif volume.block.from_snapshot:
            name = _within_schema(work, found, parse_name(volume.block.from_snapshot))
            volume.block.snapshot = usable_snapshot(work, found, volume, name).uid
    for container in parsed.containers:
        for secret in container.secrets:
            _check_secret(work, found, secret)


def check_counts(found: state.Object) -> None:
    """A service with block volumes has as many instances as it has sets of volumes."""
    service = found.service
    if service.is_job or not blocks_of(service.spec):
        return
    if service.min_instances != service.max_instances:
        raise ValueInvalid(
            "SQL compilation error:\ninvalid property combination "
            f"'MIN_INSTANCES'='{service.min_instances}' and "
            f"'MAX_INSTANCES'='{service.max_instances}': "
            "a service that uses block storage volumes needs them to be equal."
        )


def check_same_count(before: state.Object, after: state.Object) -> None:
    """Raises ValueInvalid where the number of instances of a service with block volumes changes."""
    check_counts(after)
    if blocks_of(before.service.spec) and (
        before.service.max_instances != after.service.max_instances
    ):
        raise ValueInvalid(
            f"Cannot change the number of instances of service '{before.name}': "
            "it uses block storage volumes."
        )


def blocks_of(parsed: state.ServiceSpec) -> list[state.VolumeSpec]:
    return [volume for volume in parsed.volumes if volume.source == "block"]


def usable_snapshot(
    work: Work, found: state.Object, volume: state.VolumeSpec, name: ObjectName
) -> state.Object:
    """The snapshot, where the volume can be made from it."""
    snapshot = work.caller.find("snapshot", name).message
    if not (work.caller.may("USAGE", snapshot) or owner_may(work, found, "USAGE", snapshot)):
        raise NotAuthorized(work.caller.words(snapshot))
    known = work.catalog.mirrors.snapshots.get(snapshot.uid)
    if known is None or known.state != CREATED:
        raise ValueInvalid(f"Snapshot '{snapshot.name}' is not in state {CREATED}.")
    if snapshot.snapshot.size_bytes > volume.size_bytes:
        raise ValueInvalid(
            f"Volume '{volume.name}' is smaller than snapshot '{snapshot.name}' "
            f"({snapshot.snapshot.size_bytes >> 30}Gi)."
        )
    if snapshot.snapshot.encryption != (volume.block.encryption or DEFAULT_ENCRYPTION):
        raise ValueInvalid(
            f"Volume '{volume.name}' and snapshot '{snapshot.name}' "
            "must have the same type of encryption."
        )
    return snapshot


def owner_may(work: Work, service: state.Object, privilege: str, target: state.Object) -> bool:
    """Whether the role that owns the service has the privilege, itself or by what it inherits."""
    access = work.catalog.access
    roles = access.closure(service.owner_role)
    admin = work.catalog.named("role", 0, _ADMIN)
    if admin is not None and admin.message.uid in roles:
        return True
    return access.holds(roles, privilege, target.WhichOneof("body") or "", target.uid)


def _resolve_stage(work: Work, found: state.Object, volume: state.StageVolume) -> None:
    name = _within_schema(work, found, parse_stage_path(volume.path).stage)
    stage = work.caller.find("stage", name).message
    volume.stage = stage.uid
    volume.writable = owner_may(work, found, "WRITE", stage)
    if not volume.writable and not owner_may(work, found, "READ", stage):
        raise NotAuthorized(work.caller.words(stage))


def _check_secret(work: Work, found: state.Object, mount: state.SecretMount) -> None:
    name = _within_schema(work, found, parse_name(mount.object_name))
    secret = work.caller.find("secret", name).message
    if not owner_may(work, found, "READ", secret):
        raise ObjectNotFound("Secret", str(name))
    known = _SECRET_KEYS.get(secret.secret.type, ())
    if not known or (mount.secret_key_ref and mount.secret_key_ref not in known):
        wanted = mount.secret_key_ref or "a value for containers"
        raise SpecInvalid(
            f"secret '{mount.object_name}' of type {secret.secret.type} has no {wanted}."
        )


def _within_schema(work: Work, found: state.Object, name: ObjectName) -> ObjectName:
    """Names in a specification are looked for from the service's schema."""
    schema, database = work.catalog.place(found.parent)
    return ObjectName(name.name, name.schema or schema, name.database or database)


def _check_frozen(parsed: state.ServiceSpec, before: state.ServiceSpec) -> None:
    """Block volumes stay what they were made as."""
    old = {volume.name: _frozen(volume) for volume in blocks_of(before)}
    new = {volume.name: _frozen(volume) for volume in blocks_of(parsed)}
    if old.keys() != new.keys():
        raise SpecInvalid("the block volumes of a service cannot be added or removed.")
    for name, frozen in new.items():
        if frozen != old[name]:
            raise SpecInvalid(
                f"size, iops, throughput and encryption of block volume '{name}' cannot be changed."
            )


def _frozen(volume: state.VolumeSpec) -> tuple[int, int, int, str]:
    block = volume.block
    encryption = block.encryption or DEFAULT_ENCRYPTION
    return volume.size_bytes, block.iops, block.throughput, encryption
