"""Tokens for one endpoint, and for services that act for their caller: where they count, and until when."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import SessionContext
from snowcave.api.sessions.book import SessionBook, Tokens
from snowcave.api.sessions.directory import Directory
from snowcave.api.sessions.endpoint_tokens import EndpointTokens
from snowcave.api.sessions.login import Login, Wish
from snowcave.api.sessions.proof import Proof
from snowcave.api.sessions.service_tokens import ServiceTokens
from snowcave.api.settings import LoginSettings, SessionSettings
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import (
    LoginFailed,
    NotAuthorized,
    SessionExpired,
    SessionGone,
    TokenExpired,
    TokenInvalid,
    UserLocked,
)
from snowcave.model.keys import Role
from snowcave.runtime.identity import Identity, Principal
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.passwords import Passwords
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore
from tests.kit.statements import Account, open_account

HOST = "abc-local-snowcave.localhost"
AGENT = "10.246.0.11"
PLAIN = "spec: {containers: [{name: main, image: /d/public/r/echo}]}"
CALLING = f"{PLAIN}\ncapabilities: {{securityContext: {{executeAsCaller: true}}}}"


@dataclass
class SetClock(LoopClock):
    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def now(self) -> datetime:
        return self.moment


@dataclass
class House:
    """BOB, with READER by default and WRITER; services CALLING, which acts for its caller, and PLAIN."""

    account: Account
    identity: Identity
    tokens: EndpointTokens
    services: ServiceTokens
    login: Login
    proof: Proof
    directory: Directory
    clock: SetClock
    uids: dict[str, int]

    async def bob(self, restriction: str = "") -> Principal:
        found = self.account.catalog.named("user", 0, "BOB")
        role = self.account.catalog.named("role", 0, restriction) if restriction else None
        assert found is not None
        return self.identity.of_user(found.message.uid, role.message.uid if role else 0)

    def role(self, name: str) -> int:
        found = self.account.catalog.named("role", 0, name)
        assert found is not None
        return found.message.uid

    async def pair(self, service: str, callers: str) -> tuple[Tokens, state.Session]:
        """A container of the service logs in with its own token, and that one."""
        uid = self.uids[service]
        own = await self.services.issue("n1", f"{uid}-0-1", AGENT)
        return await self.login.open(Wish(user="", method="OAUTH", token=f"{own}.{callers}"))

    async def called(self, restriction: str = "") -> SessionContext:
        token = await self.tokens.for_service(await self.bob(restriction), self.uids["CALLING"])
        return await self.directory.context((await self.pair("CALLING", token))[1])


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncGenerator[House]:
    async with open_account(tmp_path) as account, AsyncExitStack() as stack:
        await account.sql(
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            "CREATE ROLE reader",
            "CREATE ROLE writer",
            "CREATE USER bob PASSWORD='Secret-1' DEFAULT_ROLE=reader",
            "GRANT ROLE reader TO USER bob",
            "GRANT ROLE writer TO USER bob",
            "CREATE DATABASE d",
            "CREATE IMAGE REPOSITORY r",
        )
        account.registry.push("d/public/r/echo:latest")
        for name, spec in (("calling", CALLING), ("plain", PLAIN)):
            await account.sql(
                f"CREATE SERVICE {name} IN COMPUTE POOL p FROM SPECIFICATION $${spec}$$"
            )
        uids = {one.name: one.uid for one in account.catalog.all("service")}
        store, catalog, clock = account.store, account.catalog.mirrors, SetClock()
        entered = stack.enter_async_context
        kept = await entered(follow(store, keys.SESSION_TOKENS))
        sessions = await entered(follow(store, keys.SESSIONS))
        identity = Identity(catalog.objects, catalog.grants, kept, sessions, store, clock)
        node = state.Node(name="n1", agent_address=f"{AGENT}:8419")
        await MemoryStore(Role.AGENT, account.backend).put(
            keys.NODES.key("n1"), node.SerializeToString()
        )
        for uid in uids.values():
            one = state.Assignment(instance=f"{uid}-0-1", node="n1", service=uid)
            await account.scheduler.put(
                keys.ASSIGNMENTS.key("n1", one.instance), one.SerializeToString()
            )
        settings = SessionSettings()
        tokens = EndpointTokens(
            store, catalog.objects, identity, clock, random.Random(1), settings
        )
        services = ServiceTokens(
            store,
            catalog.objects,
            await entered(follow(store, keys.ASSIGNMENTS)),
            await entered(follow(store, keys.NODES)),
            identity,
            clock,
            random.Random(2),
            settings.service_token,
        )
        directory = Directory(Mesh(home=tmp_path), store, identity, catalog.objects, catalog.names)
        book = SessionBook(store, sessions, clock, random.Random(3), settings)
        proof = Proof(identity, store, clock, LoginSettings())
        login = Login(directory, proof, services, tokens, book)
        yield House(account, identity, tokens, services, login, proof, directory, clock, uids)


async def test_a_token_counts_at_its_host_and_nowhere_else(house: House) -> None:
    who = await house.bob()
    for token in (
        await house.tokens.for_browser(who, HOST),
        await house.tokens.for_program(who, HOST, house.role("READER")),
    ):
        assert (await house.identity.by_token(token, HOST)).user_name == "BOB"
        for elsewhere in ("", "other-local-snowcave.localhost"):
            with pytest.raises(SessionGone):
                await house.identity.by_token(token, elsewhere)
        with pytest.raises(TokenInvalid):
            await house.login.open(Wish(user="", method="OAUTH", token=token))


async def test_a_programs_token_has_one_role_and_a_browsers_all(house: House) -> None:
    who, reader = await house.bob(), house.role("READER")
    program = await house.tokens.for_program(who, HOST, reader)
    browser = await house.tokens.for_browser(who, HOST)
    both = {reader, house.role("WRITER")}
    public = {house.role("PUBLIC")}
    assert (await house.identity.by_token(program, HOST)).roles == {reader} | public
    assert (await house.identity.by_token(browser, HOST)).roles == both | public
    # A credential that counts for one role gives no token for more.
    narrow = await house.tokens.for_browser(await house.bob("WRITER"), HOST)
    assert (await house.identity.by_token(narrow, HOST)).roles == {house.role("WRITER")} | public


async def test_tokens_end_by_time_with_their_role_with_their_user_and_by_signing_out(
    house: House,
) -> None:
    who = await house.bob()
    browser = await house.tokens.for_browser(who, HOST)
    program = await house.tokens.for_program(who, HOST, house.role("READER"))
    await house.tokens.revoke(program)
    assert await house.identity.by_token(program, HOST), "the logout page ends its own alone"
    await house.account.sql("REVOKE ROLE reader FROM USER bob")
    with pytest.raises(SessionGone):
        await house.identity.by_token(program, HOST)
    await house.account.sql("ALTER USER bob SET DISABLED=TRUE")
    with pytest.raises(SessionGone):
        await house.identity.by_token(browser, HOST)
    await house.account.sql("ALTER USER bob SET DISABLED=FALSE")
    await house.identity.by_token(browser, HOST)
    house.clock.moment += timedelta(seconds=SessionSettings().browser_token)
    with pytest.raises(SessionExpired):
        await house.identity.by_token(browser, HOST)
    await house.tokens.revoke(browser)


async def test_sessions_and_tokens_of_a_user_who_has_expired_are_over(house: House) -> None:
    login = Wish(user="bob", password="Secret-1")
    _, session = await house.login.open(login)
    browser = await house.tokens.for_browser(await house.bob(), HOST)
    await house.account.sql("ALTER USER bob SET DAYS_TO_EXPIRY=1")
    await house.directory.context(session)
    house.clock.moment = datetime.now(UTC) + timedelta(days=2)
    with pytest.raises(SessionGone):
        await house.directory.context(session)
    with pytest.raises((SessionGone, SessionExpired)):
        await house.identity.by_token(browser, HOST)
    with pytest.raises(LoginFailed):
        await house.login.open(login)


async def test_the_store_knows_no_token_itself(house: House) -> None:
    who = await house.bob()
    made = [
        await house.tokens.for_browser(who, HOST),
        await house.tokens.for_program(who, HOST, 0),
        await house.tokens.for_service(who, house.uids["CALLING"]),
    ]
    for item in house.account.backend.listing("").items:
        assert not any(one in item.key or one.encode() in item.value for one in made)


async def test_a_service_acts_for_its_caller_in_their_default_role(house: House) -> None:
    context = await house.called()
    assert (context.user_name, context.role, context.secondary_roles) == ("BOB", "READER", "NONE")
    assert context.called_service == house.uids["CALLING"]
    with pytest.raises(NotAuthorized):
        await house.account.sql("USE ROLE writer", context=context)
    assert (await house.called("WRITER")).role == "WRITER"
    await house.account.sql("ALTER USER bob UNSET DEFAULT_ROLE")
    assert (await house.called()).role == "PUBLIC"


async def test_a_user_without_any_role_gets_no_token(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await house.bob()
    monkeypatch.setattr(house.identity, "role_named", lambda _name: None)
    with pytest.raises(NotAuthorized):
        house.tokens.default_role(bob.user)


async def test_a_callers_token_is_for_one_service_for_a_while(house: House) -> None:
    token = await house.tokens.for_service(await house.bob(), house.uids["CALLING"])
    for wrong in (("PLAIN", token), ("CALLING", "x"), ("CALLING", f"{token}.{token}")):
        with pytest.raises(TokenInvalid):
            await house.pair(*wrong)
    with pytest.raises(TokenInvalid):
        await house.login.open(Wish(user="", method="OAUTH", token=token))
    with pytest.raises(SessionGone):
        await house.identity.by_token(token, HOST)
    house.clock.moment += timedelta(seconds=SessionSettings().caller_token)
    with pytest.raises(TokenExpired):
        await house.pair("CALLING", token)


async def test_other_services_get_no_caller_tokens(house: House) -> None:
    with pytest.raises(NotAuthorized):
        await house.tokens.for_service(await house.bob(), house.uids["PLAIN"])


async def test_what_a_service_opens_for_its_caller_opens_nothing_else(house: House) -> None:
    """Else it could leave the caller grants behind: at the registry, at another endpoint."""
    token = await house.tokens.for_service(await house.bob(), house.uids["CALLING"])
    tokens, _ = await house.pair("CALLING", token)
    for shown in (tokens.session, tokens.master):
        for host in ("", HOST):
            with pytest.raises(SessionGone):
                await house.identity.by_token(shown, host)


async def test_a_called_session_ends_when_its_service_acts_for_nobody_any_more(
    house: House,
) -> None:
    token = await house.tokens.for_service(await house.bob(), house.uids["CALLING"])
    _, session = await house.pair("CALLING", token)
    await house.directory.context(session)
    await house.account.sql(f"ALTER SERVICE calling FROM SPECIFICATION $${PLAIN}$$")
    with pytest.raises(SessionGone):
        await house.directory.context(session)
    with pytest.raises(TokenInvalid):
        await house.pair("CALLING", token)


async def test_a_service_hands_on_nothing_of_its_caller(house: House) -> None:
    await house.account.sql(
        "GRANT ALL CALLER PRIVILEGES ON DATABASE d TO ROLE ACCOUNTADMIN",
        "GRANT OWNERSHIP ON DATABASE d TO ROLE reader COPY CURRENT GRANTS",
    )
    context = await house.called()
    with pytest.raises(NotAuthorized):
        await house.account.sql("GRANT USAGE ON DATABASE d TO ROLE writer", context=context)
    with pytest.raises(NotAuthorized):
        await house.account.sql("ALTER USER bob SET PASSWORD='Mine-now-1'", context=context)


async def test_wrong_passwords_lock_a_user_and_are_told_of(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(LoginSettings().attempts):
        with pytest.raises(Exception, match="Incorrect username or password"):
            await house.proof.by_password("bob", "not-the-one", "192.0.2.7")
    with pytest.raises(UserLocked):
        await house.proof.by_password("bob", "Secret-1", "192.0.2.7")
    said = capsys.readouterr().out
    assert said.count("login_failed") == LoginSettings().attempts
    assert "user_locked" in said
    assert "login_refused_while_locked" in said
    assert "192.0.2.7" in said
    assert "not-the-one" not in said
    assert "Secret-1" not in said


async def test_passwords_tried_at_once_are_no_more_than_those_tried_one_by_one(
    house: House,
) -> None:
    most = LoginSettings().attempts
    tried = [f"wrong-{number}" for number in range(most + 2)]
    told = await asyncio.gather(
        *(house.proof.by_password("bob", password) for password in tried),
        return_exceptions=True,
    )
    assert [type(one) for one in told].count(LoginFailed) == most
    assert [type(one) for one in told].count(UserLocked) == len(tried) - most


async def test_who_tries_many_at_once_does_not_learn_which_is_right_once_it_is_locked(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, match = asyncio.Event(), Passwords.match

    async def last_of_all(self: Passwords, user: str, stored: str, password: str) -> bool:
        if password == "Secret-1":
            await locked.wait()
        return await match(self, user, stored, password)

    monkeypatch.setattr(Passwords, "match", last_of_all)
    right = asyncio.create_task(house.proof.by_password("bob", "Secret-1"))
    await asyncio.sleep(0)
    for _ in range(LoginSettings().attempts):
        with pytest.raises(LoginFailed):
            await house.proof.by_password("bob", "not-the-one")
    locked.set()
    with pytest.raises(UserLocked):
        await right
