"""Volumes and secrets of services that run: what is kept, what is shared with a stage, what is restored."""

import asyncio
import random
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest
import snowflake.connector

from snowcave.model import keys
from snowcave.v1 import state_pb2 as state
from tests.fault.kit.faults import Undo
from tests.fault.kit.view import MeshView
from tests.fault.kit.vms import CutLink
from tests.kit.clients import (
    call,
    endpoint,
    ingress_host,
    probe_container,
    service_sql,
    status,
    wait_ready,
)
from tests.kit.mesh import Snowcave, rows, until

pytestmark = pytest.mark.docker

PUBLIC = endpoint("ui", 8000, public=True)
PROBE = "    readinessProbe:\n      port: 8000\n      path: /up\n"
GIB = 1 << 30
SETTLED = 90.0


def mounts(**places: str) -> str:
    lines = [f"    - {{name: {name}, mountPath: {path}}}\n" for name, path in places.items()]
    return PROBE + "    volumeMounts:\n" + "".join(lines)


def sql_with(name: str, container: str, volumes: str) -> str:
    return in_pool(service_sql(name, container, f"{PUBLIC}  volumes:\n{volumes}"))


def in_pool(sql: str) -> str:
    return sql.replace("wide_pool", "storage_pool")


def check(session: Any, service: str, *checks: list[Any]) -> list[Any]:
    """What the service's container finds."""
    reply = call(
        ingress_host(session, service),
        "/checks",
        token=session.rest.token,
        method="POST",
        body=list(checks),
    )
    assert reply.status == 200, reply
    return reply.json()


def execute(session: Any, sql: str) -> Any:
    return session.cursor().execute(sql).fetchall()


@pytest.fixture(scope="module")
def storage_pool(tutorial: Snowcave, session: Any) -> Generator[None]:
    """Two nodes with room: what is on one of them can move to the other."""
    with tutorial.connect() as admin:
        pool = "MIN_NODES=2 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_S"
        execute(admin, f"CREATE COMPUTE POOL storage_pool {pool}")
        execute(admin, "GRANT USAGE, MONITOR ON COMPUTE POOL storage_pool TO ROLE test_role")
        try:
            yield
        finally:
            nodes = rows(admin, "SHOW NODES IN COMPUTE POOL storage_pool")
            execute(admin, "ALTER COMPUTE POOL storage_pool STOP ALL")
            execute(admin, "DROP COMPUTE POOL storage_pool")
            # Other tests take note of every process.
            agents = {f"agent-{node['name']}" for node in nodes}
            until(lambda: not agents & tutorial.pids().keys(), SETTLED)


@pytest.fixture
def dropped(session: Any, storage_pool: None) -> Generator[list[str]]:
    """Services to drop afterwards."""
    made: list[str] = []
    yield made
    for name in made:
        execute(session, f"DROP SERVICE IF EXISTS {name} FORCE")


def wait_settled(session: Any, service: str) -> None:
    """Its instances run what the last statement wanted, and nothing is on its way."""

    def settled() -> bool:
        (shown,) = rows(session, f"DESC SERVICE {service}")
        instances = rows(session, f"SHOW SERVICE INSTANCES IN SERVICE {service}")
        # Right after a statement nothing is known to be on its way yet.
        return (shown["status"], shown["is_upgrading"]) == ("RUNNING", "false") and {
            one["spec_digest"] for one in instances
        } == {shown["spec_digest"]}

    until(settled, SETTLED)
    wait_ready(session, service)


def snapshots(session: Any) -> dict[str, Any]:
    return {row["name"]: row for row in rows(session, "SHOW SNAPSHOTS")}


def wait_created(session: Any, name: str) -> Any:
    until(lambda: snapshots(session)[name]["state"] == "CREATED", SETTLED)
    return snapshots(session)[name]


BLOCK = "  - {name: data, source: block, size: 1Gi}\n"


@pytest.mark.documented
def test_a_block_volume_outlives_suspension_and_upgrade_and_is_restored(
    tutorial: Snowcave, session: Any, dropped: list[str]
):
    """T5 of Snowflake's tutorials."""
    dropped.append("keeper")
    made = sql_with("keeper", probe_container(more=mounts(data="/data")), BLOCK)
    execute(session, made)
    wait_settled(session, "keeper")
    written, size = check(session, "keeper", ["write", "/data/note", "first"], ["size", "/data"])
    assert written is True
    # The file system's own books are part of the size that was asked for.
    assert 0.9 * GIB < size <= GIB

    execute(session, "ALTER SERVICE keeper SUSPEND")
    until(lambda: status(session, "keeper") == "SUSPENDED", SETTLED)
    execute(session, "ALTER SERVICE keeper RESUME")
    wait_settled(session, "keeper")
    assert check(session, "keeper", ["read", "/data/note"]) == ["first"]

    changed = made.replace("volumeMounts", "env: {GENERATION: two}\n    volumeMounts")
    execute(session, "ALTER SERVICE keeper " + changed[changed.index("FROM SPEC") :])
    wait_settled(session, "keeper")
    note, environment = check(session, "keeper", ["read", "/data/note"], ["environment"])
    assert (note, environment["GENERATION"]) == ("first", "two")

    (done,) = execute(
        session, 'CREATE SNAPSHOT before FROM SERVICE keeper VOLUME "data" INSTANCE 0'
    )
    assert done == ("Snapshot BEFORE successfully created.",)
    shown = wait_created(session, "BEFORE")
    assert (shown["service_name"], shown["volume_name"]) == (
        "TUTORIAL_DB.DATA_SCHEMA.KEEPER",
        "data",
    )
    assert (shown["instance"], shown["size"], shown["owner"]) == (0, 1, "TEST_ROLE")
    check(session, "keeper", ["write", "/data/note", "second"], ["write", "/data/more", "x"])
    restore = 'ALTER SERVICE keeper RESTORE VOLUME "data" INSTANCES 0 FROM SNAPSHOT before'
    view = MeshView(tutorial.mesh)
    (old,) = asyncio.run(holders(view, "KEEPER"))
    execute(session, restore)

    def restored() -> bool:
        found = check(session, "keeper", ["read", "/data/note"], ["list", "/data"])
        return found[0] == "first" and "more" not in found[1]

    until(lambda: asyncio.run(holders(view, "KEEPER")) not in ([], [old]), SETTLED)
    wait_settled(session, "keeper")
    assert restored()

    with pytest.raises(snowflake.connector.errors.Error, match="block storage volumes"):
        execute(session, "DROP SERVICE keeper")
    execute(session, "DROP SERVICE keeper FORCE")
    backup = until(
        lambda: next((n for n in snapshots(session) if n.startswith("SYS_BACKUP")), ""), SETTLED
    )
    wait_created(session, backup)
    blocks = tutorial.mesh.home / "blocks"
    until(lambda: [path.name for path in blocks.glob("*")] == ["snapshots"], SETTLED)

    dropped.append("heir")
    heir = BLOCK.replace(
        "1Gi", f"2Gi, blockConfig: {{initialContents: {{fromSnapshot: {backup}}}}}"
    )
    execute(session, sql_with("heir", probe_container(more=mounts(data="/data")), heir))
    wait_settled(session, "heir")
    note, size = check(session, "heir", ["read", "/data/note"], ["size", "/data"])
    assert note == "first"
    assert size > 1.8 * GIB
    for name in ("before", backup):
        execute(session, f"DROP SNAPSHOT {name}")
    until(lambda: not list((blocks / "snapshots").glob("*")), SETTLED)


@pytest.mark.ours
def test_a_block_volume_moves_from_a_node_that_is_cut_off(
    tutorial: Snowcave, session: Any, dropped: list[str]
):
    dropped.append("wanderer")
    execute(session, sql_with("wanderer", probe_container(more=mounts(data="/data")), BLOCK))
    wait_settled(session, "wanderer")
    assert check(session, "wanderer", ["write", "/data/note", "here"]) == [True]
    view = MeshView(tutorial.mesh)
    (old,) = asyncio.run(holders(view, "WANDERER"))
    before = containers_of(tutorial, old.instance)
    fault = CutLink(old.node)
    heal = asyncio.run(fault.inject(view, random.Random(0)))
    try:
        until(lambda: asyncio.run(holders(view, "WANDERER")) not in ([], [old]), SETTLED)
        # Whoever has them now can be sure that nobody else writes to them.
        assert not containers_of(tutorial, old.instance)
        assert before
        wait_ready(session, "wanderer")
        found = until(lambda: check(session, "wanderer", ["read", "/data/note"]), SETTLED)
        assert found == ["here"]
    finally:
        asyncio.run(healed(heal))
    assert fault.happened(view)
    until(lambda: len(rows(session, "SHOW NODES IN COMPUTE POOL storage_pool")) == 2, SETTLED)


def containers_of(cave: Snowcave, instance: str) -> list[str]:
    """Its application containers that run."""
    label = f"label=io.snowcave.instance={instance}"
    names = cave.docker("ps", "--filter", label, "--format", "{{.Names}}").split()
    return [name for name in names if not name.endswith("-sandbox")]


async def holders(view: MeshView, service: str) -> list[state.BlockAttachment]:
    """Who has the block volumes of the service's instances."""
    known = await view.dump(keys.catalog("service").prefix)
    services = [cast(state.Object, found) for found in known.values()]
    (uid,) = [found.uid for found in services if found.name == service]
    held = await view.dump(keys.ATTACHED.under(uid))
    return [cast(state.BlockAttachment, found) for found in held.values()]


async def healed(undo: Undo) -> None:
    await undo()


@pytest.mark.documented
def test_a_stage_volume_is_the_stage(session: Any, dropped: list[str], tmp_path: Path):
    execute(session, "CREATE STAGE IF NOT EXISTS shared_stage")
    local = tmp_path / "hello.txt"
    local.write_text("from outside")
    put = f"PUT file://{local} @shared_stage/in/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE"
    execute(session, put)
    dropped.append("librarian")
    volumes = (
        '  - {name: newer, source: stage, stageConfig: {name: "@shared_stage/in"}}\n'
        '  - {name: older, source: "@shared_stage"}\n'
    )
    container = probe_container(more=mounts(newer="/newer", older="/older"))
    execute(session, sql_with("librarian", container, volumes))
    wait_settled(session, "librarian")
    assert check(
        session,
        "librarian",
        ["read", "/newer/hello.txt"],
        ["list", "/newer"],
        ["read", "/older/in/hello.txt"],
    ) == ["from outside", ["hello.txt"], "from outside"]
    wrote, appended = check(
        session,
        "librarian",
        ["write", "/newer/deep.txt", "from inside"],
        ["append", "/newer/deep.txt", "more"],
    )
    assert wrote is True
    assert "not supported" in appended["message"]
    names = [row["name"] for row in rows(session, "LIST @shared_stage")]
    assert names == ["shared_stage/in/deep.txt", "shared_stage/in/hello.txt"]
    (tmp_path / "got").mkdir()
    execute(session, f"GET @shared_stage/in/deep.txt file://{tmp_path}/got/")
    assert (tmp_path / "got/deep.txt").read_text() == "from inside"
    local.write_text("changed outside")
    execute(session, put)
    until(lambda: check(session, "librarian", ["read", "/newer/hello.txt"]) == ["changed outside"])
    execute(session, "REMOVE @shared_stage/in/hello.txt")
    until(lambda: check(session, "librarian", ["list", "/newer"]) == [["deep.txt"]])


@pytest.mark.documented
def test_secrets_are_files_that_follow_and_variables_that_stay(session: Any, dropped: list[str]):
    execute(
        session,
        "CREATE OR REPLACE SECRET login TYPE=PASSWORD USERNAME='anna' PASSWORD='old-Secret-1'",
    )
    execute(session, "CREATE OR REPLACE SECRET key TYPE=GENERIC_STRING SECRET_STRING='k-1'")
    dropped.append("confidant")
    secrets = (
        "    secrets:\n"
        "    - {snowflakeSecret: login, directoryPath: /run/login}\n"
        "    - snowflakeSecret: {objectName: data_schema.key}\n"
        "      envVarName: API_KEY\n"
        "      secretKeyRef: secret_string\n"
    )
    made = service_sql("confidant", probe_container(more=PROBE + secrets), PUBLIC)
    execute(session, in_pool(made))
    wait_settled(session, "confidant")
    user, password, environment = check(
        session,
        "confidant",
        ["read", "/run/login/username"],
        ["read", "/run/login/password"],
        ["environment"],
    )
    assert (user, password, environment["API_KEY"]) == ("anna", "old-Secret-1", "k-1")
    execute(session, "ALTER SECRET login SET PASSWORD='new-Secret-2'")
    execute(session, "ALTER SECRET key SET SECRET_STRING='k-2'")
    reading = ["read", "/run/login/password"]
    until(lambda: check(session, "confidant", reading) == ["new-Secret-2"], SETTLED)
    (environment,) = check(session, "confidant", ["environment"])
    assert environment["API_KEY"] == "k-1"


@pytest.mark.documented
def test_local_and_memory_volumes_are_shared_within_an_instance(session: Any, dropped: list[str]):
    dropped.append("couple")
    places = "    volumeMounts:\n    - {name: logs, mountPath: /logs}\n"
    fast = "    - {name: fast, mountPath: /fast}\n"
    both = probe_container(more=PROBE + places + fast)
    both += probe_container("side", "9100", more=places + fast.replace("/fast", "/shm"))
    volumes = "  - {name: logs, source: local}\n  - {name: fast, source: memory, size: 16Mi}\n"
    execute(session, sql_with("couple", both, volumes))
    wait_settled(session, "couple")
    done = check(
        session,
        "couple",
        ["write", "/logs/a", "1"],
        ["write", "/fast/b", "2"],
        ["size", "/fast"],
        ["write", "/fast/large", "x" * (17 << 20)],
    )
    assert done[:3] == [True, True, 16 << 20]
    assert "No space left" in done[3]["message"]
