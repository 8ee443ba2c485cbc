"""What containers find to log in with: there before they start, replaced in time, gone with them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from snowcave.agent.engine.api import ContainerId
from snowcave.agent.instances import recipe
from snowcave.agent.instances.recipe import BUNDLE, Run
from snowcave.agent.session_files import (
    TOKEN,
    SessionFiles,
    SessionSettings,
    open_session_files,
    write_bundle,
)
from snowcave.kit.clock import LoopClock
from snowcave.model.errors import Unavailable
from tests.kit.agent_node import GROUND, assignment, spec

_ID = ContainerId("sandbox")
SETTINGS = SessionSettings(refresh=300.0, look=15.0)


class Api:
    def __init__(self) -> None:
        self.issued: list[str] = []
        self.away = False

    async def issue(self, instance: str) -> str:
        await asyncio.sleep(0.1)
        if self.away:
            raise Unavailable("api does not answer.")
        self.issued.append(instance)
        return f"token {len(self.issued)}"


def token(files: SessionFiles, instance: str = "7-0-1") -> str:
    return (files.folder / instance / TOKEN).read_text()


@pytest.mark.looptime
async def test_the_token_is_there_before_the_first_container_and_is_shared(tmp_path: Path):
    api = Api()
    async with open_session_files(tmp_path, (), api.issue, SETTINGS, LoopClock()) as files:
        await asyncio.gather(files.prepare("7-0-1"), files.prepare("7-0-1"))
        assert (api.issued, token(files)) == (["7-0-1"], "token 1")
        # Containers need not run as root; others on the machine come no further than the folder above.
        assert (files.folder / "7-0-1" / TOKEN).stat().st_mode & 0o777 == 0o644


@pytest.mark.looptime
async def test_a_token_is_replaced_long_before_it_ends(tmp_path: Path):
    api = Api()
    async with open_session_files(tmp_path, (), api.issue, SETTINGS, LoopClock()) as files:
        await files.prepare("7-0-1")
        await asyncio.sleep(290)
        assert token(files) == "token 1"
        await asyncio.sleep(40)
        assert token(files) == "token 2"


@pytest.mark.looptime
async def test_while_api_is_away_the_old_token_stays_and_containers_start_all_the_same(
    tmp_path: Path,
):
    api = Api()
    async with open_session_files(tmp_path, (), api.issue, SETTINGS, LoopClock()) as files:
        await files.prepare("7-0-1")
        api.away = True
        await files.prepare("8-0-2")
        assert (files.folder / "8-0-2").is_dir()
        await asyncio.sleep(1000)
        assert token(files) == "token 1"
        api.away = False
        await asyncio.sleep(20)
        assert token(files) != "token 1"
        assert token(files, "8-0-2").startswith("token")


@pytest.mark.looptime
async def test_an_agent_takes_up_the_files_of_the_one_before_it(tmp_path: Path):
    api = Api()
    async with open_session_files(tmp_path, (), api.issue, SETTINGS, LoopClock()) as files:
        await files.prepare("7-0-1")
        await files.prepare("8-0-2")
    assigned = {"7-0-1"}
    async with open_session_files(tmp_path, assigned, api.issue, SETTINGS, LoopClock()) as files:
        assert not (files.folder / "8-0-2").exists()
        await asyncio.sleep(1)
        assert token(files) == "token 3"
        files.drop("7-0-1")
        assert list(files.folder.iterdir()) == []
        await asyncio.sleep(1000)
        assert len(api.issued) == 3


def test_the_bundle_trusts_us_and_whom_the_machine_trusts(tmp_path: Path):
    (tmp_path / "ca.pem").write_text("OURS")
    folder = write_bundle(tmp_path / "certificates", tmp_path / "ca.pem")
    assert (folder / BUNDLE).read_text().startswith("OURS")


def test_containers_see_token_and_certificates_and_a_specification_may_trust_others():
    ground = replace(GROUND, sessions="/run/s", certificates="/run/c")
    plain = recipe.container(ground, assignment(), spec(), joins=_ID, run=Run(), secrets={})
    mounts = {one.target: one.source for one in plain.mounts}
    assert mounts == {"/snowflake/session": "/run/s/7-0-1", "/snowflake/certificates": "/run/c"}
    assert plain.env["SSL_CERT_FILE"] == "/snowflake/certificates/ca-bundle.pem"
    assert plain.env["SNOWFLAKE_HOST"] == GROUND.api_host
    own = spec()
    own.env["SSL_CERT_FILE"] = "/mine.pem"
    own.env["SNOWFLAKE_HOST"] = "elsewhere"
    chosen = recipe.container(ground, assignment(), own, joins=_ID, run=Run(), secrets={}).env
    assert (chosen["SSL_CERT_FILE"], chosen["SNOWFLAKE_HOST"]) == ("/mine.pem", GROUND.api_host)


@pytest.mark.parametrize(
    ("given", "metrics", "traces"),
    [
        ({}, "http://n:4317", "http://n:4317"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            "http://n:4318/v1/metrics",
            "http://n:4318/v1/traces",
        ),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"},
            "http://n:4317",
            "http://n:4318/v1/traces",
        ),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://mine"},
            "http://mine",
            "http://n:4317",
        ),
    ],
)
def test_containers_are_told_where_metrics_and_traces_go(
    given: dict[str, str], metrics: str, traces: str
):
    ground = replace(GROUND, otlp_grpc="http://n:4317", otlp_http="http://n:4318")
    own = spec()
    own.env.update(given)
    env = recipe.container(ground, assignment(), own, joins=_ID, run=Run(), secrets={}).env
    assert env["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] == metrics
    assert env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == traces
