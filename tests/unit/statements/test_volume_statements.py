"""Services with volumes and secrets, their snapshots, and what is asked for as they go."""

import random
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.catalog.backups import Backups
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import (
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    SpecInvalid,
    SyntaxInvalid,
    ValueInvalid,
)
from snowcave.model.keys import Role
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore
from tests.kit.statements import Account, open_account

BLOCK = "{name: data, source: block, size: 2Gi%s}"
SNAPSHOT = 'CREATE SNAPSHOT %s FROM SERVICE s VOLUME "data" INSTANCE %d'


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql(
            "CREATE DATABASE d",
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_S",
            "CREATE IMAGE REPOSITORY r",
            "CREATE STAGE st",
            "CREATE SECRET login TYPE=PASSWORD USERNAME='u' PASSWORD='p'",
            "CREATE ROLE bob",
            "CREATE USER bob PASSWORD='secret' DEFAULT_ROLE=bob",
            "GRANT ROLE bob TO USER bob",
            "GRANT USAGE ON DATABASE d TO ROLE bob",
            "GRANT USAGE, CREATE SERVICE, CREATE SNAPSHOT ON SCHEMA d.public TO ROLE bob",
            "GRANT USAGE ON COMPUTE POOL p TO ROLE bob",
            "GRANT READ ON IMAGE REPOSITORY r TO ROLE bob",
        )
        opened.registry.push("d/public/r/echo:latest")
        yield opened


def create(name: str, volume: str, rest: str = "", secret: str = "") -> str:
    head = f"CREATE SERVICE {name} IN COMPUTE POOL p FROM SPECIFICATION"
    return f"{head} $${spec(volume, secret)}$$ {rest}"


def spec(volume: str, secret: str = "") -> str:
    return (
        f"spec: {{containers: [{{name: main, image: /d/public/r/echo, secrets: [{secret}]}}], "
        f"volumes: [{volume}]}}"
    )


def service(account: Account, name: str = "S") -> state.Object:
    return next(one for one in account.catalog.all("service") if one.name == name)


async def taken(account: Account, name: str, told: str = "CREATED") -> state.Object:
    """What the machine with the volume says of the snapshot, read back by the mirrors."""
    (found,) = [one for one in account.catalog.all("snapshot") if one.name == name]
    store = MemoryStore(Role.HYPERVISOR, account.backend)
    status = state.SnapshotStatus(state=told, host="local").SerializeToString()
    revision = await store.put(keys.SNAPSHOT_STATUS.key(found.uid), status)
    await account.catalog.mirrors.snapshots.wait(lambda mirror: mirror.revision >= revision)
    return found


# ---------------------------------------------------------------- snapshots


@pytest.mark.documented
async def test_a_snapshot_is_made_shown_changed_and_dropped(account: Account) -> None:
    await account.sql(create("s", BLOCK % "", "MIN_INSTANCES=2"))
    said = await account.sql(SNAPSHOT % ("snap", 1) + " COMMENT='c'")
    assert said == [{"status": "Snapshot SNAP successfully created."}]
    (shown,) = await account.sql("SHOW SNAPSHOTS LIKE 'sn%' IN SCHEMA d.public")
    created = shown.pop("created_on")
    assert created is not None
    assert shown == {
        "name": "SNAP",
        "state": "INITIALIZED",
        "database_name": "D",
        "schema_name": "PUBLIC",
        "service_name": "D.PUBLIC.S",
        "volume_name": "data",
        "instance": 1,
        "size": 2,
        "comment": "c",
        "owner": "ACCOUNTADMIN",
        "owner_role_type": "ROLE",
        "encryption": "SNOWFLAKE_SSE",
    }
    await taken(account, "SNAP")
    await account.sql("ALTER SNAPSHOT snap SET COMMENT='new'")
    (described,) = await account.sql("DESC SNAPSHOT snap")
    assert (described["state"], described["comment"]) == ("CREATED", "new")
    with pytest.raises(ObjectExists):
        await account.sql(SNAPSHOT % ("snap", 0))
    kept = await account.sql((SNAPSHOT % ("snap", 0)).replace("snap", "IF NOT EXISTS snap", 1))
    assert kept == [{"status": "SNAP already exists, statement succeeded."}]
    await account.sql((SNAPSHOT % ("snap", 0)).replace("CREATE", "CREATE OR REPLACE"))
    (shown,) = await account.sql("SHOW SNAPSHOTS")
    assert (shown["instance"], shown["state"]) == (0, "INITIALIZED")
    await account.sql("DROP SNAPSHOT snap", "DROP SNAPSHOT IF EXISTS snap")
    assert await account.sql("SHOW SNAPSHOTS IN ACCOUNT") == []
    with pytest.raises(ObjectNotFound, match=r"Snapshot 'D\.PUBLIC\.SNAP'"):
        await account.sql("DESC SNAPSHOT snap")


@pytest.mark.parametrize(
    ("sql", "error", "words"),
    [
        (SNAPSHOT % ("x", 1), ValueInvalid, "instances 0 to 0"),
        ((SNAPSHOT % ("x", 0)).replace("data", "DATA"), ValueInvalid, "no block volume 'DATA'"),
        ((SNAPSHOT % ("x", 0)).replace("data", "tmp"), ValueInvalid, "no block volume 'tmp'"),
        ((SNAPSHOT % ("x", 0)).replace("SERVICE s", "SERVICE t"), ObjectNotFound, "Service"),
        (
            "CREATE OR REPLACE SNAPSHOT IF NOT EXISTS x FROM SERVICE s",
            SyntaxInvalid,
            "syntax error",
        ),
        ('CREATE SNAPSHOT x FROM SERVICE s VOLUME "data"', SyntaxInvalid, "syntax error"),
    ],
)
async def test_snapshots_that_cannot_be(
    account: Account, sql: str, error: type[Exception], words: str
) -> None:
    volumes = BLOCK % "" + ", {name: tmp, source: local}"
    await account.sql(create("s", volumes))
    with pytest.raises(error, match=words):
        await account.sql(sql)


@pytest.mark.documented
async def test_who_may_take_and_see_snapshots(account: Account) -> None:
    bob = account.session("BOB", "BOB")
    bob.database, bob.schema = "D", "PUBLIC"
    await account.sql(create("s", BLOCK % ""), "GRANT USAGE ON SERVICE s TO ROLE bob")
    with pytest.raises(NotAuthorized):
        await account.sql(SNAPSHOT % ("snap", 0), context=bob)
    await account.sql("GRANT OPERATE ON SERVICE s TO ROLE bob")
    await account.sql(SNAPSHOT % ("snap", 0), context=bob)
    await account.sql(SNAPSHOT % ("other", 0))
    assert [row["name"] for row in await account.sql("SHOW SNAPSHOTS", context=bob)] == ["SNAP"]
    await account.sql("GRANT USAGE ON SNAPSHOT other TO ROLE bob")
    with pytest.raises(NotAuthorized):
        await account.sql("DROP SNAPSHOT other", context=bob)


# ---------------------------------------------------------------- restoring


@pytest.mark.documented
async def test_a_restore_counts_on_for_each_instance(account: Account) -> None:
    await account.sql(create("s", BLOCK % "", "MIN_INSTANCES=3"), SNAPSHOT % ("snap", 0))
    restore = 'ALTER SERVICE s RESTORE VOLUME "data" INSTANCES 0, 2 FROM SNAPSHOT snap'
    with pytest.raises(ValueInvalid, match="not in state CREATED"):
        await account.sql(restore)
    snapshot = await taken(account, "SNAP")
    await account.sql(restore, restore.replace("0, 2", "2"))
    found = [(one.instance_id, one.number) for one in service(account).service.restores]
    assert found == [(0, 1), (2, 2)]
    assert {one.snapshot for one in service(account).service.restores} == {snapshot.uid}
    with pytest.raises(ValueInvalid, match="instances 0 to 2"):
        await account.sql(restore.replace("0, 2", "3"))
    with pytest.raises(ValueInvalid, match="no block volume"):
        await account.sql(restore.replace('"data"', '"other"'))
    await account.sql(restore.replace("SERVICE s", "SERVICE IF EXISTS gone"))


# ---------------------------------------------------------------- services


@pytest.mark.documented
async def test_initial_contents_are_a_snapshot_that_fits(account: Account) -> None:
    await account.sql(create("s", BLOCK % ""), SNAPSHOT % ("snap", 0))
    snapshot = await taken(account, "SNAP")
    volume = BLOCK % ", blockConfig: {initialContents: {fromSnapshot: %s}%s}"
    await account.sql(create("heir", volume % ("snap", "")))
    (made,) = service(account, "HEIR").service.spec.volumes
    assert made.block.snapshot == snapshot.uid
    with pytest.raises(ValueInvalid, match="smaller than snapshot"):
        await account.sql(create("x", (volume % ("snap", "")).replace("2Gi", "1Gi")))
    with pytest.raises(ValueInvalid, match="same type of encryption"):
        await account.sql(create("x", volume % ("d.public.snap", ", encryption: SNOWFLAKE_FULL")))
    with pytest.raises(ObjectNotFound):
        await account.sql(create("x", volume % ("nobody", "")))
    # What has its contents needs the snapshot no more.
    await account.sql("DROP SNAPSHOT snap")
    await account.sql(f"ALTER SERVICE heir FROM SPECIFICATION $${spec(volume % ('snap', ''))}$$")


@pytest.mark.documented
async def test_block_volumes_freeze_a_service(account: Account) -> None:
    with pytest.raises(ValueInvalid, match="needs them to be equal"):
        await account.sql(create("s", BLOCK % "", "MIN_INSTANCES=1 MAX_INSTANCES=2"))
    await account.sql(create("s", BLOCK % ""))
    alter = "ALTER SERVICE s FROM SPECIFICATION $$%s$$"
    for changed in ("", (BLOCK % "").replace("2Gi", "3Gi"), (BLOCK % "").replace("data", "more")):
        with pytest.raises(SpecInvalid, match="cannot be"):
            await account.sql(alter % spec(changed))
    await account.sql(alter % spec(BLOCK % "" + ", {name: tmp, source: local}"))
    for change in ("MAX_INSTANCES=2", "MIN_INSTANCES=2 MAX_INSTANCES=2"):
        with pytest.raises(ValueInvalid):
            await account.sql(f"ALTER SERVICE s SET {change}")


@pytest.mark.documented
async def test_a_service_with_block_volumes_is_dropped_by_force(account: Account) -> None:
    await account.sql(create("s", BLOCK % ""))
    with pytest.raises(ValueInvalid, match="block storage volumes"):
        await account.sql("DROP SERVICE s")
    await account.sql("DROP SERVICE s FORCE")
    assert list(account.catalog.all("service")) == []


@pytest.mark.documented
async def test_stages_are_mounted_as_the_owner_may_use_them(account: Account) -> None:
    bob = account.session("BOB", "BOB")
    bob.database, bob.schema = "D", "PUBLIC"
    (stage,) = account.catalog.all("stage")
    volume = '{name: files, source: stage, stageConfig: {name: "@st/some/folder"}}'
    with pytest.raises(ObjectNotFound):
        await account.sql(create("s", volume), context=bob)
    await account.sql("GRANT USAGE ON STAGE st TO ROLE bob")
    with pytest.raises(NotAuthorized):
        await account.sql(create("s", volume), context=bob)
    await account.sql("GRANT READ ON STAGE st TO ROLE bob")
    await account.sql(create("s", volume), context=bob)
    (made,) = service(account).service.spec.volumes
    assert (made.stage.stage, made.stage.folder) == (stage.uid, "some/folder")
    assert not made.stage.writable
    await account.sql("GRANT WRITE ON STAGE st TO ROLE bob")
    await account.sql(create("t", '{name: files, source: "@d.public.st"}'), context=bob)
    (made,) = service(account, "T").service.spec.volumes
    assert (made.stage.stage, made.stage.folder, made.stage.writable) == (stage.uid, "", True)


@pytest.mark.documented
async def test_secrets_must_be_there_and_readable(account: Account) -> None:
    bob = account.session("BOB", "BOB")
    bob.database, bob.schema = "D", "PUBLIC"
    secret = "{snowflakeSecret: login, directoryPath: /run/login}"
    with pytest.raises(ObjectNotFound):
        await account.sql(create("s", "", secret=secret), context=bob)
    await account.sql("GRANT READ ON SECRET login TO ROLE bob")
    await account.sql(create("s", "", secret=secret), context=bob)
    wrong = "{snowflakeSecret: login, envVarName: X, secretKeyRef: secret_string}"
    with pytest.raises(SpecInvalid, match="has no secret_string"):
        await account.sql(create("t", "", secret=wrong), context=bob)


# ---------------------------------------------------------------- backups


class Ahead(LoopClock):
    """A clock that may be put forward."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


async def forgotten(account: Account, clock: LoopClock) -> Backups:
    """The service has been dropped and has stopped; its volumes are still there."""
    agent = MemoryStore(Role.AGENT, account.backend)
    uid = service(account).uid
    for instance_id in range(2):
        record = state.BlockSet(host="local", volumes=["data"]).SerializeToString()
        await agent.put(keys.BLOCKS.key(uid, instance_id), record)
    await account.sql("DROP SERVICE s FORCE")
    found = account.catalog.mirrors.objects.get("service", uid)
    assert found is not None
    backups = Backups(account.store, account.catalog, clock, random.Random(5), 60.0)
    for _ in range(2):
        await backups.make(found)
    await account.sql("CREATE ROLE anything")  # until the mirrors have it
    return backups


@pytest.mark.documented
async def test_dropping_a_service_keeps_its_volumes_for_a_while(account: Account) -> None:
    await account.sql(create("s", BLOCK % "", "MIN_INSTANCES=2"))
    await forgotten(account, LoopClock())
    shown = await account.sql("SHOW SNAPSHOTS")
    assert all(str(row["name"]).startswith("SYS_BACKUP_ON_DELETE") for row in shown)
    assert {row["instance"] for row in shown} == {0, 1}
    (one, _) = account.catalog.all("snapshot")
    kept = one.snapshot.expires_on.ToDatetime() - one.created_on.ToDatetime()
    assert kept == timedelta(days=7)


@pytest.mark.documented
async def test_no_backup_is_made_where_none_is_wanted(account: Account) -> None:
    await account.sql(
        create("s", BLOCK % ", blockConfig: {snapshotOnDelete: false}", "MIN_INSTANCES=2")
    )
    await forgotten(account, LoopClock())
    assert await account.sql("SHOW SNAPSHOTS") == []


@pytest.mark.documented
async def test_a_backup_goes_when_its_time_has_come(account: Account) -> None:
    clock = Ahead()
    await account.sql(
        create("s", BLOCK % ", blockConfig: {snapshotDeleteAfter: 3h}", "MIN_INSTANCES=2")
    )
    backups = await forgotten(account, clock)
    await backups.sweep()
    assert len(await account.sql("SHOW SNAPSHOTS")) == 2
    clock.ahead = timedelta(hours=3, minutes=1)
    await backups.sweep()
    assert await account.sql("SHOW SNAPSHOTS") == []
