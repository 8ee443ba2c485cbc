"""The whole specification, checked from the top: what a service's containers, endpoints and volumes are."""

import re

from snowcave.model.errors import SpecInvalid
from snowcave.model.spec.containers import containers_of
from snowcave.model.spec.document import load
from snowcave.model.spec.fields import Fields, invalid, plural, unique
from snowcave.model.spec.scaling import auto_scaling
from snowcave.model.spec.volumes import volumes_of
from snowcave.v1 import state_pb2 as state

_MAX_ENDPOINTS = 100
_MAX_PORT = 65535
_ROLE_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?")
_METRIC_GROUPS = ("system", "system_limits", "status", "network", "storage")
_CORS = {
    "Access-Control-Allow-Origin": "allow_origin",
    "Access-Control-Allow-Methods": "allow_methods",
    "Access-Control-Allow-Headers": "allow_headers",
    "Access-Control-Expose-Headers": "expose_headers",
}
_SPEC = (
    "containers",
    "container",
    "endpoints",
    "endpoint",
    "volumes",
    "volume",
    "logExporters",
    "platformMonitor",
    "resourceManagement",
)


def parse(text: str) -> state.ServiceSpec:
    """The validated specification. Raises SpecInvalid and nothing else."""
    root = Fields(load(text), "", ("spec", "serviceRoles", "capabilities"))
    root.need("spec")
    spec = root.child("spec", _SPEC)
    if spec is None:
        raise SpecInvalid("missing 'spec'")
    endpoints = _endpoints(spec)
    volumes = volumes_of(spec)
    result = state.ServiceSpec(
        containers=containers_of(spec, {volume.name for volume in volumes}),
        endpoints=endpoints,
        volumes=volumes,
        service_roles=_service_roles(root, {endpoint.name for endpoint in endpoints}),
        log_level=_log_level(spec),
        metric_groups=_metric_groups(spec),
    )
    if (policies := auto_scaling(spec)) is not None:
        result.auto_scaling.CopyFrom(policies)
    capabilities = root.child("capabilities", ("securityContext",))
    context = capabilities and capabilities.child("securityContext", ("executeAsCaller",))
    result.execute_as_caller = bool(context and context.boolean("executeAsCaller", False))
    return result


def _endpoints(spec: Fields) -> list[state.EndpointSpec]:
    known = ("name", "port", "portRange", "public", "protocol", "corsSettings")
    key = plural(spec, "endpoints")
    found = [_endpoint(fields) for fields in spec.children(key, known)]
    if len(found) > _MAX_ENDPOINTS:
        raise SpecInvalid(f"more than {_MAX_ENDPOINTS} endpoints")
    unique([endpoint.name for endpoint in found], "endpoint")
    return found


def _endpoint(fields: Fields) -> state.EndpointSpec:
    name = fields.name()
    public = fields.boolean("public", False)
    protocol = fields.one_of("protocol", ("HTTP", "HTTPS", "TCP"), "HTTP")
    endpoint = state.EndpointSpec(name=name, public=public, protocol=protocol)
    if "port" in fields and "portRange" in fields:
        raise SpecInvalid(f"both 'port' and 'portRange' for '{fields.place}'")
    if "portRange" in fields:
        if protocol != "TCP" or public:
            raise SpecInvalid(f"'portRange' for '{fields.place}' needs protocol TCP and no public")
        endpoint.port, endpoint.port_last = _port_range(fields)
    else:
        endpoint.port = fields.integer("port", 1, _MAX_PORT)
    if public and protocol == "TCP":
        raise invalid(protocol, "protocol", fields.place, "a public endpoint must be HTTP")
    cors = fields.child("corsSettings", tuple(_CORS))
    if cors is not None:
        endpoint.cors.CopyFrom(_cors(cors, public))
    return endpoint


def _port_range(fields: Fields) -> tuple[int, int]:
    text = fields.text("portRange")
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]) <= _MAX_PORT:
        raise invalid(text, "portRange", fields.place, "first-last is expected")
    return int(match[1]), int(match[2])


def _cors(fields: Fields, public: bool) -> state.CorsSettings:
    if not public:
        raise SpecInvalid("'corsSettings' needs a public endpoint")
    fields.need("Access-Control-Allow-Origin")
    settings = state.CorsSettings(**{name: fields.texts(key) for key, name in _CORS.items()})
    if not settings.allow_origin:
        raise SpecInvalid(f"missing 'Access-Control-Allow-Origin' for '{fields.place}'")
    for origin in settings.allow_origin:
        if not re.fullmatch(r"https?://[^/*?#\s]+", origin):
            raise invalid(
                origin, "Access-Control-Allow-Origin", fields.place, "a URL without path or *"
            )
    return settings


def _service_roles(root: Fields, endpoints: set[str]) -> list[state.ServiceRoleSpec]:
    roles: list[state.ServiceRoleSpec] = []
    for fields in root.children("serviceRoles", ("name", "endpoints")):
        name = fields.text("name")
        if not _ROLE_NAME.fullmatch(name):
            raise invalid(name, "name", fields.place, "letters, digits and underscores")
        fields.need("endpoints")
        named = fields.texts("endpoints")
        if not named:
            raise SpecInvalid(f"missing 'endpoints' for '{fields.place}'")
        for endpoint in named:
            if endpoint not in endpoints:
                raise invalid(endpoint, "endpoints", fields.place, "there is no such endpoint")
        roles.append(state.ServiceRoleSpec(name=name, endpoints=named))
    unique([role.name.upper() for role in roles], "service role")
    return roles


def _log_level(spec: Fields) -> str:
    exporters = spec.child("logExporters", ("eventTableConfig",))
    table = exporters and exporters.child("eventTableConfig", ("logLevel",))
    return table.one_of("logLevel", ("INFO", "ERROR", "NONE"), "INFO") if table else "INFO"


def _metric_groups(spec: Fields) -> list[str]:
    monitor = spec.child("platformMonitor", ("metricConfig",))
    config = monitor and monitor.child("metricConfig", ("groups",))
    groups = config.texts("groups") if config else []
    for group in groups:
        if group not in _METRIC_GROUPS:
            raise invalid(group, "groups", "metricConfig", f"one of {', '.join(_METRIC_GROUPS)}")
    return groups
