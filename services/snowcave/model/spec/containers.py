"""The containers of a specification: what runs, with which probe, mounts and resources."""

from snowcave.model.errors import SpecInvalid
from snowcave.model.spec.fields import Fields, invalid, plural, unique
from snowcave.model.spec.quantities import cpu_milli, memory_bytes
from snowcave.model.spec.secrets import MAX_SECRETS, secrets_of
from snowcave.model.spec.volumes import mounts_of
from snowcave.v1 import state_pb2 as state

_MAX_CONTAINERS = 20
_GPU = "nvidia.com/gpu"
_AMOUNTS = ("memory", "cpu", _GPU)
_CONTAINER = (
    "name",
    "image",
    "command",
    "args",
    "env",
    "readinessProbe",
    "volumeMounts",
    "resources",
    "secrets",
    # DESCRIBE SERVICE shows it; a specification copied from there is taken, its pin is made anew.
    "sha256",
)


def containers_of(spec: Fields, volumes: set[str]) -> list[state.ContainerSpec]:
    key = plural(spec, "containers")
    spec.need(key)
    found = [_container(fields, volumes) for fields in spec.children(key, _CONTAINER)]
    if not found:
        raise SpecInvalid("missing 'containers' for 'spec'")
    if len(found) > _MAX_CONTAINERS:
        raise SpecInvalid(f"more than {_MAX_CONTAINERS} containers")
    unique([container.name for container in found], "container")
    if sum(len(container.secrets) for container in found) > MAX_SECRETS:
        raise SpecInvalid(f"more than {MAX_SECRETS} secrets")
    return found


def _container(fields: Fields, volumes: set[str]) -> state.ContainerSpec:
    name, image = fields.name(), fields.text("image")
    if not image:
        raise SpecInvalid(f"missing 'image' for '{fields.place}'")
    container = state.ContainerSpec(
        name=name,
        image=image,
        command=fields.texts("command"),
        args=fields.texts("args"),
        env=_env(fields),
        volume_mounts=mounts_of(fields, volumes),
        secrets=secrets_of(fields),
    )
    probe = fields.child("readinessProbe", ("port", "path"))
    if probe is not None:
        container.readiness_probe.CopyFrom(_probe(probe))
    resources = fields.child("resources", ("requests", "limits"))
    if resources is not None:
        _set_resources(container, resources)
    return container


def _env(fields: Fields) -> dict[str, str]:
    env = fields.pairs("env")
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            raise invalid(name, "env", fields.place, "no name of an environment variable")
    return env


def _probe(fields: Fields) -> state.ReadinessProbe:
    port = fields.integer("port", 1, 65535)
    path = fields.text("path")
    if any(character.isspace() or not character.isprintable() for character in path):
        raise invalid(path, "path", fields.place, "a path without spaces is expected")
    return state.ReadinessProbe(port=port, path=path if path.startswith("/") else f"/{path}")


def _set_resources(container: state.ContainerSpec, fields: Fields) -> None:
    requests, limits = fields.child("requests", _AMOUNTS), fields.child("limits", _AMOUNTS)
    if requests is not None:
        container.requests.CopyFrom(_amounts(requests))
    if limits is not None:
        container.limits.CopyFrom(_amounts(limits))
    _check_amounts(container)


def _amounts(fields: Fields) -> state.Resources:
    amounts = state.Resources(gpu=fields.integer(_GPU, 0, 64, 0))
    if "cpu" in fields:
        milli = cpu_milli(fields.text("cpu"))
        if milli is None:
            raise invalid(fields.text("cpu"), "cpu", fields.place, "a figure such as 0.5 or 500m")
        amounts.cpu_milli, amounts.has_cpu = milli, True
    if "memory" in fields:
        size = memory_bytes(fields.text("memory"))
        if size is None:
            raise invalid(
                fields.text("memory"), "memory", fields.place, "a figure with M, Mi, G or Gi"
            )
        amounts.memory_bytes, amounts.has_memory = size, True
    return amounts


def _check_amounts(container: state.ContainerSpec) -> None:
    requests, limits = container.requests, container.limits
    if requests.gpu != limits.gpu:
        raise SpecInvalid(
            f"'{_GPU}' of container '{container.name}' must be the same in requests and limits"
        )
    over_cpu = limits.has_cpu and requests.cpu_milli > limits.cpu_milli
    over_memory = limits.has_memory and requests.memory_bytes > limits.memory_bytes
    if over_cpu or over_memory:
        what = "cpu" if over_cpu else "memory"
        raise SpecInvalid(f"container '{container.name}' requests more {what} than its limit")
