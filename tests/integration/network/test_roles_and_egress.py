"""Service roles between owners, and the way out to the world, with real packets through two simulated VMs."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from snowcave.hypervisor import firewall
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.runtime.commands import run
from snowcave.v1 import state_pb2 as state
from tests.kit.fabric import Cluster, Instance, Talk, a_cluster
from tests.kit.fabric_world import Names, World, a_world, resolving

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces"),
]

ALICE, BOB, PUBLIC = (1 << 52) + 1, (1 << 52) + 2, (1 << 52) + 3
ECHO, CALLER = 101, 102
INTEGRATION, RULE = 201, 202
PORT, RANGED = 8000, 7005
OPEN, SHUT = 8443, 9443
HOST = "api.world.example"


class Scene:
    """Alice's service has an instance on each node, Bob's the caller on the second; and there is a world."""

    here: Instance
    there: Instance
    caller: Instance
    world: World
    names: Names

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.service_address = cluster.mesh.plan.service_address(300)

    async def write(self, kind: str, key: str, message: Message | None) -> None:
        told = None if message is None else MessageToDict(message)
        order = [{"key": key, "message": told, "kind": kind}]
        await asyncio.gather(*(n.ask("catalog", writes=order) for n in self.cluster.nodes))

    async def put(self, domain: str, found: state.Object) -> None:
        await self.write("Object", keys.catalog(domain).key(found.uid), found)

    async def grant(self, role: int, name: str, *, revoke: bool = False) -> None:
        grant = state.Grant(
            grantee_kind="role",
            grantee=role,
            domain="service_role",
            securable=ECHO,
            privilege="USAGE",
            service_role=name,
        )
        key = keys.GRANTS.key("role", role, "service_role", ECHO, name)
        await self.write("Grant", key, None if revoke else grant)

    async def integrate(self, *values: str, enabled: bool = True) -> None:
        rule = state.NetworkRule(mode="EGRESS", type="HOST_PORT", values=values)
        await self.put("network_rule", state.Object(uid=RULE, name="RULE", network_rule=rule))
        body = state.Integration(category="EXTERNAL_ACCESS", enabled=enabled, network_rules=[RULE])
        found = state.Object(uid=INTEGRATION, name="OUT", owner_role=BOB, integration=body)
        await self.put("integration", found)

    @asynccontextmanager
    async def integrated(self, *values: str) -> AsyncGenerator[None]:
        await self.integrate(*values)
        try:
            yield
        finally:
            await self.integrate()


def endpoint(service: int, number: int, instance: Instance, owner: int, vip: str):
    return state.Endpoint(
        service=service,
        instance_id=number,
        instance=instance.name,
        node=instance.node.name,
        address=instance.address,
        ready=True,
        owner_role=owner,
        service_address=vip,
        ports=[
            state.EndpointSpec(name="http", port=PORT),
            state.EndpointSpec(name="many", port=7000, port_last=7010),
        ],
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Scene]:
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(a_cluster(tmp_path_factory.mktemp("home")))
        scene, mesh = Scene(cluster), cluster.mesh
        scene.world = await stack.enter_async_context(a_world((OPEN, SHUT)))
        resolver = resolving(mesh.plan.machine, mesh.port("dns"))
        scene.names = await stack.enter_async_context(resolver)
        one, two = cluster.nodes
        scene.here = await cluster.start(one, "echo-0", 10, (PORT, RANGED))
        scene.there = await cluster.start(two, "echo-1", 10, (PORT, RANGED))
        scene.caller = await cluster.start(two, "caller", 11, (PORT,))
        await _describe(scene)
        vip = scene.service_address
        await cluster.publish(
            endpoint(ECHO, 0, scene.here, ALICE, vip),
            endpoint(ECHO, 1, scene.there, ALICE, vip),
            endpoint(CALLER, 0, scene.caller, BOB, mesh.plan.service_address(301)),
        )
        yield scene


async def _describe(scene: Scene) -> None:
    spec = state.ServiceSpec(
        endpoints=[state.EndpointSpec(name="http"), state.EndpointSpec(name="many")],
        service_roles=[state.ServiceRoleSpec(name="reader", endpoints=["http"])],
    )
    await scene.put("role", state.Object(uid=PUBLIC, name="PUBLIC"))
    await scene.put(
        "service",
        state.Object(uid=ECHO, name="ECHO", owner_role=ALICE, service=state.Service(spec=spec)),
    )
    body = state.Service(external_access_integrations=["OUT"])
    await scene.put(
        "service", state.Object(uid=CALLER, name="CALLER", owner_role=BOB, service=body)
    )


async def answers(caller: Instance, host: str, port: int) -> str:
    (answer,) = await caller.call(host, port)
    return answer.split()[0]


async def reached(caller: Instance, host: str, port: int, expected: str) -> None:
    """Back when a call brings what is expected."""
    async with asyncio.timeout(30):
        while await answers(caller, host, port) != expected:
            await asyncio.sleep(0.02)


async def ended(talk: Talk) -> None:
    async with asyncio.timeout(30):
        while await talk.say("still?") == "still?":
            await asyncio.sleep(0.02)


async def test_a_service_role_opens_its_endpoint_to_another_owner_and_nothing_else(scene: Scene):
    targets = (scene.here.address, scene.there.address, scene.service_address)
    assert [await answers(scene.caller, at, PORT) for at in targets] == ["refused"] * 3
    await scene.grant(BOB, "READER")
    await reached(scene.caller, scene.here.address, PORT, "echo-0")
    await reached(scene.caller, scene.there.address, PORT, "echo-1")
    assert await answers(scene.caller, scene.service_address, PORT) in ("echo-0", "echo-1")
    assert await answers(scene.caller, scene.here.address, RANGED) == "refused"
    assert await answers(scene.here, scene.caller.address, PORT) == "refused"  # one way only
    await scene.grant(BOB, "READER", revoke=True)
    for target in (scene.here, scene.there):
        await reached(scene.caller, target.address, PORT, "refused")


async def test_a_revoke_ends_streams_on_this_node_and_on_the_other(scene: Scene):
    await scene.grant(BOB, "ALL_ENDPOINTS_USAGE")
    await reached(scene.caller, scene.here.address, RANGED, "echo-0")
    await reached(scene.caller, scene.there.address, PORT, "echo-1")
    async with (
        scene.caller.talk(scene.here.address, RANGED) as far,
        scene.caller.talk(scene.there.address, PORT) as near,
    ):
        assert [(await talk.greeting()).split()[0] for talk in (far, near)] == ["echo-0", "echo-1"]
        await scene.grant(BOB, "ALL_ENDPOINTS_USAGE", revoke=True)
        await ended(far)
        await ended(near)


async def test_what_is_granted_to_public_opens_to_every_owner(scene: Scene):
    await scene.grant(PUBLIC, "READER")
    await reached(scene.caller, scene.here.address, PORT, "echo-0")
    assert await answers(scene.caller, scene.here.address, RANGED) == "refused"
    await scene.grant(PUBLIC, "READER", revoke=True)
    await reached(scene.caller, scene.here.address, PORT, "refused")


async def test_without_an_integration_the_world_refuses_at_once_and_it_is_counted(scene: Scene):
    await scene.integrate()
    await reached(scene.caller, scene.world.addresses[0], OPEN, "refused")
    assert (await _counted(scene.caller, "denied")) > 0


async def test_an_integration_lets_out_to_its_host_and_port_and_to_no_others(scene: Scene):
    first, second = scene.world.addresses
    scene.names.hosts[HOST] = [first]
    async with scene.integrated(f"{HOST}:{OPEN}"):
        await reached(scene.caller, first, OPEN, "world")
        # Past the end of FORWARD everything is dropped: it was our pair of rules that let it through.
        assert await scene.caller.call(first, OPEN) == [f"world {scene.world.gateway}"]
        assert await answers(scene.caller, first, SHUT) == "refused"
        assert await answers(scene.caller, second, OPEN) == "refused"
        assert await answers(scene.here, first, OPEN) == "refused"  # another service
    await reached(scene.caller, first, OPEN, "refused")


async def test_a_stream_outlives_its_hosts_address_and_ends_with_the_integration(scene: Scene):
    first, second = scene.world.addresses
    scene.names.hosts[HOST] = [first]
    async with scene.integrated(f"{HOST}:{OPEN}"):
        await reached(scene.caller, first, OPEN, "world")
        async with scene.caller.talk(first, OPEN) as talk, asyncio.timeout(60):
            await talk.greeting()
            scene.names.hosts[HOST] = [second]
            await reached(scene.caller, second, OPEN, "world")
            await reached(scene.caller, first, OPEN, "refused")
            assert await talk.say("same stream") == "same stream"
            await scene.integrate(f"{HOST}:{OPEN}", enabled=False)
            await ended(talk)
        await reached(scene.caller, second, OPEN, "refused")


async def test_an_agent_that_was_killed_and_starts_anew_disturbs_no_stream(scene: Scene):
    (outside, _), (one, two) = scene.world.addresses, scene.cluster.nodes
    scene.names.hosts[HOST] = [outside]
    await scene.grant(BOB, "READER")
    async with scene.integrated(f"{HOST}:{OPEN}"):
        await reached(scene.caller, outside, OPEN, "world")
        await reached(scene.caller, scene.here.address, PORT, "echo-0")
        async with (
            scene.caller.talk(outside, OPEN) as away,
            scene.caller.talk(scene.here.address, PORT) as inside,
            asyncio.timeout(60),
        ):
            for talk in (away, inside):
                await talk.greeting()
            await asyncio.gather(one.start(), two.start())
            for talk in (away, inside):
                assert await talk.say("still there") == "still there"
            # The rules are whole at once: also new connections find no gap.
            assert await answers(scene.caller, outside, OPEN) == "world"
            assert await answers(scene.caller, scene.here.address, PORT) == "echo-0"
    await scene.grant(BOB, "READER", revoke=True)
    await reached(scene.caller, scene.here.address, PORT, "refused")


async def test_any_host_means_the_world_and_nothing_of_the_mesh(scene: Scene):
    mesh = scene.cluster.mesh
    async with scene.integrated(f"0.0.0.0:{OPEN}", f"{scene.world.addresses[0]}:{SHUT}"):
        for address in scene.world.addresses:
            await reached(scene.caller, address, OPEN, "world")
        assert await answers(scene.caller, scene.world.addresses[0], SHUT) == "world"
        assert await answers(scene.caller, scene.world.addresses[1], SHUT) == "refused"
        async with await asyncio.start_server(_hang_up, mesh.plan.machine, OPEN):
            inside = (mesh.plan.machine, "169.254.169.254", scene.here.address)
            found = [await scene.caller.call(at, OPEN, patience=0.5) for at in inside]
        assert {one for (one,) in found} <= {"refused", "timeout"}
    await reached(scene.caller, scene.world.addresses[0], OPEN, "refused")


async def test_a_way_out_that_somebody_has_closed_is_opened_again_and_never_twice(scene: Scene):
    link = scene.cluster.mesh.root_link
    first, _ = firewall.rules(link)
    keeping = asyncio.create_task(firewall.keep_open(link, 0.02, LoopClock()))
    try:
        for _ in range(2):
            await run("iptables", "-w", "5", "-D", "FORWARD", *first)
            async with asyncio.timeout(30):
                while len(await _ways(link)) < 2:
                    await asyncio.sleep(0.02)
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
    await firewall.open_way_out(link)
    assert len(await _ways(link)) == 2


async def _ways(link: str) -> list[str]:
    listed = await run("iptables", "-w", "5", "-S", "FORWARD")
    return [line for line in listed.splitlines() if link in line.split()]


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _counted(instance: Instance, name: str) -> int:
    told: str = await instance.node.ask("describe")
    (elements,) = re.findall(rf"set {name} \{{(.*?)\}}\s*\}}", told, re.DOTALL)
    found: Any = re.search(rf"{instance.address} counter packets (\d+)", elements)
    return int(found[1]) if found else 0
