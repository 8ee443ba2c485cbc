"""Users: what they are made of, their keys, and their programmatic access tokens."""

import base64
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.kit.clock import LoopClock
from snowcave.model import keys, public_keys
from snowcave.model.errors import (
    AccessTokenInvalid,
    Exhausted,
    JwtInvalid,
    LoginFailed,
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    OptionMissing,
    PublicKeyInvalid,
    SessionGone,
    ValueInvalid,
)
from snowcave.model.keys import Role
from snowcave.runtime.identity import Identity, token_key
from snowcave.store.mirror import follow
from snowcave.v1 import state_pb2 as state
from tests.kit.memory_store import MemoryStore
from tests.kit.statements import Account, open_account

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_text(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql(
            "CREATE ROLE reader",
            "CREATE ROLE writer",
            "CREATE USER bob PASSWORD='secret' DEFAULT_ROLE=reader",
            "GRANT ROLE reader TO USER bob",
            "GRANT ROLE writer TO USER bob",
        )
        yield opened


@pytest_asyncio.fixture
async def identity(account: Account) -> AsyncGenerator[Identity]:
    mirrors = account.catalog.mirrors
    async with (
        follow(account.store, keys.SESSION_TOKENS) as tokens,
        follow(account.store, keys.SESSIONS) as sessions,
    ):
        yield Identity(
            mirrors.objects, mirrors.grants, tokens, sessions, account.store, LoopClock()
        )


async def properties(account: Account, user: str) -> dict[str, Any]:
    rows = await account.sql(f"DESC USER {user}")
    return {str(row["property"]): row["value"] for row in rows}


async def test_a_user_is_what_was_said(account: Account) -> None:
    await account.sql(
        "CREATE USER eve LOGIN_NAME='e.v@x.org' DISPLAY_NAME='Eve V' FIRST_NAME='Eve' "
        "MIDDLE_NAME='M' LAST_NAME='V' EMAIL='e@x.org' MUST_CHANGE_PASSWORD=TRUE DISABLED=TRUE "
        "TYPE=PERSON DEFAULT_ROLE=reader DEFAULT_WAREHOUSE=wh DEFAULT_NAMESPACE=d.s "
        "DEFAULT_SECONDARY_ROLES=('ALL') DAYS_TO_EXPIRY=10 COMMENT='hi'"
    )
    shown = await properties(account, "eve")
    expected = {
        "NAME": "EVE",
        "COMMENT": "hi",
        "DISPLAY_NAME": "Eve V",
        "TYPE": "PERSON",
        "LOGIN_NAME": "E.V@X.ORG",
        "FIRST_NAME": "Eve",
        "MIDDLE_NAME": "M",
        "LAST_NAME": "V",
        "EMAIL": "e@x.org",
        "PASSWORD": "null",
        "MUST_CHANGE_PASSWORD": "true",
        "DISABLED": "true",
        "DEFAULT_WAREHOUSE": "WH",
        "DEFAULT_NAMESPACE": "D.S",
        "DEFAULT_ROLE": "READER",
        "DEFAULT_SECONDARY_ROLES": '["ALL"]',
        "RSA_PUBLIC_KEY_FP": "null",
    }
    assert {key: shown[key] for key in expected} == expected
    assert 9 < float(shown["DAYS_TO_EXPIRY"]) <= 10
    await account.sql("ALTER USER eve UNSET EMAIL, LOGIN_NAME, DISABLED, DAYS_TO_EXPIRY, COMMENT")
    shown = await properties(account, "eve")
    names = ("EMAIL", "LOGIN_NAME", "DISABLED", "DAYS_TO_EXPIRY", "COMMENT")
    assert [shown[name] for name in names] == ["null", "EVE", "false", "null", "null"]


async def test_no_two_users_log_in_by_one_name(account: Account) -> None:
    await account.sql("ALTER USER bob SET LOGIN_NAME='robert'", "CREATE USER eve LOGIN_NAME=bob")
    for sql in ("ALTER USER bob UNSET LOGIN_NAME", "CREATE USER bob2 LOGIN_NAME='Robert'"):
        with pytest.raises(ValueInvalid, match="already used by another user"):
            await account.sql(sql)


async def test_a_user_can_be_renamed(account: Account) -> None:
    await account.sql("ALTER USER bob RENAME TO bert")
    assert (await properties(account, "bert"))["NAME"] == "BERT"
    with pytest.raises(ObjectNotFound, match="User 'BOB' does not exist or not authorized"):
        await account.sql("DESC USER bob")
    with pytest.raises(ObjectExists):
        await account.sql("ALTER USER bert RENAME TO admin")


@pytest.mark.parametrize(
    "properties",
    ["TYPE=ROBOT", "DAYS_TO_EXPIRY=0", "DEFAULT_SECONDARY_ROLES=('SOME')", "LOGIN_NAME='bob'"],
)
async def test_what_makes_no_sense_is_refused(account: Account, properties: str) -> None:
    with pytest.raises(ValueInvalid):
        await account.sql(f"CREATE USER eve {properties}")


async def test_both_keys_have_their_fingerprints(account: Account) -> None:
    await account.sql(
        f"ALTER USER bob SET RSA_PUBLIC_KEY='{public_text(PRIVATE)}' "
        f"RSA_PUBLIC_KEY_2='{public_text(OTHER)}'"
    )
    shown = await properties(account, "bob")
    assert shown["RSA_PUBLIC_KEY"] == public_text(PRIVATE)
    assert shown["RSA_PUBLIC_KEY_FP"] == public_keys.fingerprint(public_text(PRIVATE))
    assert shown["RSA_PUBLIC_KEY_2_FP"] == public_keys.fingerprint(public_text(OTHER))
    (row,) = await account.sql("SHOW USERS LIKE 'bob'")
    assert row["has_rsa_public_key"] == "true"
    await account.sql("ALTER USER bob UNSET RSA_PUBLIC_KEY")
    shown = await properties(account, "bob")
    assert (shown["RSA_PUBLIC_KEY"], shown["RSA_PUBLIC_KEY_FP"]) == ("null", "null")
    assert shown["RSA_PUBLIC_KEY_2_FP"] != "null"


def test_a_key_may_come_in_its_frame() -> None:
    text = public_text(PRIVATE)
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    assert (
        public_keys.normal(f"-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n")
        == text
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key",
        base64.b64encode(b"key").decode(),
        # No signature of a JWT is made with this curve.
        public_text(ec.generate_private_key(ec.SECP256K1())),
        public_text(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
    ],
)
async def test_what_is_no_key_is_refused(account: Account, text: str) -> None:
    with pytest.raises(PublicKeyInvalid):
        await account.sql(f"ALTER USER bob SET RSA_PUBLIC_KEY='{text}'")


def signed(key: rsa.RSAPrivateKey, **changes: Any) -> str:
    now = LoopClock().now()
    fingerprint = public_keys.fingerprint(public_text(key))
    claims = {
        "iss": f"ORG-ACCT.BOB.{fingerprint}",
        "sub": "ORG-ACCT.BOB",
        "iat": now,
        "exp": now + timedelta(seconds=60),
    }
    return jwt.encode({**claims, **changes}, key, algorithm="RS256")


@pytest.mark.parametrize("slot", ["RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2"])
async def test_either_key_opens_the_door(account: Account, identity: Identity, slot: str) -> None:
    await account.sql(f"ALTER USER bob SET {slot}='{public_text(PRIVATE)}'")
    who = identity.by_jwt(signed(PRIVATE))
    assert (who.user_name, who.role_name) == ("BOB", "READER")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "ORG-ACCT.BOB.SHA256:x"},
        {"sub": "ORG-ACCT.ADMIN"},
        {"sub": "BOB"},
        {"exp": LoopClock().now() - timedelta(hours=1)},
        {"iat": LoopClock().now() - timedelta(hours=2)},
        {"iat": LoopClock().now() + timedelta(hours=2)},
    ],
)
async def test_a_token_that_says_something_else_does_not(
    account: Account, identity: Identity, changes: dict[str, Any]
) -> None:
    await account.sql(f"ALTER USER bob SET RSA_PUBLIC_KEY='{public_text(PRIVATE)}'")
    with pytest.raises(JwtInvalid):
        identity.by_jwt(signed(PRIVATE, **changes))


async def test_only_the_users_own_key_does(account: Account, identity: Identity) -> None:
    await account.sql(f"ALTER USER bob SET RSA_PUBLIC_KEY='{public_text(OTHER)}'")
    for token in (signed(PRIVATE), "a.b.c", "", "x" * 20_000):
        with pytest.raises(JwtInvalid):
            identity.by_jwt(token)
    await account.sql("ALTER USER bob SET DISABLED=TRUE")
    with pytest.raises(JwtInvalid):
        identity.by_jwt(signed(OTHER))


def in_an_hour() -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    return stamp


async def secret_of(account: Account, *more: str) -> str:
    (row,) = await account.sql(f"ALTER USER bob ADD PROGRAMMATIC ACCESS TOKEN t {' '.join(more)}")
    assert row["token_name"] == "T"
    return str(row["token_secret"])


async def test_a_token_does_for_a_password(account: Account, identity: Identity) -> None:
    secret = await secret_of(account)
    assert (await identity.by_password("bob", secret)).user_name == "BOB"
    assert identity.by_access_token(secret).user_name == "BOB"
    assert (await identity.by_token(secret)).role_name == "READER"
    with pytest.raises(AccessTokenInvalid):
        await identity.by_password("admin", secret)
    with pytest.raises(AccessTokenInvalid):
        identity.by_access_token("x")


async def test_the_secret_is_kept_nowhere(account: Account) -> None:
    secret = await secret_of(account)
    kept = await account.store.list("")
    assert not any(secret.encode() in item.value for item in kept.items)
    assert secret not in str(
        await account.sql("SHOW USER PROGRAMMATIC ACCESS TOKENS FOR USER bob")
    )


async def test_a_token_for_one_role_is_good_for_no_other(
    account: Account, identity: Identity
) -> None:
    secret = await secret_of(account, "ROLE_RESTRICTION='WRITER'")
    who = identity.by_access_token(secret)
    writer = account.catalog.named("role", 0, "WRITER")
    assert writer is not None
    everybodys = account.catalog.named("role", 0, "PUBLIC")
    assert everybodys is not None
    assert (who.role_name, who.roles) == ("WRITER", {writer.message.uid, everybodys.message.uid})
    session = account.session("BOB", "WRITER")
    session.role_restriction = writer.message.uid
    with pytest.raises(NotAuthorized):
        await account.sql("USE ROLE reader", context=session)
    with pytest.raises(NotAuthorized):
        await account.sql("USE SECONDARY ROLES ALL", context=session)
    await account.sql("USE ROLE writer", context=session)
    await account.sql("REVOKE ROLE writer FROM USER bob")
    with pytest.raises(AccessTokenInvalid):
        identity.by_access_token(secret)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER USER ADD PAT wide",
        "ALTER USER bob ROTATE PAT t",
        "ALTER USER bob REMOVE PAT t",
        "ALTER USER bob SET PASSWORD='known'",
    ],
)
async def test_a_token_for_one_role_opens_no_way_to_the_others(account: Account, sql: str) -> None:
    await secret_of(account)
    session = account.session("BOB", "WRITER")
    await account.sql("ALTER USER bob ADD PAT before", context=session)
    writer = account.catalog.named("role", 0, "WRITER")
    assert writer is not None
    session.role_restriction = writer.message.uid
    with pytest.raises(NotAuthorized):
        await account.sql(sql, context=session)
    session.role_restriction = 0
    await account.sql(sql, context=session)


async def test_what_a_token_may_is_not_guessed_where_its_session_is_not_known(
    account: Account,
) -> None:
    writer, bob = (
        account.catalog.named(*one) for one in (("role", 0, "WRITER"), ("user", 0, "BOB"))
    )
    assert writer is not None
    assert bob is not None
    session = state.Session(id=7, role="WRITER", role_restriction=writer.message.uid)
    entry = state.SessionToken(
        kind=state.SessionToken.SESSION, session=7, user=bob.message.uid, expires_on=in_an_hour()
    )
    await account.store.put(keys.SESSION_TOKENS.key(token_key("x")), entry.SerializeToString())
    await account.store.put(keys.SESSIONS.key(7), session.SerializeToString())
    mirrors = account.catalog.mirrors
    # A replica that is behind: it has heard of no session at all.
    behind = MemoryStore(Role.API)
    async with (
        follow(behind, keys.SESSION_TOKENS) as tokens,
        follow(behind, keys.SESSIONS) as sessions,
    ):
        identity = Identity(
            mirrors.objects, mirrors.grants, tokens, sessions, account.store, LoopClock()
        )
        public = account.catalog.named("role", 0, "PUBLIC")
        assert public is not None
        assert (await identity.by_token("x")).roles == {writer.message.uid, public.message.uid}
        # A session that was closed takes all its tokens with it.
        await account.store.delete(keys.SESSIONS.key(7))
        with pytest.raises(SessionGone):
            await identity.by_token("x")


async def test_a_role_that_the_user_lacks_restricts_nothing(account: Account) -> None:
    for role in ("ACCOUNTADMIN", "nobody"):
        with pytest.raises(ObjectNotFound, match="Role"):
            await secret_of(account, f"ROLE_RESTRICTION={role}")
    await account.sql("ALTER USER bob SET TYPE=SERVICE")
    with pytest.raises(OptionMissing):
        await secret_of(account)


async def test_a_service_user_has_no_use_for_a_password(
    account: Account, identity: Identity
) -> None:
    await account.sql("ALTER USER bob SET TYPE=SERVICE")
    with pytest.raises(LoginFailed):
        await identity.by_password("bob", "secret")


async def test_a_rotated_token_lives_on_for_a_while(account: Account, identity: Identity) -> None:
    old = await secret_of(account, "DAYS_TO_EXPIRY=30", "COMMENT='ci'")
    (row,) = await account.sql("ALTER USER bob ROTATE PAT t")
    new = str(row["token_secret"])
    assert identity.by_access_token(old) == identity.by_access_token(new)
    listed = await account.sql("SHOW USER PROGRAMMATIC ACCESS TOKENS FOR USER bob")
    assert [(one["name"], one["rotated_to"]) for one in listed] == [
        ("T", None),
        (row["rotated_token_name"], "T"),
    ]
    await account.sql("ALTER USER bob ROTATE PAT t EXPIRE_ROTATED_TOKEN_AFTER_HOURS=0")
    with pytest.raises(AccessTokenInvalid):
        identity.by_access_token(new)


async def test_a_token_is_changed_and_removed(account: Account, identity: Identity) -> None:
    secret = await secret_of(account)
    await account.sql("ALTER USER bob MODIFY PAT t SET DISABLED=TRUE COMMENT='off'")
    (row,) = await account.sql("SHOW USER PROGRAMMATIC ACCESS TOKENS FOR USER bob")
    assert (row["status"], row["comment"]) == ("DISABLED", "off")
    with pytest.raises(AccessTokenInvalid):
        identity.by_access_token(secret)
    await account.sql(
        "ALTER USER bob MODIFY PAT t UNSET DISABLED, COMMENT",
        "ALTER USER bob MODIFY PROGRAMMATIC ACCESS TOKEN t RENAME TO u",
    )
    assert identity.by_access_token(secret).user_name == "BOB"
    await account.sql("ALTER USER bob REMOVE PROGRAMMATIC ACCESS TOKEN u")
    with pytest.raises(AccessTokenInvalid):
        identity.by_access_token(secret)
    with pytest.raises(ObjectNotFound):
        await account.sql("ALTER USER bob REMOVE PAT u")
    await account.sql("ALTER USER bob REMOVE PAT IF EXISTS u")


async def test_one_makes_tokens_for_oneself_and_not_for_others(account: Account) -> None:
    bob = account.session("BOB", "READER")
    await account.sql("ALTER USER ADD PAT mine", context=bob)
    (row,) = await account.sql("SHOW USER PROGRAMMATIC ACCESS TOKENS", context=bob)
    assert (row["name"], row["user_name"], row["created_by"]) == ("MINE", "BOB", "BOB")
    with pytest.raises(ObjectNotFound):
        await account.sql("ALTER USER admin ADD PAT yours", context=bob)
    with pytest.raises(ObjectExists):
        await account.sql("ALTER USER ADD PAT mine", context=bob)
    await account.sql("ALTER USER ADD PAT IF NOT EXISTS mine", context=bob)


@pytest.mark.parametrize("days", [0, 366])
async def test_days_have_their_bounds(account: Account, days: int) -> None:
    with pytest.raises(ValueInvalid):
        await secret_of(account, f"DAYS_TO_EXPIRY={days}")


async def test_a_user_has_no_more_than_fifteen(account: Account) -> None:
    for number in range(15):
        await account.sql(f"ALTER USER bob ADD PAT t{number}")
    with pytest.raises(Exhausted):
        await account.sql("ALTER USER bob ADD PAT more")


async def test_a_token_dies_with_its_user(account: Account, identity: Identity) -> None:
    secret = await secret_of(account)
    await account.sql("DROP USER bob")
    with pytest.raises(AccessTokenInvalid):
        identity.by_access_token(secret)
