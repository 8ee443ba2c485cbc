"""Instances as real containers of a real engine; only the network and the store are the test's."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from snowcave.agent.engine.api import Container
from snowcave.agent.engine.docker import DockerEngine
from snowcave.agent.instances.recipe import CONTAINER_LABEL, INSTANCE_LABEL, NODE_LABEL
from tests.kit.agent_node import GROUND, NODE, assignment, running_node, spec, with_policy
from tests.kit.docker_engine import PrivateDocker

pytestmark = pytest.mark.docker

_STAYS = ("/bin/sh", "-c", "echo up; trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done")


async def _containers(engine: DockerEngine, instance: str) -> dict[str, Container]:
    found = await engine.list({NODE_LABEL: NODE, INSTANCE_LABEL: instance})
    return {c.labels[CONTAINER_LABEL]: c for c in found}


async def test_an_instance_lives_from_pull_to_gone(
    engine: DockerEngine, web_digest: str, tmp_path: Path
):
    want = assignment("7-0-1", spec("main", "web", web_digest, *_STAYS))
    async with running_node(engine, tmp_path) as node:
        await node.assign(want)
        report = await node.until("7-0-1", "READY")
        assert report.containers[0].message == "Running"
        assert report.containers[0].image_digest == web_digest
        made = await _containers(engine, "7-0-1")
        assert set(made) == {"sandbox", "main"}
        assert node.network.plugged == {"7-0-1": made["sandbox"].pid}
        await node.withdraw(want)
        await node.until("7-0-1", "GONE")
        assert await _containers(engine, "7-0-1") == {}
        async with asyncio.timeout(10):
            while len(node.events.rows) < 2:
                await asyncio.sleep(0.02)
        assert node.events.values() == ['"up"', '"bye"']
        await node.forget("7-0-1")
        await node.until_gone("7-0-1")
        assert node.bugs == 0


async def test_containers_of_an_instance_share_localhost_names_and_environment(
    engine: DockerEngine, docker_engine: PrivateDocker, web_digest: str, tmp_path: Path
):
    serve = ("/bin/sh", "-c", "while :; do echo hello | nc -l -p 8000; done")
    want = assignment(
        "8-1-1", spec("web", "web", web_digest, *serve), spec("side", "web", web_digest, *_STAYS)
    )
    want.instance_id = 1
    async with running_node(engine, tmp_path) as node:
        await node.assign(want)
        await node.until("8-1-1", "READY")
        made = await _containers(engine, "8-1-1")
        inodes = {os.stat(f"/proc/{c.pid}/ns/net").st_ino for c in made.values()}
        assert len(inodes) == 1
        side = made["side"].id
        # The network is the test's, so even loopback has to be brought up by hand.
        up = [
            "nsenter",
            f"--net=/proc/{made['sandbox'].pid}/ns/net",
            "ip",
            "link",
            "set",
            "lo",
            "up",
        ]
        process = await asyncio.create_subprocess_exec(*up)
        assert await process.wait() == 0
        run = ("exec", side, "/bin/sh", "-c")
        assert docker_engine.docker(*run, "nc 127.0.0.1 8000 </dev/null") == "hello"
        assert docker_engine.docker(*run, "hostname") == "echo-service-1"
        resolver = docker_engine.docker(*run, "cat /etc/resolv.conf")
        assert "nameserver 10.245.0.53" in resolver
        assert "search k3m6.svc.spcs.internal svc.spcs.internal spcs.internal" in resolver
        assert "timeout:1 attempts:3" in resolver
        assert "10.245.0.2\tsnowflake.snow" in docker_engine.docker(*run, "cat /etc/hosts")
        environment = docker_engine.docker(*run, "cat /proc/1/environ").split("\0")
        assert "SNOWFLAKE_SERVICE_NAME=ECHO_SERVICE" in environment
        assert "SNOWFLAKE_HOST=snowflake.snowflakecomputing.internal" in environment


async def test_an_agent_that_was_restarted_takes_up_its_containers_as_they_are(
    engine: DockerEngine, web_digest: str, tmp_path: Path
):
    want = assignment("9-0-1", spec("main", "web", web_digest, *_STAYS))
    async with running_node(engine, tmp_path) as node:
        await node.assign(want)
        await node.until("9-0-1", "READY")
        before = await _containers(engine, "9-0-1")
        backend = node.backend
    async with running_node(engine, tmp_path, backend=backend) as node:
        await node.until("9-0-1", "READY")
        assert await _containers(engine, "9-0-1") == before
        assert node.network.plugged == {"9-0-1": before["sandbox"].pid}


async def test_the_engine_may_be_killed_and_come_back_and_nothing_is_restarted(
    engine: DockerEngine, docker_engine: PrivateDocker, web_digest: str, tmp_path: Path
):
    want = assignment("10-0-1", spec("main", "web", web_digest, *_STAYS))
    async with running_node(engine, tmp_path) as node:
        await node.assign(want)
        told = await node.until("10-0-1", "READY")
        before = await _containers(engine, "10-0-1")
        docker_engine.kill()
        node.instances.keeper.changed("10-0-1")
        late = assignment("11-0-1", spec("main", "web", web_digest, *_STAYS))
        await node.assign(late)
        docker_engine.start()
        await node.until("11-0-1", "READY", 60.0)
        after = await _containers(engine, "10-0-1")
        assert {n: (c.id, c.pid, c.started_at) for n, c in after.items()} == {
            n: (c.id, c.pid, c.started_at) for n, c in before.items()
        }
        assert node.report("10-0-1") == told
        assert node.bugs == 0


async def test_a_dead_sandbox_means_the_whole_instance_again(
    engine: DockerEngine, web_digest: str, tmp_path: Path
):
    want = assignment("12-0-1", spec("main", "web", web_digest, *_STAYS))
    async with running_node(engine, tmp_path) as node:
        await node.assign(want)
        await node.until("12-0-1", "READY")
        before = await _containers(engine, "12-0-1")
        await engine.signal(before["sandbox"].id, "SIGKILL")
        async with asyncio.timeout(20):
            await node.reports.wait(
                lambda _: (
                    node.report("12-0-1").status == "READY"
                    and node.report("12-0-1").containers[0].restart_count == 1
                )
            )
        after = await _containers(engine, "12-0-1")
        assert {c.id for c in after.values()}.isdisjoint({c.id for c in before.values()})
        assert node.network.plugged == {"12-0-1": after["sandbox"].pid}


async def test_a_container_out_of_memory_says_so_and_is_started_again(
    engine: DockerEngine, web_digest: str, tmp_path: Path
):
    # tail keeps the endless line that it reads in memory.
    greedy = spec("main", "web", web_digest, "/bin/sh", "-c", "exec /bin/busybox tail /dev/zero")
    greedy.limits.memory_bytes = 16 << 20
    async with running_node(engine, tmp_path) as node:
        await node.assign(assignment("13-0-1", greedy))
        await node.until_message("13-0-1", "Container was OOMKilled due to resource usage")
        async with asyncio.timeout(20):
            await node.reports.wait(
                lambda _: node.report("13-0-1").containers[0].restart_count >= 1
            )
        assert node.report("13-0-1").containers[0].last_exit_code == 137


async def test_limits_and_hardening_reach_the_engine(
    engine: DockerEngine, docker_engine: PrivateDocker, web_digest: str, tmp_path: Path
):
    limited = spec("main", "web", web_digest, *_STAYS)
    limited.limits.memory_bytes, limited.limits.cpu_milli = 64 << 30, 64_000
    ground = replace(GROUND, cpu_milli=1500, memory_bytes=256 << 20)
    async with running_node(engine, tmp_path, ground=ground) as node:
        await node.assign(assignment("14-0-1", limited))
        await node.until("14-0-1", "READY")
        made = (await _containers(engine, "14-0-1"))["main"].id
        fields = ("Memory", "CpuQuota", "CapDrop", "SecurityOpt")
        show = " ".join("{{.HostConfig.%s}}" % field for field in fields)  # noqa: UP031
        told = docker_engine.docker("inspect", "-f", show, made)
        assert told == f"{256 << 20} 150000 [NET_RAW MKNOD] [no-new-privileges]"


async def test_a_container_that_ignores_sigterm_is_killed_once_routes_have_settled_and_grace_is_over(
    engine: DockerEngine, web_digest: str, tmp_path: Path
):
    deaf = spec(
        "main",
        "web",
        web_digest,
        "/bin/sh",
        "-c",
        "trap 'echo heard' TERM; while :; do sleep 0.1; done",
    )
    want = assignment("15-0-1", deaf)
    want.spec.endpoints.add(name="web", port=8000)
    async with running_node(
        engine, tmp_path, pace=with_policy(stop_settle=0.5, stop_grace=1.0)
    ) as node:
        await node.assign(want)
        await node.until("15-0-1", "READY")
        began = asyncio.get_running_loop().time()
        await node.withdraw(want)
        await node.until("15-0-1", "GONE")
        # Not before both have passed: nothing but SIGKILL ends it.
        assert asyncio.get_running_loop().time() - began >= 1.5
        async with asyncio.timeout(10):
            while not node.events.rows:
                await asyncio.sleep(0.02)
        assert node.events.values() == ['"heard"']
        assert await _containers(engine, "15-0-1") == {}
