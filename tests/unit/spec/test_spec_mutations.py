"""Valid specifications with something wrong put in: accepted, or refused with a sentence."""

import copy
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowcave.model import spec
from snowcave.model.errors import SpecInvalid
from snowcave.model.families import FAMILIES

# A busy machine is no failure.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WHOLE = """
spec:
  containers:
  - name: main
    image: /db/sc/repo/image:latest
    command: [sh, -c]
    args: ["true"]
    env: {A: 1.10, B: 22:22, C: yes}
    readinessProbe: {port: 8000, path: /healthcheck}
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: files, mountPath: /files}
    - {name: shm, mountPath: /dev/shm}
    resources:
      requests: {memory: 1.5Gi, cpu: 500m, nvidia.com/gpu: 1}
      limits: {memory: 2Gi, cpu: 2, nvidia.com/gpu: 1}
    secrets:
    - {snowflakeSecret: db.sc.pass, directoryPath: /secrets}
    - snowflakeSecret: {objectName: token}
      envVarName: TOKEN
      secretKeyRef: secret_string
  - {name: side, image: repo/image}
  endpoints:
  - name: ui
    port: 8000
    public: true
    corsSettings:
      Access-Control-Allow-Origin: ["https://example.com"]
      Access-Control-Allow-Methods: [GET]
  - {name: raw, portRange: 9000-9010, protocol: TCP}
  volumes:
  - {name: local, source: local}
  - {name: shm, source: memory, size: 64Mi}
  - name: data
    source: block
    size: 10Gi
    uid: 1000
    blockConfig: {iops: 3000, throughput: 125, snapshotOnDelete: true, snapshotDeleteAfter: 3d}
  - name: files
    source: stage
    stageConfig: {name: "@db.sc.st/dir", metadataCache: 1h30m}
  logExporters: {eventTableConfig: {logLevel: ERROR}}
  platformMonitor: {metricConfig: {groups: [system, storage]}}
  resourceManagement:
    autoScalingPolicies:
      scaleUp:
        anyConditions:
        - metricCondition:
            metricName: container.cpu.usage
            aggregationType: avg
            targetScaling: {targetValue: 0.5}
      scaleDown:
        allConditions:
        - metricCondition:
            metricName: queue
            labels: {snow.endpoint.name: ui}
            aggregationType: max
            stepScaling:
              adjustmentType: changeInstanceCount
              scalingSteps: [{upperBound: 3, targetAdjustment: -1}]
serviceRoles:
- {name: viewer, endpoints: [ui]}
capabilities: {securityContext: {executeAsCaller: true}}
"""
Path = tuple[str | int, ...]


def paths(node: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in a tree but its root."""
    items: Any = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield (*at, key)
        if isinstance(value, (dict, list)):
            yield from paths(value, (*at, key))


TREE: dict[str, Any] = yaml.load(WHOLE, Loader=yaml.BaseLoader)
PLACES = list(paths(TREE))
KEYS = sorted({str(key) for place in PLACES for key in place if isinstance(key, str)})
ODD = st.sampled_from(
    [
        "", "0", "-1", "1e400", "9" * 40, "0.0000000001Gi", "1" * 12 + "Gi", "nan", "inf", "null", "~",
        "true", "@", "@a.b.c", "a" * 64, "-a", "a-", "ä", "\x00", "/", "//", "/../x", "1-0", "65536",
        "{{ x }}", "1h1h", "0d", "99999d", "0Gi", "1Ki", "HTTPS", "*", "https://*", "a@sha256:0",
    ]
)  # fmt: skip
VALUES = st.recursive(
    ODD | st.text(max_size=6) | st.sampled_from(KEYS) | st.none() | st.integers() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)
SCALES = st.sampled_from([1, 2, 25, 120])


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    tree = copy.deepcopy(TREE)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(PLACES))
        try:
            parent: Any = tree
            for key in place[:-1]:
                parent = parent[key]
            mutate(draw, parent, place[-1])
        except (KeyError, IndexError, TypeError):
            # An earlier change has taken the place away.
            continue
    return tree


def mutate(draw: st.DrawFn, parent: Any, key: Any) -> None:
    match draw(st.sampled_from(["drop", "replace", "rename", "repeat", "wrap", "swap"])):
        case "drop":
            del parent[key]
        case "replace":
            parent[key] = draw(VALUES)
        case "rename" if isinstance(parent, dict):
            parent[draw(st.sampled_from(KEYS) | st.text(max_size=5))] = parent.pop(key)
        case "repeat" if isinstance(parent, list):
            parent.extend(copy.deepcopy(parent[key]) for _ in range(draw(SCALES)))
        case "wrap":
            parent[key] = draw(st.sampled_from([[parent[key]], {"spec": parent[key]}]))
        case _:
            parent[key] = copy.deepcopy(
                draw(st.sampled_from([TREE["spec"], *TREE["spec"].values()]))
            )


def test_what_is_mutated_is_valid_at_first() -> None:
    found = spec.parse(WHOLE)
    assert len(found.containers) == 2
    assert spec.digest(spec.parse(spec.described(found))) == spec.digest(found)


@settings(UNTIMED, max_examples=400)
@given(mutated())
def test_a_changed_specification_is_accepted_or_refused(tree: dict[str, Any]) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True)
    try:
        found = spec.parse(text)
    except SpecInvalid:
        return
    assert spec.digest(spec.parse(spec.described(found))) == spec.digest(found)
    for family in FAMILIES.values():
        spec.misfit(found, family)
    for index, container in enumerate(found.containers):
        with suppress(SpecInvalid):
            spec.parse_image(container.image, f"containers[{index}]")


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_an_unknown_option_is_told_with_its_place(place: Path) -> None:
    tree = copy.deepcopy(TREE)
    node: Any = tree
    for key in place:
        node = node[key]
    if not isinstance(node, dict) or place[-1] in ("env", "labels"):
        return
    node["robot"] = "x"
    with pytest.raises(SpecInvalid) as raised:
        spec.parse(yaml.safe_dump(tree))
    keys = [key for key in place if isinstance(key, str)]
    shown = f"{keys[-1]}[{place[-1]}]" if isinstance(place[-1], int) else keys[-1]
    assert raised.value.message == f"Invalid spec: unknown option 'robot' for '{shown}'."


def test_the_order_of_options_does_not_matter() -> None:
    def shuffled(node: Any, rng: random.Random) -> Any:
        if isinstance(node, dict):
            items = list(node.items())
            rng.shuffle(items)
            return {key: shuffled(value, rng) for key, value in items}
        return [shuffled(one, rng) for one in node] if isinstance(node, list) else node

    whole = spec.parse(WHOLE)
    for seed in range(20):
        text = yaml.safe_dump(shuffled(TREE, random.Random(seed)), sort_keys=False)
        assert spec.digest(spec.parse(text)) == spec.digest(whole)
