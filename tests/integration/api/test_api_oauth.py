"""/oauth/token and key pairs, over HTTP: what is given for what, to whom, and how often."""

import base64
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from snowcave.model import keys, public_keys
from snowcave.runtime.identity import token_key
from snowcave.v1 import state_pb2 as state
from tests.kit.fronts import RunningFront, running_front
from tests.kit.protocol import client

pytestmark = [pytest.mark.documented, pytest.mark.asyncio(loop_scope="module")]
HOST = "abc-local-snowcave.localhost"
BY_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BY_TOKEN = "urn:ietf:params:oauth:grant-type:token-exchange"
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVES = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
}
names = (f"once-{number}" for number in itertools.count())


def public(private: Private) -> str:
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def signed(private: Private = RSA, algorithm: str = "RS256", **claims: Any) -> str:
    now = datetime.now(UTC)
    said = {
        "iss": f"LOCAL-SNOWCAVE.ADMIN.{public_keys.fingerprint(public(private))}",
        "sub": "LOCAL-SNOWCAVE.ADMIN",
        "iat": now,
        "exp": now + timedelta(seconds=60),
        **claims,
    }
    return jwt.encode(said, private, algorithm=algorithm)


@dataclass(frozen=True)
class Door:
    front: RunningFront
    http: aiohttp.ClientSession

    async def ask(self, form: dict[str, str], **headers: str) -> tuple[int, str]:
        url = f"{self.front.url}/oauth/token"
        async with self.http.post(url, data=form, headers=headers) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.text()

    async def trade(self, scope: str = HOST, assertion: str = "") -> tuple[int, str]:
        form = {"grant_type": BY_JWT, "scope": scope, "assertion": assertion or signed()}
        return await self.ask(form)

    async def kept(self, token: str) -> state.SessionToken:
        found = await self.front.store.get(keys.SESSION_TOKENS.key(token_key(token)))
        assert found is not None
        return state.SessionToken.FromString(found.value)

    async def set_key(self, text: str, slot: str = "rsa_public_key") -> None:
        """As ALTER USER does, which this front has no statements for."""
        users = (await self.front.store.list("catalog/user/")).items
        (admin,) = users
        changed = state.Object.FromString(admin.value)
        getattr(changed.user, slot).text = text
        await self.front.store.put(admin.key, changed.SerializeToString())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Door]:
    home: Path = tmp_path_factory.mktemp("home")
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(running_front(home))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        found = Door(front, http)
        await found.set_key(public(RSA))
        yield found


async def test_a_signed_jwt_gives_a_token_for_one_endpoint_and_one_role(door: Door) -> None:
    status, token = await door.trade(f"session:role:SYSADMIN https://{HOST.upper()}:8402/path")
    assert (status, len(token)) == (200, 64)
    entry = await door.kept(token)
    assert (entry.kind, entry.host) == (state.SessionToken.OAUTH, HOST)
    roles = [
        state.Object.FromString(item.value)
        for item in (await door.front.store.list("catalog/role/")).items
    ]
    assert [role.name for role in roles if role.uid == entry.role] == ["SYSADMIN"]


async def test_a_client_that_wants_json_gets_it(door: Door) -> None:
    form = {"grant_type": BY_JWT, "scope": HOST, "assertion": signed()}
    status, body = await door.ask(form, Accept="application/json")
    assert status == 200
    shown = json.loads(body)
    assert (shown["token_type"], shown["expires_in"], shown["scope"]) == ("Bearer", 3600, HOST)
    assert (await door.kept(shown["access_token"])).host == HOST


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ("", "invalid_scope"),
        ("session:role:SYSADMIN", "invalid_scope"),
        (f"{HOST} another.localhost", "invalid_scope"),
        (f"session:role:NOBODY {HOST}", "invalid_scope"),
        (f"session:role:sysadmin {HOST}", "invalid_scope"),
        (f"session:role:SYSADMIN http://[{HOST}", "invalid_scope"),
    ],
)
async def test_a_scope_names_a_role_that_one_has_and_one_endpoint(
    door: Door, scope: str, reason: str
) -> None:
    status, body = await door.trade(scope)
    assert (status, json.loads(body)["error"]) == (400, reason)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"iat": datetime(2020, 1, 1, tzinfo=UTC)},
        {"iat": datetime(2100, 1, 1, tzinfo=UTC)},
        {"nbf": datetime(2100, 1, 1, tzinfo=UTC)},
        {"sub": "LOCAL-SNOWCAVE.SOMEBODY"},
        {"iss": "LOCAL-SNOWCAVE.ADMIN.SHA256:another"},
    ],
)
async def test_a_jwt_that_does_not_hold_gives_nothing(door: Door, claims: dict[str, Any]) -> None:
    status, body = await door.trade(assertion=signed(**claims))
    assert (status, json.loads(body)["error"]) == (400, "invalid_grant")
    assert "eyJ" not in body


async def test_a_jwt_of_another_key_gives_nothing(door: Door) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(signed(), options={"verify_signature": False})
    assert (await door.trade(assertion=signed(other, **claims)))[0] == 400


@pytest.mark.ours
async def test_a_jwt_with_a_name_counts_once_and_one_without_while_it_lives(door: Door) -> None:
    unnamed, named = signed(), signed(jti=next(names))
    assert [(await door.trade(assertion=unnamed))[0] for _ in range(2)] == [200, 200]
    assert [(await door.trade(assertion=named))[0] for _ in range(2)] == [200, 400]
    async with client(door.front.url) as session:
        fields = {"AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": named}
        assert (await session.login("", user="admin", **fields))["code"] == "390144"
        fields["TOKEN"] = signed(jti=next(names))
        assert (await session.login("", user="admin", **fields))["success"]
        assert not (await session.login("", user="admin", **fields))["success"]


@pytest.mark.parametrize("algorithm", sorted(CURVES))
async def test_keys_of_either_kind_in_either_place_count(door: Door, algorithm: str) -> None:
    private = CURVES[algorithm]
    await door.set_key(public_keys.normal(public(private)), "rsa_public_key_2")
    assert (await door.trade(assertion=signed(private, algorithm)))[0] == 200
    assert (await door.trade())[0] == 200


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"grant_type": "password", "scope": HOST, "username": "admin", "password": "x"},
        {"grant_type": BY_TOKEN, "scope": HOST, "subject_token": "x"},
    ],
)
async def test_other_grants_are_refused_in_the_words_of_the_standard(
    door: Door, form: dict[str, str]
) -> None:
    status, body = await door.ask(form)
    assert status == 400
    assert json.loads(body)["error"] in ("unsupported_grant_type", "invalid_scope")


async def test_an_unknown_access_token_gives_nothing(door: Door) -> None:
    form = {"grant_type": BY_TOKEN, "scope": HOST, "subject_token": "x"}
    form["subject_token_type"] = "programmatic_access_token"
    status, body = await door.ask(form)
    assert (status, json.loads(body)["error"]) == (400, "invalid_grant")


@pytest.mark.ours
async def test_the_root_is_a_page_for_people_and_json_for_programs(door: Door) -> None:
    url = door.front.url
    async with door.http.get(url, headers={"Accept": "text/html"}) as answer:
        body = await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert f"POST {url}/oauth/token" in body
    async with door.http.get(url) as answer:
        assert (await answer.json())["ok"] is True
    evil = {"Accept": "text/html", "Host": "<script>.example"}
    async with door.http.get(url, headers=evil) as answer:
        assert "<script>" not in await answer.text()
