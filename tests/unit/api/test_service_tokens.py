"""How containers log in: who gets a token, whom it stands for, and when it is worth nothing any more."""

import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import SessionContext
from snowcave.api.grpc.callers import peer_host
from snowcave.api.secrets.reading import SecretReader
from snowcave.api.secrets.sealing import Sealer, read_key
from snowcave.api.sessions.book import SessionBook
from snowcave.api.sessions.directory import Directory
from snowcave.api.sessions.endpoint_tokens import EndpointTokens
from snowcave.api.sessions.login import Login, Wish
from snowcave.api.sessions.proof import Proof
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.settings import LoginSettings, SessionSettings
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import (
    NotAuthorized,
    ObjectNotFound,
    RoleNotGranted,
    SessionGone,
    TokenExpired,
    TokenInvalid,
)
from snowcave.model.keys import Role
from snowcave.runtime.identity import Identity
from snowcave.runtime.mesh import Mesh
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore
from tests.kit.statements import Account, open_account

SPEC = "spec: {containers: [{name: main, image: /d/public/r/echo}]}"
NODE = state.Node(name="n1", agent_address="10.246.0.11:8419")
AGENT = "10.246.0.11"
HOUR = 3600.0


@dataclass
class SetClock(LoopClock):
    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment


@dataclass
class Inside:
    """A service S of OWNER, with an instance on node n1."""

    account: Account
    tokens: ServiceTokens
    login: Login
    directory: Directory
    clock: SetClock
    uid: int

    @property
    def instance(self) -> str:
        return f"{self.uid}-0-1"

    async def token(self) -> str:
        return await self.tokens.issue("n1", self.instance, AGENT)

    async def open(self, **wish: str) -> SessionContext:
        wanted = {"user": "", "method": "OAUTH", "token": await self.token(), **wish}
        _, session = await self.login.open(Wish(**wanted))  # type: ignore[arg-type]
        return await self.directory.context(session)

    async def assign(self, **changes: object) -> None:
        one = state.Assignment(instance=self.instance, node="n1", service=self.uid)
        for name, value in changes.items():
            setattr(one, name, value)
        key = keys.ASSIGNMENTS.key("n1", self.instance)
        revision = await self.account.scheduler.put(key, one.SerializeToString())
        await self.tokens.assignments.wait(lambda mirror: mirror.revision >= revision)


@pytest_asyncio.fixture
async def inside(tmp_path: Path) -> AsyncGenerator[Inside]:
    async with open_account(tmp_path) as account, AsyncExitStack() as stack:
        await account.sql(
            "CREATE ROLE owner",
            "GRANT ROLE owner TO USER admin",
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            "GRANT USAGE ON COMPUTE POOL p TO ROLE owner",
            "GRANT CREATE DATABASE ON ACCOUNT TO ROLE owner",
            "CREATE WAREHOUSE wh",
            "GRANT USAGE ON WAREHOUSE wh TO ROLE owner",
            "USE ROLE owner",
            "CREATE DATABASE d",
            "CREATE IMAGE REPOSITORY r",
        )
        account.registry.push("d/public/r/echo:latest")
        await account.sql(
            f"CREATE SERVICE s IN COMPUTE POOL p QUERY_WAREHOUSE=wh FROM SPECIFICATION $${SPEC}$$"
        )
        store, catalog, clock = account.store, account.catalog.mirrors, SetClock()
        entered = stack.enter_async_context
        tokens_seen = await entered(follow(store, keys.SESSION_TOKENS))
        sessions = await entered(follow(store, keys.SESSIONS))
        identity = Identity(catalog.objects, catalog.grants, tokens_seen, sessions, store, clock)
        agents = MemoryStore(Role.AGENT, account.backend)
        await agents.put(keys.NODES.key("n1"), NODE.SerializeToString())
        tokens = ServiceTokens(
            store,
            catalog.objects,
            await entered(follow(store, keys.ASSIGNMENTS)),
            await entered(follow(store, keys.NODES)),
            identity,
            clock,
            random.Random(3),
            HOUR,
        )
        directory = Directory(Mesh(home=tmp_path), store, identity, catalog.objects, catalog.names)
        book = SessionBook(store, sessions, clock, random.Random(4), SessionSettings())
        ends = EndpointTokens(
            store, catalog.objects, identity, clock, random.Random(5), SessionSettings()
        )
        proof = Proof(identity, store, clock, LoginSettings())
        login = Login(directory, proof, tokens, ends, book)
        uid = next(one.uid for one in account.catalog.all("service"))
        made = Inside(account, tokens, login, directory, clock, uid)
        await made.assign()
        yield made


async def test_a_container_is_its_service_with_the_role_of_its_owner(inside: Inside) -> None:
    context = await inside.open()
    assert (context.user_name, context.role) == ("S", "OWNER")
    assert (context.database, context.schema, context.warehouse) == ("D", "PUBLIC", "WH")
    (row,) = await inside.account.sql("SHOW SERVICES", context=context)
    assert (row["name"], row["owner"]) == ("S", "OWNER")


async def test_a_container_may_be_public_and_nobody_else(inside: Inside) -> None:
    assert (await inside.open(role="public")).role == "PUBLIC"
    with pytest.raises(RoleNotGranted):
        await inside.open(role="ACCOUNTADMIN")
    context = await inside.open()
    with pytest.raises((NotAuthorized, ObjectNotFound)):
        await inside.account.sql("USE ROLE ACCOUNTADMIN", context=context)
    with pytest.raises(NotAuthorized):
        await inside.account.sql("CREATE ROLE more", context=context)


async def test_only_the_instances_own_node_gets_a_token(inside: Inside) -> None:
    for node, instance, caller in (
        ("n1", inside.instance, "10.246.0.12"),
        ("n1", f"{inside.uid}-1-2", AGENT),
        ("n2", inside.instance, AGENT),
    ):
        with pytest.raises(NotAuthorized):
            await inside.tokens.issue(node, instance, caller)
    await inside.assign(stopping=True)
    with pytest.raises(NotAuthorized):
        await inside.token()


async def test_the_store_knows_no_token_itself(inside: Inside) -> None:
    token = await inside.token()
    held = inside.account.backend.listing("").items
    assert not any(token in item.key or token.encode() in item.value for item in held)


async def test_a_token_is_good_for_an_hour_and_others_for_nothing(inside: Inside) -> None:
    token = await inside.token()
    inside.clock.moment += timedelta(seconds=HOUR - 1)
    await inside.tokens.verify(token)
    inside.clock.moment += timedelta(seconds=1)
    with pytest.raises(TokenExpired):
        await inside.tokens.verify(token)
    opened, _ = await inside.login.open(Wish(user="", method="oauth", token=await inside.token()))
    for wrong in ("", "x" * 64, opened.session, opened.master):
        with pytest.raises(TokenInvalid):
            await inside.tokens.verify(wrong)


async def test_token_and_session_end_with_the_service(inside: Inside) -> None:
    token = await inside.token()
    _, session = await inside.login.open(Wish(user="", method="OAUTH", token=token))
    await inside.account.sql("DROP SERVICE s")
    with pytest.raises(TokenInvalid):
        await inside.tokens.verify(token)
    with pytest.raises(SessionGone):
        await inside.directory.context(session)


async def test_a_service_token_opens_neither_registry_nor_ingress(inside: Inside) -> None:
    with pytest.raises(SessionGone):
        await inside.tokens.identity.by_token(await inside.token())


def test_the_address_of_a_caller_is_told_from_its_port() -> None:
    assert peer_host("ipv4:10.246.0.11:4711") == AGENT
    assert peer_host("ipv6:%5B::1%5D:4711") == "::1"
    assert peer_host("unix:/run/x") == ""


# ---------------------------------------------------------------- secrets


SECRETS = (
    "CREATE SECRET d.public.pw TYPE=PASSWORD USERNAME='u' PASSWORD='p1'",
    "CREATE SECRET d.public.text TYPE=GENERIC_STRING SECRET_STRING='t'",
    "CREATE SCHEMA d.other",
    "CREATE SECRET d.other.text TYPE=GENERIC_STRING SECRET_STRING='elsewhere'",
)


def reader(inside: Inside, home: Path) -> SecretReader:
    return SecretReader(inside.account.catalog, inside.tokens, Sealer(read_key(home)))


async def test_an_instance_gets_the_secrets_that_its_owner_may_read(
    inside: Inside, tmp_path: Path
) -> None:
    await inside.account.sql(*SECRETS)
    found = reader(inside, tmp_path)
    for name, values in (
        ("pw", {"username": "u", "password": "p1"}),
        ("public.text", {"secret_string": "t"}),
        ("d.other.text", {"secret_string": "elsewhere"}),
    ):
        reply = await found.read("n1", inside.instance, name, AGENT)
        assert dict(reply.values) == values


async def test_a_secret_that_changes_says_so(inside: Inside, tmp_path: Path) -> None:
    await inside.account.sql(*SECRETS)
    found = reader(inside, tmp_path)
    before = await found.read("n1", inside.instance, "pw", AGENT)
    again = await found.read("n1", inside.instance, "pw", AGENT)
    await inside.account.sql("ALTER SECRET d.public.pw SET PASSWORD='p2'")
    after = await found.read("n1", inside.instance, "pw", AGENT)
    assert (before.uid, before.version) == (again.uid, again.version)
    assert (after.uid, after.version) != (before.uid, before.version)
    assert after.values["password"] == "p2"


async def test_a_secret_that_the_owner_may_not_read_does_not_exist(
    inside: Inside, tmp_path: Path
) -> None:
    await inside.account.sql(*SECRETS)
    await inside.account.sql(
        "USE ROLE ACCOUNTADMIN",
        "GRANT OWNERSHIP ON SECRET d.public.pw TO ROLE ACCOUNTADMIN",
    )
    found = reader(inside, tmp_path)
    for name in ("pw", "nothing", "other.nothing", "nowhere.public.pw"):
        with pytest.raises(ObjectNotFound):
            await found.read("n1", inside.instance, name, AGENT)
    await inside.account.sql("GRANT READ ON SECRET d.public.pw TO ROLE owner")
    assert (await found.read("n1", inside.instance, "pw", AGENT)).type == "PASSWORD"


@pytest.mark.parametrize(
    ("node", "instance", "caller"),
    [("n2", "", AGENT), ("n1", "", "10.246.0.12"), ("n1", "1-0-1", AGENT)],
)
async def test_only_the_agent_of_the_instances_node_reads_secrets(
    inside: Inside, tmp_path: Path, node: str, instance: str, caller: str
) -> None:
    await inside.account.sql(*SECRETS)
    with pytest.raises(NotAuthorized):
        await reader(inside, tmp_path).read(node, instance or inside.instance, "pw", caller)
