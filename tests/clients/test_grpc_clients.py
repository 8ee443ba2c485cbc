"""The public gRPC services from outside: by our own client, and by who asks what there is (reflection)."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from snowcave.client import Session, Target, connect
from snowcave.model.errors import RemoteError
from snowcave.model.keys import Role
from tests.kit.clients import Fleet
from tests.kit.compatible import PUBLIC
from tests.kit.mesh import Snowcave

pytestmark = [pytest.mark.docker, pytest.mark.ours]

PLACE = {"database": "tutorial_db", "schema": "data_schema", "role": "test_role"}


async def test_a_session_runs_statements_and_lists_what_there_is(fleet: Fleet):
    cave = fleet.cave
    target = Target.of_home(cave.mesh.home)
    async with connect(target, "ADMIN", cave.password, **PLACE) as session:
        result = await session.execute(
            "SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y' ORDER BY 1"
        )
        assert [column.name for column in result.columns] == ["A", "B"]
        assert result.rows == [(1, "x"), (2, "y")]
        assert result.query_id
        await shows_the_fleet(session)
        with pytest.raises(RemoteError) as unknown:
            await session.service("no_such_service")
        assert (unknown.value.code, unknown.value.sqlstate) == (2003, "02000")
    with pytest.raises(RemoteError) as guessed:
        async with connect(target, "ADMIN", "guessed"):
            pass
    assert guessed.value.code == 390100


async def shows_the_fleet(session: Session) -> None:
    listed = await session.services(schema="tutorial_db.data_schema")
    assert {"PROBE", "TWINS"} <= {one.name for one in listed}
    twins = await session.service("twins")
    assert (twins.status, twins.current_instances, twins.min_instances) == ("RUNNING", 2, 2)
    assert "containers" in twins.spec
    instances = await session.instances("twins")
    assert [(one.instance_id, one.status) for one in instances] == [("0", "READY"), ("1", "READY")]
    containers = await session.containers("probe")
    assert {one.container_name for one in containers} == {"probe", "side", "inner"}
    (endpoint,) = await session.endpoints("probe")
    assert (endpoint.name, endpoint.port, endpoint.is_public) == ("look", 8000, True)
    (pool,) = await session.compute_pools(like="wide_pool")
    assert (pool.max_nodes, pool.instance_family) == (2, "CPU_X64_S")
    nodes = await session.nodes("wide_pool")
    assert [node.status for node in nodes] == ["READY", "READY"]


async def test_a_program_without_a_certificate_shows_an_access_token(fleet: Fleet):
    cave = fleet.cave
    with cave.connect() as admin:
        add = "ALTER USER admin ADD PROGRAMMATIC ACCESS TOKEN of_programs ROLE_RESTRICTION='TEST_ROLE'"
        token = admin.cursor().execute(add).fetchone()[1]
        encrypted = Target(
            f"localhost:{cave.mesh.port('grpc-tls')}",
            authority=cave.mesh.folder("tls") / "ca.pem",
        )
        for target in (Target(f"127.0.0.1:{cave.mesh.port('grpc')}"), encrypted):
            login = {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": token}
            async with connect(target, **login, **PLACE) as session:
                result = await session.execute("SELECT CURRENT_ROLE()")
                assert result.rows == [("TEST_ROLE",)]
                await shows_the_fleet(session)
        admin.cursor().execute("ALTER USER admin REMOVE PROGRAMMATIC ACCESS TOKEN of_programs")


def test_a_program_that_has_no_protos_asks_what_there_is(tutorial: Snowcave):
    """As grpcurl does, from the certificate to a call."""
    served: dict[str, str] = {}
    for role in (Role.API, Role.FUNCTIONS, Role.EVENTS):
        with channel(tutorial, role) as opened:
            known = ProtoReflectionDescriptorDatabase(opened)
            served |= {name.rpartition(".")[2]: name for name in known.get_services()}
    assert set(PUBLIC) <= set(served)
    with channel(tutorial, Role.API) as opened:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(opened))
        method = pool.FindServiceByName(served["SqlService"]).FindMethodByName("Login")
        ask, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        login: Any = opened.unary_unary(
            f"/{served['SqlService']}/Login", ask.SerializeToString, answer.FromString
        )
        reply: Any = login(ask(user="ADMIN", password=tutorial.password), timeout=30)
        assert reply.token


def channel(cave: Snowcave, role: Role) -> grpc.Channel:
    """By grpcio alone, with the files of the home."""
    folder = cave.mesh.folder("tls")
    ca, key, certificate = (read(folder, name) for name in ("ca.pem", "admin.key", "admin.pem"))
    return grpc.secure_channel(
        cave.mesh.grpc_address(role),
        grpc.ssl_channel_credentials(ca, key, certificate),
        options=[("grpc.ssl_target_name_override", f"{role}.snowcave.internal")],
    )


def read(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()
