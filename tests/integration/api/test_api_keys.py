"""Logins with access tokens and key pairs, and tables that belong to roles, with real daemons."""

import base64
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from snowcave.model import public_keys
from snowcave.runtime import tls
from tests.kit.daemons import a_mesh, running
from tests.kit.protocol import Client, client

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.documented,
    pytest.mark.asyncio(loop_scope="module"),
]
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DER = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PUBLIC = base64.b64encode(DER).decode()
SETUP = (
    "CREATE ROLE reader",
    "CREATE ROLE writer",
    "CREATE USER bob DEFAULT_ROLE=reader",
    "GRANT ROLE reader TO USER bob",
    "GRANT ROLE writer TO USER bob",
    "CREATE DATABASE d",
    "CREATE SCHEMA s",
    "GRANT USAGE ON DATABASE d TO ROLE reader",
    "GRANT USAGE ON SCHEMA d.s TO ROLE reader",
    "GRANT USAGE ON DATABASE d TO ROLE writer",
    "GRANT USAGE, CREATE TABLE ON SCHEMA d.s TO ROLE writer",
    "GRANT SELECT ON FUTURE TABLES IN SCHEMA d.s TO ROLE reader",
    f"ALTER USER bob SET RSA_PUBLIC_KEY='{PUBLIC}'",
)


@dataclass(frozen=True)
class Account:
    url: str
    admin: Client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def account(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Account]:
    home: Path = tmp_path_factory.mktemp("home")
    tls.ensure(home / "tls")
    mesh = a_mesh(home)
    async with AsyncExitStack() as stack:
        for name in ("statestore", "warehouse", "registry", "api"):
            await stack.enter_async_context(running(mesh, name))
        password = (mesh.home / "admin.password").read_text().strip()
        url = f"http://127.0.0.1:{mesh.port('api')}"
        admin = await stack.enter_async_context(client(url, password))
        for sql in SETUP:
            reply = await admin.query(sql)
            assert reply["success"], (sql, reply)
        yield Account(url, admin)


def signed() -> dict[str, str]:
    now = datetime.now(UTC)
    claims = {
        "iss": f"LOCAL-SNOWCAVE.BOB.{public_keys.fingerprint(PUBLIC)}",
        "sub": "LOCAL-SNOWCAVE.BOB",
        "iat": now,
        "exp": now + timedelta(seconds=60),
    }
    token = jwt.encode(claims, PRIVATE, algorithm="RS256")
    return {"AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}


@pytest.mark.parametrize("as_password", [True, False])
async def test_an_access_token_logs_in(account: Account, as_password: bool) -> None:
    name = f"t{as_password}"
    made = await account.admin.query(f"ALTER USER bob ADD PAT {name} ROLE_RESTRICTION='WRITER'")
    secret = made["data"]["rowset"][0][1]
    async with client(account.url) as bob:
        more: dict[str, Any] = {}
        if not as_password:
            more = {"AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": secret}
        opened = await bob.login(secret if as_password else "", user="bob", **more)
        assert opened["success"], opened
        assert opened["data"]["sessionInfo"]["roleName"] == "WRITER"
        assert (await bob.query("USE ROLE reader"))["code"] == "003001"
        shown = await bob.query("SHOW USER PROGRAMMATIC ACCESS TOKENS")
        assert name.upper() in [row[0] for row in shown["data"]["rowset"]]
        found = await bob.query(f"SELECT * FROM TABLE(RESULT_SCAN('{made['data']['queryId']}'))")
        assert not found["success"]


async def test_a_key_pair_logs_in(account: Account) -> None:
    async with client(account.url) as bob:
        opened = await bob.login("", user="bob", **signed())
        assert opened["success"], opened
        assert opened["data"]["sessionInfo"]["roleName"] == "READER"


@pytest.mark.parametrize(
    ("method", "code"), [("SNOWFLAKE_JWT", "390144"), ("PROGRAMMATIC_ACCESS_TOKEN", "394400")]
)
async def test_a_wrong_token_does_not(account: Account, method: str, code: str) -> None:
    async with client(account.url) as bob:
        wrong = await bob.login("", user="bob", AUTHENTICATOR=method, TOKEN="x")
    assert (wrong["success"], wrong["code"]) == (False, code)


async def test_a_table_belongs_to_the_role_that_made_it(account: Account) -> None:
    async with client(account.url) as bob:
        await bob.login("", user="bob", **signed())
        assert (await bob.query("CREATE TABLE d.s.t (a INT)"))["code"] == "003001"
        for sql in ("USE ROLE writer", "CREATE TABLE d.s.t AS SELECT 1 AS a", "USE ROLE reader"):
            assert (await bob.query(sql))["success"], sql
        # As was said of the future.
        read = await bob.query("SELECT a FROM d.s.t")
        assert read["success"], read
        assert read["data"]["rowset"] == [["1"]]
        assert (await bob.query("INSERT INTO d.s.t VALUES (2)"))["code"] == "003001"
        granted = await account.admin.query("GRANT INSERT ON TABLE d.s.t TO ROLE reader")
        assert granted["success"], granted
        assert (await bob.query("INSERT INTO d.s.t VALUES (2)"))["success"]
        shown = await account.admin.query("SHOW GRANTS ON TABLE d.s.t")
        assert [(row[1], row[3], row[5]) for row in shown["data"]["rowset"]] == [
            ("OWNERSHIP", "D.S.T", "WRITER"),
            ("SELECT", "D.S.T", "READER"),
            ("INSERT", "D.S.T", "READER"),
        ]
        moved = await account.admin.query(
            "GRANT OWNERSHIP ON TABLE d.s.t TO ROLE reader REVOKE CURRENT GRANTS"
        )
        assert moved["success"], moved
        assert (await bob.query("DROP TABLE d.s.t"))["success"]
