import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.registry import errors, manifest
from snowcave.registry.errors import Code, ManifestInvalid, RegistryError

A, B, C = ("sha256:" + letter * 64 for letter in "abc")


def image(**more: object) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": manifest.OCI_MANIFEST,
        "config": {"digest": A, "size": 10, "mediaType": "application/x"},
        "layers": [{"digest": B, "size": 20}, {"digest": C, "size": 30, "urls": ["http://x"]}],
        **more,
    }
    return json.dumps(document).encode()


def test_a_layer_that_lives_elsewhere_need_not_be_here():
    parsed = manifest.parse(image(), manifest.OCI_MANIFEST)
    assert parsed.blobs == (A, B)
    assert parsed.size == 60


def test_an_artifact_without_a_type_has_its_configurations():
    assert manifest.parse(image(), "").artifact_type == "application/x"
    assert manifest.parse(image(artifactType="application/y"), "").artifact_type == "application/y"


def test_the_header_tells_the_type_where_the_manifest_does_not():
    content = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    parsed = manifest.parse(content, f"{manifest.OCI_INDEX}; charset=utf-8")
    assert parsed.is_index


def test_an_index_names_its_platforms_once():
    entries = [
        {"digest": A, "size": 1, "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": B, "size": 1, "platform": {"os": "linux", "architecture": "amd64"}},
        {
            "digest": C,
            "size": 1,
            "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
        },
    ]
    document = {"schemaVersion": 2, "mediaType": manifest.DOCKER_LIST, "manifests": entries}
    parsed = manifest.parse(json.dumps(document).encode(), "")
    assert parsed.platforms == ("linux/amd64", "linux/arm/v7")
    assert parsed.manifests == (A, B, C)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        (image(), manifest.OCI_INDEX),
        (image(mediaType="text/plain"), ""),
        (image(mediaType=3), ""),
        (image(layers="x"), ""),
        (image(layers=[{"digest": "sha256:../../etc", "size": 1}]), ""),
        (image(layers=[{"digest": A, "size": -1}]), ""),
        (image(layers=[{"digest": A, "size": True}]), ""),
        (image(subject=[]), ""),
        (image(annotations={"a": 1}), ""),
        (image(manifests=[]), ""),
    ],
)
def test_a_manifest_that_says_two_things_or_nonsense_is_refused(content: bytes, header: str):
    with pytest.raises(ManifestInvalid):
        manifest.parse(content, header)


FIELDS = ("config", "layers", "manifests", "subject", "annotations", "artifactType")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"schemaVersion": st.just(2)},
        optional=dict.fromkeys(
            ("config", "layers", "manifests", "subject", "annotations", "artifactType"), JSON
        ),
    ),
    st.sampled_from(manifest.KNOWN),
)
def test_whatever_is_sent_is_parsed_or_refused(document: dict[str, object], kind: str):
    try:
        parsed = manifest.parse(json.dumps(document).encode(), kind)
    except ManifestInvalid:
        return
    assert parsed.media_type == kind


def test_every_refusal_has_its_row_and_its_body():
    classes = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, RegistryError) and one is not RegistryError
    ]
    assert {one.code for one in classes} == set(Code)
    for one in classes:
        (body,) = one("why").body()["errors"]
        assert body["code"] == one.code.value.code
        assert body["message"] == "why"
        assert one().body()["errors"][0]["message"] == one.code.value.message
        assert 400 <= one.code.value.http < 600
