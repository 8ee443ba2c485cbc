"""Who calls: sessions, key pairs, access tokens; as whom, and what becomes of tokens that are over."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
import pytest
import pytest_asyncio
import structlog.testing
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from snowcave.model import keys, public_keys
from snowcave.model.keys import Role
from snowcave.runtime.identity import token_key
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore
from tests.kit.rest import SPEC, Rest

pytestmark = [pytest.mark.documented, pytest.mark.asyncio(loop_scope="module")]
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DER = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PUBLIC = base64.b64encode(DER).decode()
TYPE = "X-Snowflake-Authorization-Token-Type"
SETUP = (
    "CREATE ROLE reader",
    "CREATE USER bob DEFAULT_ROLE=reader",
    "GRANT ROLE reader TO USER bob",
    "GRANT CREATE DATABASE ON ACCOUNT TO ROLE reader",
    f"ALTER USER bob SET RSA_PUBLIC_KEY='{PUBLIC}'",
)


@dataclass(frozen=True)
class Bob:
    rest: Rest
    access_token: str

    def signed(self, **more: str) -> dict[str, str]:
        """A new token each time, as clients that sign them make one."""
        now = datetime.now(UTC)
        claims = {
            "iss": f"LOCAL-SNOWCAVE.BOB.{public_keys.fingerprint(PUBLIC)}",
            "sub": "LOCAL-SNOWCAVE.BOB",
            "iat": now,
            "exp": now + timedelta(seconds=60),
        }
        token = jwt.encode(claims, PRIVATE, algorithm="RS256")
        return {"Authorization": f"Bearer {token}", TYPE: "KEYPAIR_JWT", **more}

    def bearing(self, **more: str) -> dict[str, str]:
        kind = {TYPE: "PROGRAMMATIC_ACCESS_TOKEN"}
        return {"Authorization": f"Bearer {self.access_token}", **kind, **more}

    def sessions(self) -> int:
        kept = self.rest.backend.listing(keys.SESSIONS.prefix).items
        return sum(state.Session.FromString(one.value).user_name == "BOB" for one in kept)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bob(rest: Rest) -> Bob:
    for sql in SETUP:
        assert (await rest.sql(sql))["success"], sql
    made = await rest.sql(
        "ALTER USER bob ADD PROGRAMMATIC ACCESS TOKEN t ROLE_RESTRICTION='READER'"
    )
    return Bob(rest, made["data"]["rowset"][0][1])


async def test_a_key_pair_or_an_access_token_does_for_a_session(bob: Bob):
    for number, headers in enumerate((bob.signed(), bob.bearing())):
        body = {"name": f"of_bob_{number}"}
        with structlog.testing.capture_logs() as logged:
            answer = await bob.rest("POST", "/databases", body, headers=headers)
        assert answer.status == 200, answer
        found = await bob.rest("GET", f"/databases/of_bob_{number}", headers=headers)
        assert found.body["owner"] == "READER"
        opened = [line for line in logged if line["event"] == "session_opened"]
        assert [(line["user"], line["peer"]) for line in opened] == [("BOB", "127.0.0.1")]


async def test_the_kind_of_token_may_be_left_out(bob: Bob):
    for headers in (bob.signed(), bob.bearing()):
        del headers[TYPE]
        assert (await bob.rest("GET", "/session/default-role", headers=headers)).body == {
            "session_default": "READER"
        }


async def test_new_tokens_of_one_user_open_no_new_sessions(bob: Bob):
    await bob.rest("GET", "/roles", headers=bob.signed())
    before = bob.sessions()
    for _ in range(3):
        assert (await bob.rest("GET", "/roles", headers=bob.signed())).status == 200
    assert bob.sessions() == before


async def test_a_caller_asks_for_one_of_their_roles(bob: Bob):
    headers = bob.signed(**{"X-Snowflake-Role": "public"})
    answer = await bob.rest("GET", "/session/default-role", headers=headers)
    assert answer.body == {"session_default": "PUBLIC"}
    headers = bob.signed(**{"X-Snowflake-Role": "ACCOUNTADMIN"})
    answer = await bob.rest("GET", "/session/default-role", headers=headers)
    assert answer.status == 401


async def test_tokens_that_are_none_are_401(bob: Bob):
    wrong = jwt.encode({"sub": "X.BOB", "iss": "X.BOB.SHA256:x"}, PRIVATE, algorithm="RS256")
    for headers in (
        {},
        {"Authorization": "Basic abc"},
        {"Authorization": 'Snowflake Token="nobody"'},
        {"Authorization": f"Bearer {wrong}", TYPE: "KEYPAIR_JWT"},
        {"Authorization": "Bearer nothing", TYPE: "PROGRAMMATIC_ACCESS_TOKEN"},
        {"Authorization": "Bearer nothing", TYPE: "OAUTH"},
    ):
        answer = await bob.rest("GET", "/databases", headers=headers)
        assert answer.status == 401, (headers, answer)
        assert answer.body["error_code"].startswith("39")
    odd = await bob.rest("GET", "/databases", headers={**bob.signed(), TYPE: "SOMETHING"})
    assert odd.status == 400


async def test_a_container_s_token_is_its_service_until_that_is_gone(rest: Rest, bob: Bob):
    await rest.place()
    made = await rest.sql(
        f"CREATE SERVICE d.s.svc IN COMPUTE POOL p FROM SPECIFICATION $$ {SPEC} $$"
    )
    assert made["success"], made
    kind = state.SessionToken.Kind.SERVICE
    entry = state.SessionToken(kind=kind, user=rest.uid("service", "SVC"))
    entry.expires_on.FromDatetime(datetime.now(UTC) + timedelta(minutes=5))
    key = keys.SESSION_TOKENS.key(token_key("of-the-container"))
    await MemoryStore(Role.API, rest.backend).put(key, entry.SerializeToString())
    headers = {"Authorization": "Bearer of-the-container", TYPE: "OAUTH"}
    answer = await rest("GET", "/databases/d/schemas/s/services/svc", headers=headers)
    assert (answer.status, answer.body["name"]) == (200, "SVC")
    before = rest.backend.listing(keys.SESSIONS.prefix).items
    assert (await rest("GET", "/databases", headers=headers)).status == 200
    assert len(rest.backend.listing(keys.SESSIONS.prefix).items) == len(before)
    await rest.sql("DROP SERVICE d.s.svc")
    assert (await rest("GET", "/databases", headers=headers)).status == 401


async def test_a_token_that_was_taken_away_opens_nothing_any_more(bob: Bob):
    made = await bob.rest.sql("ALTER USER bob ADD PROGRAMMATIC ACCESS TOKEN gone")
    headers = {"Authorization": f"Bearer {made['data']['rowset'][0][1]}"}
    assert (await bob.rest("GET", "/roles", headers=headers)).status == 200
    await bob.rest.sql("ALTER USER bob REMOVE PROGRAMMATIC ACCESS TOKEN gone")
    assert (await bob.rest("GET", "/roles", headers=headers)).status == 401
