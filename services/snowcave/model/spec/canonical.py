"""One text for one specification: what its digest is made of, and what DESCRIBE SERVICE shows."""

import hashlib
import json
from typing import Any

import yaml
from google.protobuf.json_format import MessageToDict

from snowcave.model.spec import scaling
from snowcave.v1 import state_pb2 as state

_CORS = (
    ("Access-Control-Allow-Origin", "allow_origin"),
    ("Access-Control-Allow-Methods", "allow_methods"),
    ("Access-Control-Allow-Headers", "allow_headers"),
    ("Access-Control-Expose-Headers", "expose_headers"),
)


def canonical(spec: state.ServiceSpec) -> str:
    """Equal for equal specifications, however they were spelled; pinned digests are part of it."""
    return json.dumps(MessageToDict(spec), sort_keys=True, separators=(",", ":"))


def digest(spec: state.ServiceSpec) -> str:
    """64 hex digits of SHA-256 over the canonical text."""
    return hashlib.sha256(canonical(spec).encode()).hexdigest()


class _Quoted(str):
    """A text that is shown between quotes whatever it looks like."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_quoted(dumper: yaml.SafeDumper, text: _Quoted) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')


_Dumper.add_representer(_Quoted, _represent_quoted)


def described(spec: state.ServiceSpec) -> str:
    """The specification as its owner sees it: with digests, and texts between quotes."""
    body: dict[str, Any] = {"containers": [_container(one) for one in spec.containers]}
    if spec.volumes:
        body["volumes"] = [_volume(volume) for volume in spec.volumes]
    if spec.endpoints:
        body["endpoints"] = [_endpoint(endpoint) for endpoint in spec.endpoints]
    if spec.log_level not in ("", "INFO"):
        body["logExporters"] = {"eventTableConfig": {"logLevel": spec.log_level}}
    if spec.metric_groups:
        body["platformMonitor"] = {"metricConfig": {"groups": list(spec.metric_groups)}}
    if spec.HasField("auto_scaling"):
        body["resourceManagement"] = scaling.described(spec.auto_scaling)
    whole: dict[str, Any] = {"spec": body}
    if spec.execute_as_caller:
        whole["capabilities"] = {"securityContext": {"executeAsCaller": True}}
    if spec.service_roles:
        whole["serviceRoles"] = [
            {"name": _Quoted(role.name), "endpoints": [_Quoted(name) for name in role.endpoints]}
            for role in spec.service_roles
        ]
    return "---\n" + yaml.dump(whole, Dumper=_Dumper, sort_keys=False, width=10_000)


def _container(container: state.ContainerSpec) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": _Quoted(container.name), "image": _Quoted(container.image)}
    if container.resolved.digest:
        shown["sha256"] = _Quoted("@" + container.resolved.digest)
    for key, texts in (("command", container.command), ("args", container.args)):
        if texts:
            shown[key] = [_Quoted(text) for text in texts]
    if container.env:
        shown["env"] = {key: _Quoted(value) for key, value in sorted(container.env.items())}
    if container.HasField("readiness_probe"):
        probe = container.readiness_probe
        shown["readinessProbe"] = {"port": probe.port, "path": _Quoted(probe.path)}
    if container.secrets:
        shown["secrets"] = [_secret(secret) for secret in container.secrets]
    if container.volume_mounts:
        shown["volumeMounts"] = [
            {"name": _Quoted(mount.name), "mountPath": _Quoted(mount.mount_path)}
            for mount in container.volume_mounts
        ]
    resources = {
        key: amounts
        for key, amounts in (
            ("requests", _amounts(container.requests)),
            ("limits", _amounts(container.limits)),
        )
        if amounts
    }
    if resources:
        shown["resources"] = resources
    return shown


def _amounts(amounts: state.Resources) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if amounts.has_memory:
        shown["memory"] = _Quoted(_memory(amounts.memory_bytes))
    if amounts.has_cpu:
        shown["cpu"] = _Quoted(f"{amounts.cpu_milli}m")
    if amounts.gpu:
        shown["nvidia.com/gpu"] = amounts.gpu
    return shown


def _memory(size: int) -> str:
    """The largest unit that spells the figure whole."""
    for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size // 1000}.{size % 1000:03d}k"


def _secret(secret: state.SecretMount) -> dict[str, Any]:
    shown: dict[str, Any] = {"snowflakeSecret": {"objectName": _Quoted(secret.object_name)}}
    if secret.directory_path:
        shown["directoryPath"] = _Quoted(secret.directory_path)
        return shown
    shown["envVarName"] = _Quoted(secret.env_var_name)
    shown["secretKeyRef"] = _Quoted(secret.secret_key_ref)
    return shown


def _volume(volume: state.VolumeSpec) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": _Quoted(volume.name), "source": _Quoted(volume.source)}
    if volume.size_bytes:
        shown["size"] = _Quoted(_memory(volume.size_bytes))
    shown |= _given(uid=volume.uid, gid=volume.gid)
    if volume.source == "block" and (config := _block(volume.block)):
        shown["blockConfig"] = config
    if volume.source == "stage":
        shown["stageConfig"] = _stage(volume.stage)
    return shown


def _given(**numbers: int) -> dict[str, int]:
    return {key: number for key, number in numbers.items() if number}


def _block(block: state.BlockConfig) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if block.from_snapshot:
        shown["initialContents"] = {"fromSnapshot": _Quoted(block.from_snapshot)}
    shown |= _given(iops=block.iops, throughput=block.throughput)
    if block.encryption:
        shown["encryption"] = _Quoted(block.encryption)
    if block.HasField("snapshot_on_delete"):
        shown["snapshotOnDelete"] = block.snapshot_on_delete
    if seconds := block.snapshot_delete_after_secs:
        text = f"{seconds // 86_400}d" if seconds % 86_400 == 0 else f"{seconds // 3600}h"
        shown["snapshotDeleteAfter"] = _Quoted(text)
    return shown


def _stage(stage: state.StageVolume) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": _Quoted(stage.path)}
    if stage.metadata_cache:
        shown["metadataCache"] = _Quoted(stage.metadata_cache)
    resources = {
        key: amounts
        for key, amounts in (
            ("requests", _amounts(stage.requests)),
            ("limits", _amounts(stage.limits)),
        )
        if amounts
    }
    if resources:
        shown["resources"] = resources
    return shown


def _endpoint(endpoint: state.EndpointSpec) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": _Quoted(endpoint.name)}
    if endpoint.port_last:
        shown["portRange"] = _Quoted(f"{endpoint.port}-{endpoint.port_last}")
    else:
        shown["port"] = endpoint.port
    if endpoint.protocol != "HTTP":
        shown["protocol"] = _Quoted(endpoint.protocol)
    shown["public"] = endpoint.public
    if endpoint.HasField("cors"):
        cors = {key: list(getattr(endpoint.cors, name)) for key, name in _CORS}
        shown["corsSettings"] = {key: values for key, values in cors.items() if values}
    return shown
