"""Service addresses and who may talk to whom, with real packets between two simulated VMs."""

import asyncio
import os
import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.agent.network import nft
from snowcave.agent.network.frame import TABLE
from snowcave.hypervisor import fabric, names, namespaces
from snowcave.runtime.commands import run
from snowcave.v1 import state_pb2 as state
from tests.kit.fabric import Cluster, Instance, a_cluster, call_from, serving

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces"),
]

ECHO, OTHER, CLIENT = 101, 102, 103
ALICE, BOB = (1 << 52) + 1, (1 << 52) + 2
DECLARED, UNDECLARED, RANGED = 8000, 9000, 7005


class Scene:
    """Two nodes. Alice: a service of two instances, one a node, and a client. Bob: one service."""

    cluster: Cluster
    first: Instance
    second: Instance
    client: Instance
    stranger: Instance

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.service_address = cluster.mesh.plan.service_address(300)

    def endpoint(
        self, service: int, number: int, instance: Instance, owner: int, *, ready: bool = True
    ) -> state.Endpoint:
        return state.Endpoint(
            service=service,
            instance_id=number,
            instance=instance.name,
            node=instance.node.name,
            address=instance.address,
            ready=ready,
            owner_role=owner,
            service_address=self.cluster.mesh.plan.service_address(199 + service),
            ports=[
                state.EndpointSpec(name="http", port=DECLARED),
                state.EndpointSpec(name="many", port=7000, port_last=7010),
            ],
        )

    async def publish_all(self, *, ready: bool = True) -> None:
        await self.cluster.publish(
            self.endpoint(ECHO, 0, self.first, ALICE, ready=ready),
            self.endpoint(ECHO, 1, self.second, ALICE, ready=ready),
            self.endpoint(CLIENT, 0, self.client, ALICE),
            self.endpoint(OTHER, 0, self.stranger, BOB),
        )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Scene]:
    async with a_cluster(tmp_path_factory.mktemp("home")) as cluster:
        scene = Scene(cluster)
        one, two = cluster.nodes
        ports = (DECLARED, UNDECLARED, RANGED)
        scene.first = await cluster.start(one, "echo-0", 10, ports)
        scene.second = await cluster.start(two, "echo-1", 10, ports)
        scene.client = await cluster.start(one, "client", 11, ports)
        scene.stranger = await cluster.start(two, "stranger", 11, ports)
        await scene.publish_all()
        yield scene


async def test_a_service_address_leads_to_every_ready_instance(scene: Scene):
    answers = await scene.client.call(scene.service_address, DECLARED, times=40)
    assert {answer.split()[0] for answer in answers} == {"echo-0", "echo-1"}
    assert {answer.split()[1] for answer in answers} == {scene.client.address}


async def test_an_instance_that_is_not_ready_gets_no_service_traffic_but_can_be_called(
    scene: Scene,
):
    await scene.cluster.publish(scene.endpoint(ECHO, 1, scene.second, ALICE, ready=False))
    try:
        by_service = await scene.client.call(scene.service_address, DECLARED, times=20)
        directly = await scene.client.call(scene.second.address, DECLARED)
    finally:
        await scene.publish_all()
    assert Counter(answer.split()[0] for answer in by_service) == {"echo-0": 20}
    assert directly == [f"echo-1 {scene.client.address}"]


async def test_a_service_without_ready_instances_refuses_at_once(scene: Scene):
    await scene.publish_all(ready=False)
    try:
        assert await scene.client.call(scene.service_address, DECLARED) == ["refused"]
    finally:
        await scene.publish_all()
    assert await scene.client.call(scene.service_address, DECLARED) != ["refused"]


@pytest.mark.parametrize("port", [UNDECLARED, RANGED])
async def test_a_service_address_has_the_declared_single_ports_alone(scene: Scene, port: int):
    assert await scene.client.call(scene.service_address, port) == ["refused"]


async def test_undeclared_ports_of_an_instance_are_closed_to_its_own_owner(scene: Scene):
    for target in (scene.first, scene.second):
        assert await scene.client.call(target.address, UNDECLARED) == ["refused"]


async def test_port_ranges_are_open_on_instance_addresses(scene: Scene):
    for target in (scene.first, scene.second):
        answers = await scene.client.call(target.address, RANGED)
        assert answers == [f"{target.name} {scene.client.address}"]


async def test_another_owner_is_refused_on_every_way(scene: Scene):
    addresses = (scene.first.address, scene.second.address, scene.service_address)
    for address in addresses:
        assert await scene.stranger.call(address, DECLARED) == ["refused"]
    assert await scene.client.call(scene.stranger.address, DECLARED) == ["refused"]


async def test_an_instance_reaches_itself_by_its_service_address(scene: Scene):
    answers = await scene.first.call(scene.service_address, DECLARED, times=30)
    own = [answer for answer in answers if answer.startswith("echo-0")]
    assert set(own) == {"echo-0 169.254.1.1"}
    assert len(own) < len(answers)


async def test_the_platform_reaches_every_port_of_an_instance(scene: Scene):
    machine = scene.cluster.mesh.plan.machine
    for target in (scene.first, scene.stranger):
        assert await call_from("", target.address, UNDECLARED) == [f"{target.name} {machine}"]


async def test_what_the_platform_sends_is_counted_and_what_instances_send_is_not(scene: Scene):
    inside = scene.second.node.namespace

    async def sent() -> int:
        command = ("nft", "-j", "list", "set", *TABLE.split(), "ingress")
        told = nft.counted(await run("nsenter", f"--net={inside}", *command))
        return told.get((scene.second.address, UNDECLARED), 0)

    before = await sent()
    assert await scene.client.call(scene.second.address, DECLARED) != ["refused"]
    assert await sent() == before
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(scene.second.address, UNDECLARED)
        await reader.readline()
        for _ in range(3):  # one connection, used again
            writer.write(b"request\n")
            assert await reader.readline() == b"request\n"
        assert await sent() == before + 3
        writer.close()
        await writer.wait_closed()


async def test_nodes_and_the_machine_are_closed_to_instances_though_they_listen(scene: Scene):
    plan, cluster = scene.cluster.mesh.plan, scene.cluster
    async with AsyncExitStack() as stack:
        machine = await asyncio.start_server(_greet, plan.machine, 0)
        port = (await stack.enter_async_context(machine)).sockets[0].getsockname()[1]
        for node in cluster.nodes:
            enter = ("nsenter", f"--net={node.namespace}")
            await stack.enter_async_context(serving(enter, node.name, (port,)))
        for node in cluster.nodes:
            address = node.vm.underlay_address
            assert await call_from("", address, port) == [f"{node.name} {plan.machine}"]
        for host in (plan.machine, *(node.vm.underlay_address for node in cluster.nodes)):
            (answer,) = await scene.client.call(host, port, patience=0.5)
            assert answer in ("timeout", "refused")


async def test_a_node_can_probe_its_own_instances(scene: Scene):
    target = scene.first
    (answer,) = await call_from(target.node.namespace, target.address, UNDECLARED)
    assert answer.startswith("echo-0 ")


async def test_the_world_is_closed_to_instances(scene: Scene):
    (answer,) = await scene.client.call("192.0.2.1", 80, patience=0.5)
    assert answer in ("timeout", "refused")


async def test_dns_and_the_api_answer_at_service_addresses(scene: Scene):
    mesh = scene.cluster.mesh

    for port, address, seen_as in (
        (mesh.port("dns"), mesh.plan.dns_address, 53),
        (mesh.port("api-tls"), mesh.plan.api_address, 443),
    ):
        async with await asyncio.start_server(_greet, mesh.plan.machine, port):
            answers = await scene.client.call(address, seen_as)
        assert answers == [f"platform {scene.client.address}"]


async def test_an_instance_cannot_pose_as_another(scene: Scene):
    spoofed = r"fib saddr \. iif oif 0 counter packets (\d+)"
    before = await _packets(scene.stranger, spoofed)
    stolen = scene.first.address
    inside = f"/proc/{scene.stranger.process.pid}/ns/net"
    await run("nsenter", f"--net={inside}", "ip", "addr", "add", f"{stolen}/32", "dev", "eth0")
    try:
        answers = await scene.stranger.call(
            scene.second.address, DECLARED, source=stolen, patience=0.5
        )
    finally:
        await run("nsenter", f"--net={inside}", "ip", "addr", "del", f"{stolen}/32", "dev", "eth0")
    assert answers == ["timeout"]
    assert await _packets(scene.stranger, spoofed) > before


async def test_a_vm_cannot_pose_as_the_platform(scene: Scene):
    machine = scene.cluster.mesh.plan.machine
    inside = scene.cluster.nodes[0].namespace
    before = await _dropped_by_switch(scene)
    await run("nsenter", f"--net={inside}", "ip", "addr", "add", f"{machine}/32", "dev", "fab0")
    try:
        answers = await call_from(
            inside, scene.second.address, DECLARED, source=machine, patience=0.5
        )
    finally:
        await run(
            "nsenter", f"--net={inside}", "ip", "addr", "del", f"{machine}/32", "dev", "fab0"
        )
    assert answers == ["timeout"]
    assert await _dropped_by_switch(scene) > before


async def test_a_stream_survives_when_its_instance_leaves_the_service_address(scene: Scene):
    await scene.cluster.publish(scene.endpoint(ECHO, 1, scene.second, ALICE, ready=False))
    async with scene.client.talk(scene.service_address, DECLARED) as talk, asyncio.timeout(10):
        assert (await talk.greeting()).startswith("echo-0")
        await scene.publish_all(ready=False)
        assert await talk.say("still there") == "still there"
    await scene.publish_all()


async def test_a_stream_ends_when_its_instance_gets_another_owner(scene: Scene):
    async with scene.client.talk(scene.second.address, DECLARED) as talk, asyncio.timeout(10):
        assert (await talk.greeting()).startswith("echo-1")
        await scene.cluster.publish(scene.endpoint(ECHO, 1, scene.second, BOB))
        assert await talk.say("anybody?") == "gone"
    await scene.publish_all()


async def test_an_instance_with_another_owner_cannot_push_into_an_old_stream(scene: Scene):
    refused = r"0xffffffff jump callable_reply\s+.*?counter packets (\d+)"
    async with scene.client.talk(scene.second.address, DECLARED) as talk, asyncio.timeout(10):
        await talk.greeting()
        assert await talk.say("push") == "push"
        before = await _packets(scene.second, refused)
        await scene.cluster.publish(scene.endpoint(ECHO, 1, scene.second, BOB))
        while await _packets(scene.second, refused) == before:
            await asyncio.sleep(0.05)
    await scene.publish_all()


async def test_a_withdrawn_service_is_gone_and_comes_back(scene: Scene):
    await scene.cluster.withdraw(ECHO)
    refused = [
        await scene.client.call(address, DECLARED)
        for address in (scene.service_address, scene.first.address, scene.second.address)
    ]
    await scene.publish_all()
    assert refused == [["refused"]] * 3
    assert len(await scene.client.call(scene.service_address, DECLARED, times=2)) == 2


async def test_an_address_that_two_services_claim_stays_open_when_one_lets_go(scene: Scene):
    successor = 110
    await scene.cluster.publish(scene.endpoint(successor, 0, scene.second, ALICE))
    await scene.cluster.withdraw(ECHO)
    directly = await scene.client.call(scene.second.address, DECLARED)
    await scene.cluster.withdraw(successor)
    closed = await scene.client.call(scene.second.address, DECLARED)
    await scene.publish_all()
    assert (directly, closed) == ([f"echo-1 {scene.client.address}"], ["refused"])


async def test_plugging_again_leaves_open_streams_alone(scene: Scene):
    first = scene.first
    async with scene.client.talk(first.address, DECLARED) as talk, asyncio.timeout(10):
        await talk.greeting()
        await first.node.ask("plug", pid=first.process.pid, name=first.name, address=first.address)
        assert await talk.say("same wire") == "same wire"


async def test_a_sandbox_that_was_replaced_gets_the_address(scene: Scene):
    cluster, node = scene.cluster, scene.cluster.nodes[0]
    old = await cluster.start(node, "moving", 20, (DECLARED,))
    old.process.kill()
    await old.process.wait()
    new = await cluster.start(node, "moving", 20, (DECLARED,))
    machine = cluster.mesh.plan.machine
    assert await call_from("", new.address, DECLARED) == [f"moving {machine}"]
    await node.ask("unplug", name="moving")
    await node.ask("unplug", name="moving")
    assert (await call_from("", new.address, DECLARED))[0].startswith("unreachable")


async def test_a_cut_vm_is_reached_again_when_it_is_healed(scene: Scene):
    namespace = scene.cluster.mesh.fabric_namespace
    port = names.vm_port(scene.second.node.name)
    await run("ip", "-n", namespace, "link", "set", port, "down")
    cut = await scene.client.call(scene.second.address, DECLARED, patience=0.5)
    await run("ip", "-n", namespace, "link", "set", port, "up")
    healed = await scene.client.call(scene.second.address, DECLARED)
    assert cut[0] == "timeout" or cut[0].startswith("unreachable")
    assert healed == [f"echo-1 {scene.client.address}"]


async def test_nothing_is_left_after_remove(tmp_path: Path):
    async with a_cluster(tmp_path, nodes=1) as cluster:
        mesh = cluster.mesh
        await cluster.start(cluster.nodes[0], "some", 10, (DECLARED,))
        assert namespaces.named(f"sc-{mesh.id}-")
    assert namespaces.named(f"sc-{mesh.id}-") == []
    assert mesh.root_link not in await namespaces.links(None)
    assert names.root_table(mesh.id) not in await run("nft", "list", "tables")
    assert mesh.root_link not in await run("iptables", "-S", "FORWARD")
    assert not [r for r in await fabric.machine_routes() if r[1] == mesh.root_link]


async def _packets(instance: Instance, counter: str) -> int:
    """What a counter of the instance's node says."""
    ruleset = await instance.node.ask("describe")
    found = re.search(counter, ruleset)
    assert found, ruleset
    return int(found[1])


async def _dropped_by_switch(scene: Scene) -> int:
    table = ("nft", "list", "table", "bridge", names.TABLE)
    listed = await namespaces.inside(scene.cluster.mesh.fabric_namespace, *table)
    found = re.search(r"counter packets (\d+)", listed)
    assert found, listed
    return int(found[1])


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(f"platform {writer.get_extra_info('peername')[0]}\n".encode())
    await writer.drain()
    writer.close()
