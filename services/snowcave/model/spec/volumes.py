"""The volumes of a specification: local, memory, block and stage, and where containers mount them."""

import re

from snowcave.model import stage_path
from snowcave.model.errors import SpecInvalid, Unsupported, ValueInvalid
from snowcave.model.spec.fields import Fields, invalid, plural, unique
from snowcave.model.spec.quantities import cpu_milli, memory_bytes
from snowcave.v1 import state_pb2 as state

_MAX_VOLUMES = 20
_MAX_BLOCKS = 3
_MAX_ID = (1 << 31) - 1
_GIB = 1 << 30
_MOST_GIB = 16384
_IOPS = (3000, 80_000)
_IOPS_PER_GIB = 500
_THROUGHPUT = (125, 2000)
_BLOCK_SIZE = re.compile(r"([1-9][0-9]{0,5})Gi")
_DELETE_AFTER = re.compile(r"([1-9][0-9]{0,4})(h|d)")
_SECONDS = {"h": 3600, "d": 86_400}
_CACHE = re.compile(r"([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?")
_VOLUME = ("name", "source", "size", "uid", "gid", "blockConfig", "stageConfig")
_BLOCK = (
    "initialContents",
    "iops",
    "throughput",
    "encryption",
    "snapshotOnDelete",
    "snapshotDeleteAfter",
)
_STAGE = ("name", "metadataCache", "resources")
_SOURCES = ("LOCAL", "MEMORY", "BLOCK", "STAGE")


def volumes_of(spec: Fields) -> list[state.VolumeSpec]:
    key = plural(spec, "volumes")
    found = [_volume(fields) for fields in spec.children(key, _VOLUME)]
    if len(found) > _MAX_VOLUMES:
        raise SpecInvalid(f"more than {_MAX_VOLUMES} volumes")
    if sum(volume.source == "block" for volume in found) > _MAX_BLOCKS:
        raise SpecInvalid(f"more than {_MAX_BLOCKS} block volumes")
    unique([volume.name for volume in found], "volume")
    return found


def mounts_of(fields: Fields, volumes: set[str]) -> list[state.VolumeMount]:
    """A container's; one volume may be mounted at several places, but no two at one."""
    mounts: list[state.VolumeMount] = []
    for mount in fields.children("volumeMounts", ("name", "mountPath")):
        name, path = mount.text("name"), mount.text("mountPath")
        if name not in volumes:
            raise invalid(name, "name", mount.place, "there is no such volume")
        if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
            raise invalid(path, "mountPath", mount.place, "an absolute path is expected")
        mounts.append(state.VolumeMount(name=name, mount_path=path))
    return mounts


def _volume(fields: Fields) -> state.VolumeSpec:
    name, source = fields.name(), fields.text("source")
    if source.startswith("@"):
        volume = state.VolumeSpec(name=name, source=source)
        volume.stage.CopyFrom(_stage_path(source, "source", fields.place))
    else:
        volume = state.VolumeSpec(name=name, source=fields.one_of("source", _SOURCES).lower())
    kind = "stage" if source.startswith("@") else volume.source
    _refuse(fields, kind)
    match kind:
        case "memory":
            volume.size_bytes = _size(fields)
        case "block":
            volume.size_bytes = _block_size(fields)
            volume.block.CopyFrom(_block(fields, volume.size_bytes // _GIB))
        case "stage" if volume.source == "stage":
            volume.stage.CopyFrom(_stage(fields))
        case _:
            pass
    volume.uid = fields.integer("uid", 0, _MAX_ID, 0)
    volume.gid = fields.integer("gid", 0, _MAX_ID, 0)
    return volume


def _refuse(fields: Fields, kind: str) -> None:
    """What does not go with this kind of volume."""
    only = {
        "blockConfig": ("block",),
        "stageConfig": ("stage",),
        "uid": ("stage", "block"),
        "gid": ("stage", "block"),
    }
    for key, kinds in only.items():
        if key in fields and kind not in kinds:
            source = fields.text("source")
            raise SpecInvalid(f"'{key}' for '{fields.place}' does not go with source {source}")
    if "stageConfig" in fields and fields.text("source").startswith("@"):
        raise SpecInvalid(f"'stageConfig' for '{fields.place}' needs source stage")


def _size(fields: Fields) -> int:
    size = memory_bytes(fields.text("size"))
    if not size:
        raise invalid(fields.text("size"), "size", fields.place, "a figure with Mi or Gi")
    return size


def _block_size(fields: Fields) -> int:
    text = fields.text("size")
    match = _BLOCK_SIZE.fullmatch(text)
    if not match or int(match[1]) > _MOST_GIB:
        raise invalid(text, "size", fields.place, f"an integer from 1Gi to {_MOST_GIB}Gi")
    return int(match[1]) * _GIB


def _block(fields: Fields, gib: int) -> state.BlockConfig:
    made = state.BlockConfig()
    config = fields.child("blockConfig", _BLOCK)
    if config is None:
        return made
    contents = config.child("initialContents", ("fromSnapshot",))
    if contents is not None:
        made.from_snapshot = contents.text("fromSnapshot")
    if "iops" in config:
        made.iops = config.integer("iops", *_IOPS)
        if made.iops > max(_IOPS[0], _IOPS_PER_GIB * gib):
            raise invalid(
                str(made.iops), "iops", config.place, f"at most {_IOPS_PER_GIB} for each GiB"
            )
    if "throughput" in config:
        made.throughput = config.integer("throughput", *_THROUGHPUT)
        if made.throughput * 4 > max(4 * _THROUGHPUT[0], made.iops or _IOPS[0]):
            text = str(made.throughput)
            raise invalid(text, "throughput", config.place, "at most a quarter of iops")
    if "encryption" in config:
        made.encryption = config.one_of("encryption", ("SNOWFLAKE_SSE", "SNOWFLAKE_FULL"))
    if "snapshotOnDelete" in config:
        made.snapshot_on_delete = config.boolean("snapshotOnDelete", True)
    if "snapshotDeleteAfter" in config:
        made.snapshot_delete_after_secs = _delete_after(config)
    return made


def _delete_after(config: Fields) -> int:
    text = config.text("snapshotDeleteAfter")
    match = _DELETE_AFTER.fullmatch(text)
    if not match:
        raise invalid(
            text, "snapshotDeleteAfter", config.place, "hours or days, such as 12h or 7d"
        )
    return int(match[1]) * _SECONDS[match[2]]


def _stage(fields: Fields) -> state.StageVolume:
    config = fields.child("stageConfig", _STAGE)
    if config is None:
        raise SpecInvalid(f"missing 'stageConfig' for '{fields.place}'")
    made = _stage_path(config.text("name"), "name", config.place)
    if "metadataCache" in config:
        text = config.text("metadataCache")
        if not text or not _CACHE.fullmatch(text):
            raise invalid(text, "metadataCache", config.place, "a duration such as 1h30m45s")
        made.metadata_cache = text
    resources = config.child("resources", ("requests", "limits"))
    for key in ("requests", "limits"):
        amounts = resources and resources.child(key, ("cpu", "memory"))
        if amounts is not None:
            getattr(made, key).CopyFrom(_amounts(amounts))
    return made


def _stage_path(text: str, key: str, place: str) -> state.StageVolume:
    """The path's folder is known here; the stage's uid where the service is made."""
    try:
        path = stage_path.parse_stage_path(text)
    except (ValueInvalid, Unsupported) as error:
        raise invalid(text, key, place, "a stage such as @db.schema.stage/folder") from error
    return state.StageVolume(path=text, folder=path.path.strip("/"))


def _amounts(fields: Fields) -> state.Resources:
    made = state.Resources()
    if "cpu" in fields:
        milli = cpu_milli(fields.text("cpu"))
        if milli is None:
            raise invalid(fields.text("cpu"), "cpu", fields.place, "a figure such as 0.5 or 500m")
        made.cpu_milli, made.has_cpu = milli, True
    if "memory" in fields:
        size = memory_bytes(fields.text("memory"))
        if size is None:
            raise invalid(fields.text("memory"), "memory", fields.place, "a figure with Mi or Gi")
        made.memory_bytes, made.has_memory = size, True
    return made
