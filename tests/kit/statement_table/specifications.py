"""Service specifications that are refused, each with the place of what is wrong."""

import re

from tests.kit.statement_table.records import (
    Family,
    Make,
    Refused,
    Statement,
    documented,
    ours,
    status,
    validated,
)

IMAGE = "/tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest"
_community = validated("error texts of live accounts that users report")


def _service(text: str, name: str = "refused") -> str:
    return f"CREATE SERVICE {name} IN COMPUTE POOL spec_pool FROM SPECIFICATION $$\n{text}\n$$"


def refused(make: Make, text: str, words: str) -> Statement:
    """`words`: a pattern within the message, after its begin."""
    return make(
        _service(text),
        Refused(395018, "22023", re.compile(rf"Invalid spec: .*{words}", re.DOTALL)),
    )


def container(*lines: str, rest: str = "") -> str:
    """A specification of one container with these further lines, and what stands beside the containers."""
    further = "".join(f"\n    {line}" for line in lines)
    return f"spec:\n  containers:\n  - name: main\n    image: {IMAGE}{further}{rest}"


def beside(*lines: str) -> str:
    return container(rest="".join(f"\n  {line}" for line in lines))


def endpoint(*lines: str) -> str:
    return beside("endpoints:", "- name: one", *(f"  {line}" for line in lines))


SHAPE = [
    refused(_community, beside("serviceRoles: []"), r"unknown option 'serviceRoles' for 'spec'\."),
    refused(_community, beside("replicas: 2"), r"unknown option 'replicas' for 'spec'\."),
    refused(
        _community,
        endpoint("port: 80", "path: /"),
        r"unknown option 'path' for 'endpoints\[0\]'\.",
    ),
    refused(
        _community,
        container("readinessProbe:", "  path: /healthcheck"),
        "missing 'port' for '(containers.*)?readinessProbe'",
    ),
    refused(
        _community,
        container("ports: [80]"),
        r"unknown option 'ports' for '(spec\.)?containers\[0\]'\.",
    ),
    refused(ours, container() + "\nroles: []", "unknown option 'roles'"),
    refused(documented, "serviceRoles: []", "missing 'spec'"),
    refused(documented, "spec:\n  endpoints: []", "missing 'containers' for 'spec'"),
    refused(documented, "spec:\n  containers: []", "missing 'containers' for 'spec'"),
    refused(
        documented,
        f"spec:\n  containers:\n  - image: {IMAGE}",
        r"missing 'name' for '.*containers\[0\]'",
    ),
    refused(
        documented,
        "spec:\n  containers:\n  - name: main",
        r"missing 'image' for '.*containers\[0\]'",
    ),
    refused(ours, "spec: none", "'spec' must be a mapping"),
    refused(ours, "spec:\n  containers: main", "'containers'.*must be a list"),
    refused(ours, "spec: [", "invalid YAML"),
    refused(ours, "spec: {a: *b}", "invalid YAML"),
    refused(ours, container("name: again"), "invalid YAML at line 6: duplicate key 'name'"),
    refused(ours, "just words", "(mapping|missing 'spec')"),
    ours(
        _service(""),
        Refused(395018, "22023", "Invalid spec: missing 'spec'"),
    ),
]
CONTAINERS = [
    refused(
        documented,
        container().replace("name: main", "name: Main_1"),
        r"'Main_1' for 'name' in '.*containers\[0\]'",
    ),
    refused(
        documented,
        container().replace("name: main", f"name: {'m' * 64}"),
        r"for 'name' in '.*containers\[0\]'",
    ),
    refused(documented, container().replace("name: main", "name: 1st"), r"'1st' for 'name'"),
    refused(
        documented,
        container(rest=f"\n  - name: main\n    image: {IMAGE}"),
        "duplicate container name 'main'",
    ),
    refused(
        documented,
        "spec:\n  containers:"
        + "".join(f"\n  - {{name: c{n}, image: {IMAGE}}}" for n in range(21)),
        "more than 20 containers",
    ),
    refused(documented, container().replace(IMAGE, "nginx"), "nginx"),
    refused(documented, container().replace(IMAGE, "docker.io/library/nginx:1"), "docker.io"),
    refused(documented, container("command: run"), "'command' in .* must be a list"),
    refused(documented, container("args: {a: 1}"), "'args' in .* must be a list"),
    refused(documented, container("env: [A]"), "'env' in .* must be a mapping"),
    refused(ours, container('env: {"A=B": 1}'), "'A=B' for 'env'"),
    refused(
        documented,
        container("readinessProbe: {port: 80}"),
        "missing 'path' for '.*readinessProbe'",
    ),
    refused(
        documented,
        container("readinessProbe: {port: http, path: /}"),
        "'http' for 'port' in '.*readinessProbe'",
    ),
    refused(
        documented,
        container("readinessProbe: {port: 70000, path: /}"),
        "'70000' for 'port' in '.*readinessProbe'",
    ),
    refused(
        documented,
        container("volumeMounts: [{name: none, mountPath: /data}]"),
        "'none' for 'name' in '.*volumeMounts.*'",
    ),
    refused(
        documented,
        container(
            "volumeMounts: [{name: v, mountPath: data}]",
            rest="\n  volumes: [{name: v, source: local}]",
        ),
        "'data' for 'mountPath'",
    ),
    refused(
        documented,
        container("volumeMounts: [{name: v}]", rest="\n  volumes: [{name: v, source: local}]"),
        "missing 'mountPath'",
    ),
]
RESOURCES = [
    refused(
        documented,
        container("resources: {requests: {memory: 100}}"),
        "'100' for 'memory' in '.*requests'",
    ),
    refused(
        documented,
        container("resources: {requests: {memory: 1Zi}}"),
        "'1Zi' for 'memory' in '.*requests'",
    ),
    refused(
        documented,
        container("resources: {limits: {cpu: fast}}"),
        "'fast' for 'cpu' in '.*limits'",
    ),
    refused(
        documented,
        container("resources: {requests: {cpu: 2}, limits: {cpu: 1}}"),
        "requests more cpu than its limit",
    ),
    refused(
        documented,
        container("resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}"),
        "requests more memory than its limit",
    ),
    refused(
        documented,
        container("resources: {requests: {nvidia.com/gpu: 1}}"),
        "[gG][pP][uU]",
    ),
    refused(
        documented,
        container("resources: {limits: {nvidia.com/gpu: 2}, requests: {nvidia.com/gpu: 1}}"),
        "[gG][pP][uU]",
    ),
    refused(
        documented,
        container("resources: {requests: {disk: 1}}"),
        "unknown option 'disk' for '.*requests'",
    ),
    refused(documented, container("resources: {requests: {cpu: 1.5}}"), "(cpu|CPU)"),
    refused(documented, container("resources: {requests: {memory: 7Gi}}"), "memory"),
    refused(
        documented,
        container("resources: {requests: {nvidia.com/gpu: 1}, limits: {nvidia.com/gpu: 1}}"),
        "[gG][pP][uU]",
    ),
]
ENDPOINTS = [
    refused(documented, endpoint("public: true"), r"'?port'?.*'endpoints\[0\]'"),
    refused(documented, endpoint("port: 0"), r"'0' for 'port' in 'endpoints\[0\]'"),
    refused(documented, endpoint("port: 65536"), r"'65536' for 'port' in 'endpoints\[0\]'"),
    refused(documented, endpoint("port: eighty"), r"'eighty' for 'port' in 'endpoints\[0\]'"),
    refused(
        documented,
        endpoint("port: 80", "portRange: 80-90"),
        r"both 'port' and 'portRange' for 'endpoints\[0\]'",
    ),
    refused(documented, endpoint("portRange: 80-90"), "'portRange' .* needs protocol TCP"),
    refused(
        documented,
        endpoint("portRange: 80-90", "protocol: TCP", "public: true"),
        "'portRange' .* no public",
    ),
    refused(ours, endpoint("portRange: 90-80", "protocol: TCP"), r"'90-80' for 'portRange'"),
    refused(documented, endpoint("port: 80", "protocol: UDP"), "'UDP' for 'protocol'"),
    refused(documented, endpoint("port: 80", "public: maybe"), "'maybe' for 'public'"),
    refused(documented, endpoint("port: 80", "protocol: TCP", "public: true"), "public"),
    refused(
        documented,
        beside("endpoints:", "- {name: one, port: 80}", "- {name: one, port: 81}"),
        "duplicate endpoint name 'one'",
    ),
    refused(
        documented,
        beside("endpoints:", *(f"- {{name: e{n}, port: {n + 1}}}" for n in range(101))),
        "more than 100 endpoints",
    ),
    refused(
        documented,
        beside("endpoints:", "- {name: One, port: 80}"),
        r"'One' for 'name' in 'endpoints\[0\]'",
    ),
    refused(
        documented,
        endpoint(
            "port: 80",
            "public: true",
            "corsSettings: {Access-Control-Allow-Origin: ['*']}",
        ),
        "Access-Control-Allow-Origin",
    ),
    refused(
        documented,
        endpoint(
            "port: 80", "public: true", "corsSettings: {Access-Control-Allow-Methods: [GET]}"
        ),
        "missing 'Access-Control-Allow-Origin'",
    ),
]
VOLUMES = [
    refused(documented, beside("volumes: [{name: v}]"), r"missing 'source' for 'volumes\[0\]'"),
    refused(
        documented,
        beside("volumes: [{name: v, source: tape}]"),
        r"'tape' for 'source'|source: tape",
    ),
    refused(
        documented,
        beside("volumes: [{name: v, source: memory}]"),
        r"missing 'size' for 'volumes\[0\]'",
    ),
    refused(
        documented,
        beside("volumes: [{name: v, source: memory, size: 1}]"),
        r"'1' for 'size' in 'volumes\[0\]'",
    ),
    refused(
        documented,
        beside("volumes: [{name: v, source: local}, {name: v, source: local}]"),
        "duplicate volume name 'v'",
    ),
    refused(
        documented,
        beside("volumes:", *(f"- {{name: v{n}, source: local}}" for n in range(21))),
        "more than 20 volumes",
    ),
]
REST = [
    refused(
        documented,
        beside("logExporters: {eventTableConfig: {logLevel: LOUD}}"),
        "'LOUD' for 'logLevel'",
    ),
    refused(
        documented,
        beside("platformMonitor: {metricConfig: {groups: [weather]}}"),
        "'weather' for 'groups'",
    ),
    refused(
        documented,
        container() + "\nserviceRoles:\n- name: r",
        r"missing 'endpoints' for 'serviceRoles\[0\]'",
    ),
    refused(
        documented,
        container() + "\nserviceRoles:\n- {name: r, endpoints: [none]}",
        r"'none' for 'endpoints' in 'serviceRoles\[0\]'",
    ),
    refused(
        documented,
        container() + "\nserviceRoles:\n- {name: 1r, endpoints: []}",
        "'1r' for 'name' in 'serviceRoles",
    ),
    refused(
        documented,
        container() + "\ncapabilities: {securityContext: {executeAsCaller: perhaps}}",
        "'perhaps' for 'executeAsCaller'",
    ),
]
POOL = [
    documented(
        "CREATE COMPUTE POOL spec_pool MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS "
        "INITIALLY_SUSPENDED=TRUE",
        status("Compute pool SPEC_POOL successfully created."),
    )
]
DROP = [documented("DROP COMPUTE POOL spec_pool", status("SPEC_POOL successfully dropped."))]
FAMILIES = [
    Family(
        "specifications",
        [*POOL, *SHAPE, *CONTAINERS, *RESOURCES, *ENDPOINTS, *VOLUMES, *REST, *DROP],
    )
]
