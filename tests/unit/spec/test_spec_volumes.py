"""Volumes and secrets of a specification: all their forms, and what is refused."""

import pytest

from snowcave.model import spec
from snowcave.model.errors import SpecInvalid
from snowcave.v1 import state_pb2 as state

WHOLE = """
spec:
  containers:
  - name: main
    image: /d/s/r/i
    volumeMounts:
    - {name: data, mountPath: /data}
    - {name: files, mountPath: /files}
    - {name: old, mountPath: /old}
    secrets:
    - {snowflakeSecret: db.sch.cred, directoryPath: /run/cred}
    - snowflakeSecret: {objectName: token}
      envVarName: TOKEN
      secretKeyRef: secret_string
  volumes:
  - name: data
    source: block
    size: 7Gi
    uid: 1000
    gid: 1001
    blockConfig:
      initialContents: {fromSnapshot: db.sch.snap}
      iops: 3500
      throughput: 200
      encryption: SNOWFLAKE_FULL
      snapshotOnDelete: false
      snapshotDeleteAfter: 36h
  - name: files
    source: stage
    stageConfig:
      name: "@db.sch.st/some/folder"
      metadataCache: 1h30m
      resources: {limits: {memory: 1Gi, cpu: 0.5}}
  - {name: old, source: "@st", uid: 7}
"""
BODY = "spec: {containers: [{name: a, image: /d/s/r/i, %s}], volumes: [%s]}"


def test_every_kind_of_volume_is_read() -> None:
    data, files, old = spec.parse(WHOLE).volumes
    assert (data.source, data.size_bytes, data.uid, data.gid) == ("block", 7 << 30, 1000, 1001)
    assert data.block == state.BlockConfig(
        from_snapshot="db.sch.snap",
        iops=3500,
        throughput=200,
        encryption="SNOWFLAKE_FULL",
        snapshot_on_delete=False,
        snapshot_delete_after_secs=36 * 3600,
    )
    assert (files.source, files.stage.path, files.stage.folder) == (
        "stage",
        "@db.sch.st/some/folder",
        "some/folder",
    )
    assert (old.source, old.stage.path, old.stage.folder, old.uid) == ("@st", "@st", "", 7)


def test_secrets_are_files_or_variables() -> None:
    (container,) = spec.parse(WHOLE).containers
    assert list(container.secrets) == [
        state.SecretMount(object_name="db.sch.cred", directory_path="/run/cred"),
        state.SecretMount(
            object_name="token", env_var_name="TOKEN", secret_key_ref="secret_string"
        ),
    ]


def test_what_is_described_of_volumes_can_be_created_again() -> None:
    found = spec.parse(WHOLE)
    assert spec.parse(spec.described(found)) == found


def test_a_backup_on_delete_is_the_default_that_nobody_wrote() -> None:
    (volume,) = spec.parse(BODY % ("", "{name: v, source: block, size: 1Gi}")).volumes
    assert not volume.block.HasField("snapshot_on_delete")


@pytest.mark.documented
@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ("{name: v, source: block, size: 512Mi}", "from 1Gi to 16384Gi"),
        ("{name: v, source: block, size: 1.5Gi}", "from 1Gi to 16384Gi"),
        ("{name: v, source: block, size: 20000Gi}", "from 1Gi to 16384Gi"),
        ("{name: v, source: memory}", "missing 'size'"),
        ("{name: v, source: local, uid: 3}", "'uid' .* does not go with source local"),
        ("{name: v, source: local, blockConfig: {}}", "'blockConfig' .* does not go with"),
        ("{name: v, source: block, size: 1Gi, blockConfig: {iops: 2999}}", "from 3000 to 80000"),
        ("{name: v, source: block, size: 1Gi, blockConfig: {iops: 4000}}", "500 for each GiB"),
        (
            "{name: v, source: block, size: 1Gi, blockConfig: {throughput: 1000}}",
            "a quarter of iops",
        ),
        (
            "{name: v, source: block, size: 1Gi, blockConfig: {snapshotDeleteAfter: 3w}}",
            "hours or days",
        ),
        ("{name: v, source: stage}", "missing 'stageConfig'"),
        ("{name: v, source: stage, stageConfig: {name: st}}", "a stage such as"),
        ('{name: v, source: "@~"}', "a stage such as"),
        ('{name: v, source: "@st/../up"}', "a stage such as"),
    ],
)
def test_volumes_that_cannot_be(volume: str, message: str) -> None:
    with pytest.raises(SpecInvalid, match=message):
        spec.parse(BODY % ("", volume))


@pytest.mark.documented
@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("{snowflakeSecret: s}", "one of 'directoryPath' and 'envVarName'"),
        ("{snowflakeSecret: s, directoryPath: /a, envVarName: B}", "one of 'directoryPath'"),
        ("{snowflakeSecret: s, directoryPath: a}", "an absolute path"),
        ("{snowflakeSecret: s, envVarName: B}", "missing 'secretKeyRef'"),
        ("{snowflakeSecret: s, envVarName: B, secretKeyRef: pin}", "USERNAME, PASSWORD"),
        ("{snowflakeSecret: s, directoryPath: /a, secretKeyRef: password}", "needs 'envVarName'"),
        ("{directoryPath: /a}", "missing 'snowflakeSecret'"),
        ("{snowflakeSecret: {objectReference: r}, directoryPath: /a}", "not supported"),
    ],
)
def test_secrets_that_cannot_be(secret: str, message: str) -> None:
    with pytest.raises(SpecInvalid, match=message):
        spec.parse(BODY % (f"secrets: [{secret}]", ""))
