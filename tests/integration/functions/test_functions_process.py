"""The functions daemon as a process beside a real state store."""

from typing import Any

import pytest

from snowcave.model.errors import SnowcaveError
from snowcave.model.keys import Role
from snowcave.runtime import tls
from snowcave.runtime.grpc import connect
from snowcave.runtime.outcomes import translated
from snowcave.v1 import functions_pb2 as pb
from snowcave.v1 import functions_pb2_grpc as stubs
from tests.kit.daemons import a_mesh, running


async def test_it_becomes_ready_and_answers_for_what_the_store_knows(tmp_path):
    mesh = a_mesh(tmp_path)
    tls.ensure(mesh.folder("tls"))
    async with running(mesh, "statestore"), running(mesh, "functions"):
        address, folder = mesh.grpc_address(Role.FUNCTIONS), mesh.folder("tls")
        async with connect(address, folder, me=Role.WAREHOUSE, to=Role.FUNCTIONS) as channel:
            stub: Any = stubs.FunctionServiceStub(channel)
            header = pb.InvokeRequest(header=pb.InvokeHeader(function=7, query_id="q"))
            with pytest.raises(SnowcaveError) as missing, translated("functions"):
                async for _ in stub.Invoke(iter([header]), timeout=20):
                    pass
            assert missing.value.code == 2003
            with pytest.raises(SnowcaveError) as wrong, translated("functions"):
                async for _ in stub.Invoke(
                    iter([pb.InvokeRequest(arrow_stream=b"x")]), timeout=20
                ):
                    pass
            assert "begins with a header" in wrong.value.message
