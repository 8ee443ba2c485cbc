"""The service specification: accepted forms, kept spellings, and the words of refusals."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowcave.model import spec
from snowcave.model.errors import SpecInvalid
from snowcave.model.families import FAMILIES, GIB
from snowcave.model.spec.quantities import cpu_milli, memory_bytes
from snowcave.v1 import state_pb2 as state

# A busy machine is no failure.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ECHO = """
  spec:
    containers:
    - name: echo
      image: /db/sc/repo/echo:latest
      env:
        SERVER_PORT: 8000
        VERSION: 1.10
        AT: 22:22
        ON: yes
        EMPTY:
      readinessProbe: {port: 8000, path: healthcheck}
      volumeMounts: [{name: logs, mountPath: /var/log}]
      resources:
        requests: {memory: 1.5Gi, cpu: 500m}
        limits: {memory: 2G, cpu: 1.5}
    endpoints:
    - {name: ui, port: 8000, public: true}
    - {name: raw, portRange: 9000-9010, protocol: TCP}
    volumes:
    - {name: logs, source: local}
    - {name: shm, source: memory, size: 64Mi}
    logExporters: {eventTableConfig: {logLevel: ERROR}}
  serviceRoles:
  - {name: viewer, endpoints: [ui]}
  capabilities: {securityContext: {executeAsCaller: true}}
"""
CONTAINER = "spec: {containers: [{name: a, image: /d/s/r/i, %s}]%s}%s"


def test_a_whole_specification_is_read() -> None:
    found = spec.parse(ECHO)
    (container,) = found.containers
    assert dict(container.env) == {
        "SERVER_PORT": "8000",
        "VERSION": "1.10",
        "AT": "22:22",
        "ON": "yes",
        "EMPTY": "",
    }
    assert container.readiness_probe == state.ReadinessProbe(port=8000, path="/healthcheck")
    assert container.requests.memory_bytes == 3 * GIB // 2
    assert (container.requests.cpu_milli, container.limits.memory_bytes) == (500, 2 * 10**9)
    assert [(e.name, e.port, e.port_last, e.protocol, e.public) for e in found.endpoints] == [
        ("ui", 8000, 0, "HTTP", True),
        ("raw", 9000, 9010, "TCP", False),
    ]
    assert [(v.name, v.source, v.size_bytes) for v in found.volumes] == [
        ("logs", "local", 0),
        ("shm", "memory", 64 << 20),
    ]
    assert (found.log_level, found.execute_as_caller) == ("ERROR", True)
    assert found.service_roles[0].endpoints == ["ui"]


def test_json_is_yaml_as_the_cli_sends_it() -> None:
    text = (
        '{"spec": {"container": [{"name": "m", "image": "/d/s/r/i", "env": {"X": "a\\u0024$b"}}]}}'
    )
    assert spec.parse(text).containers[0].env["X"] == "a$$b"


def test_what_is_described_can_be_created_again() -> None:
    found = spec.parse(ECHO)
    assert spec.digest(spec.parse(spec.described(found))) == spec.digest(found)


def test_the_digest_does_not_depend_on_spelling_but_on_pins() -> None:
    one = spec.parse("spec: {containers: [{name: a, image: /d/s/r/i, env: {A: 1, B: 2}}]}")
    two = spec.parse('spec:\n  container:\n  - {env: {B: "2", A: "1"}, image: /d/s/r/i, name: a}')
    assert spec.digest(one) == spec.digest(two)
    two.containers[0].resolved.digest = "sha256:" + "0" * 64
    assert spec.digest(one) != spec.digest(two)
    assert len(spec.digest(one)) == 64


@pytest.mark.validated
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spec: {foo: 1}", "Invalid spec: unknown option 'foo' for 'spec'."),
        (
            CONTAINER % ("", ", endpoints: [{name: e, port: 1, x: 2}]", ""),
            "Invalid spec: unknown option 'x' for 'endpoints[0]'.",
        ),
        (
            CONTAINER % ("readinessProbe: {path: /}", "", ""),
            "Invalid spec: missing 'port' for 'readinessProbe'",
        ),
        (
            "spec: {containers: [{name: a, image: b}], serviceRoles: []}",
            "Invalid spec: unknown option 'serviceRoles' for 'spec'.",
        ),
    ],
)
def test_refusals_in_the_words_of_a_live_account(text: str, message: str) -> None:
    with pytest.raises(SpecInvalid) as caught:
        spec.parse(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing 'spec'"),
        ("spec:", "missing 'spec'"),
        ("spec:\ncontainer:\n- name: main", "unknown option 'container'"),
        ("spec: {}", "missing 'containers' for 'spec'"),
        ("spec: {containers: []}", "missing 'containers' for 'spec'"),
        ("spec:\n  containers:\n  - name: a\n   image: b", "invalid YAML at line 4"),
        ("spec: {containers: [{name: A, image: b}]}", "invalid value 'A' for 'name'"),
        ("spec: {containers: [{name: a}]}", r"missing 'image' for 'containers\[0\]'"),
        ("a: 1\na: 2", "duplicate key 'a'"),
        (CONTAINER % ("env: [a]", "", ""), "'env' in"),
        (CONTAINER % ("command: run", "", ""), "'command' in .* must be a list"),
        (CONTAINER % ("secrets: {}", "", ""), "'secrets' .* must be a list"),
        (CONTAINER % ("resources: {requests: {memory: 1}}", "", ""), "invalid value '1'"),
        (CONTAINER % ("resources: {limits: {nvidia.com/gpu: 1}}", "", ""), "must be the same"),
        (
            CONTAINER % ("resources: {requests: {cpu: 2}, limits: {cpu: 1}}", "", ""),
            "more cpu than its limit",
        ),
        (CONTAINER % ("volumeMounts: [{name: v, mountPath: /a}]", "", ""), "no such volume"),
        (CONTAINER % ("", ", endpoints: [{name: e, port: 0}]", ""), "from 1 to 65535"),
        (CONTAINER % ("", ", endpoints: [{name: e}]", ""), r"missing 'port' for 'endpoints\[0\]'"),
        (
            CONTAINER % ("", ", endpoints: [{name: e, portRange: 1-2}]", ""),
            "needs protocol TCP",
        ),
        (
            CONTAINER % ("", ", endpoints: [{name: e, port: 1}, {name: e, port: 2}]", ""),
            "duplicate endpoint name 'e'",
        ),
        (
            CONTAINER % ("", ", endpoints: [{name: e, port: 1, public: true, protocol: TCP}]", ""),
            "must be HTTP",
        ),
        (CONTAINER % ("", ", volumes: [{name: v, source: block}]", ""), "missing 'size'"),
        (CONTAINER % ("", ", volumes: [{name: v, source: memory}]", ""), "missing 'size'"),
        (
            CONTAINER % ("", "", "\nserviceRoles: [{name: r, endpoints: [x]}]"),
            "there is no such endpoint",
        ),
        (
            CONTAINER
            % (
                "",
                ", endpoints: [{name: e, port: 1, public: true, "
                "corsSettings: {Access-Control-Allow-Origin: []}}]",
                "",
            ),
            "missing 'Access-Control-Allow-Origin' for 'corsSettings'",
        ),
        (
            CONTAINER % ("", "", "\nserviceRoles: [{name: r, endpoints: []}]"),
            "missing 'endpoints' for 'serviceRoles",
        ),
        ("[" * 5000, "nested too deeply"),
        ("a: &a [*a]", "nested too deeply"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
            "e: [*d,*d,*d,*d,*d,*d]",
            "too large",
        ),
        ("x" * 200_000, "longer than"),
        ('a: "\\UFFFFFFFF"', "invalid YAML"),
    ],
)
def test_refusals_name_the_place(text: str, message: str) -> None:
    with pytest.raises(SpecInvalid, match=message):
        spec.parse(text)


WORDS = """
    spec containers container name image env command endpoints port portRange public protocol
    volumes source size resources requests limits memory cpu serviceRoles readinessProbe path
    corsSettings nvidia.com/gpu logExporters eventTableConfig logLevel
"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@UNTIMED
@given(TREES)
def test_any_tree_is_accepted_or_refused(tree: object) -> None:
    text = yaml.safe_dump({"spec": tree}, allow_unicode=True)
    try:
        found = spec.parse(text)
    except SpecInvalid:
        return
    assert spec.digest(spec.parse(spec.described(found))) == spec.digest(found)


@UNTIMED
@given(st.text() | st.text(alphabet="spec: {}[]-\n\t\"'&*!|>%@`#,?~<=\\x0u\0é"))
def test_any_text_is_accepted_or_refused(text: str) -> None:
    with pytest.raises(SpecInvalid):
        spec.parse(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1Gi", GIB), ("1.5Gi", 3 * GIB // 2), ("64M", 64 * 10**6), ("10Ki", 10240), ("5k", 5000)],
)
def test_memory_is_exact(text: str, size: int) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["1", "Gi", "-1Gi", "1gi", "1 Gi", "٣Gi", "9" * 12 + "Ti", "1e3M"]
)
def test_no_amount_of_memory(text: str) -> None:
    assert memory_bytes(text) is None


@pytest.mark.parametrize(
    ("text", "milli"), [("0.5", 500), ("500m", 500), ("2", 2000), (".25", 250)]
)
def test_processors_in_thousandths(text: str, milli: int) -> None:
    assert cpu_milli(text) == milli


def test_a_missing_request_is_the_greater_of_floor_and_limit() -> None:
    family = FAMILIES["CPU_X64_XS"]
    found = spec.parse(CONTAINER % ("resources: {limits: {cpu: 0.8, memory: 9Gi}}", "", ""))
    share = spec.share_of(found.containers[0], family)
    assert (share.request.cpu_milli, share.request.memory_bytes) == (800, 9 * GIB)
    assert (share.limit.cpu_milli, share.limit.memory_bytes) == (800, 6 * GIB)
    assert spec.misfit(found, family) == "memory"


def test_without_resources_the_floors_are_asked_for_and_the_node_is_the_limit() -> None:
    family = FAMILIES["CPU_X64_XS"]
    found = spec.parse(CONTAINER % ("", "", ""))
    share = spec.share_of(found.containers[0], family)
    assert share.request == spec.Need(500, GIB // 2, 0)
    assert share.limit == spec.Need(1000, 6 * GIB, 0)
    assert spec.misfit(found, family) == ""


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (
            "/db/sc/repo/amd64/nginx",
            spec.ImagePath("repo", "amd64/nginx", "latest", "", "sc", "db"),
        ),
        ("/DB/SC/Repo/echo:v1", spec.ImagePath("repo", "echo", "v1", "", "sc", "db")),
        (
            "org-acct.registry.snowflakecomputing.com/db/sc/repo/echo:v1",
            spec.ImagePath("repo", "echo", "v1", "", "sc", "db"),
        ),
        (
            "localhost:8401/db/sc/repo/echo",
            spec.ImagePath("repo", "echo", "latest", "", "sc", "db"),
        ),
        ("repo/echo:v2", spec.ImagePath("repo", "echo", "v2")),
        (
            f"/db/sc/repo/echo@sha256:{'a' * 64}",
            spec.ImagePath("repo", "echo", "", f"sha256:{'a' * 64}", "sc", "db"),
        ),
    ],
)
def test_image_references(image: str, expected: spec.ImagePath) -> None:
    assert spec.parse_image(image, "containers[0]", {"localhost:8401"}) == expected


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "/db/sc/repo",
        "/db//repo/x",
        "docker.io/library/a/b",
        "/d/s/r/i:",
        "/d/s/r/i@md5:1",
    ],
)
def test_image_references_that_are_none_of_ours(image: str) -> None:
    with pytest.raises(SpecInvalid, match="image"):
        spec.parse_image(image, "containers[0]")


@UNTIMED
@given(st.text(max_size=60))
def test_any_image_text_is_read_or_refused(text: str) -> None:
    try:
        found = spec.parse_image(text, "containers[0]")
    except SpecInvalid:
        return
    assert found.repository
    assert found.image_name
