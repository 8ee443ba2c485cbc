"""Secrets, network rules, integrations and tags: what they take, refuse, show, and keep from sight."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import SessionContext
from snowcave.api.queries.masking import without_secrets
from snowcave.api.secrets.reading import values_of
from snowcave.api.secrets.sealing import KEY_FILE, Sealer, read_key
from snowcave.model.errors import (
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    OptionMissing,
    SealBroken,
    SyntaxInvalid,
    Unsupported,
    ValueInvalid,
)
from tests.kit.statements import Account, open_account

PASSWORD = "CREATE SECRET s TYPE = PASSWORD USERNAME = 'u' PASSWORD = 'pa''ss' COMMENT = 'c'"
RULE = "CREATE NETWORK RULE r MODE = EGRESS TYPE = HOST_PORT VALUE_LIST = ('example.com:443')"
ACCESS = "CREATE EXTERNAL ACCESS INTEGRATION e ALLOWED_NETWORK_RULES = (d.public.r) ENABLED = TRUE"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d")
        yield opened


async def plain_session(account: Account, *grants: str) -> SessionContext:
    """A user whose role P has USAGE on D and its PUBLIC, and these."""
    await account.sql(
        "CREATE ROLE p",
        "CREATE USER pat",
        "GRANT ROLE p TO USER pat",
        "GRANT USAGE ON DATABASE d TO ROLE p",
        "GRANT USAGE ON SCHEMA d.public TO ROLE p",
        *grants,
    )
    context = account.session("PAT", "P")
    context.database, context.schema = "D", "PUBLIC"
    return context


# ---------------------------------------------------------------- secrets


async def test_a_secret_is_shown_without_its_content(account: Account) -> None:
    created = await account.sql(PASSWORD)
    assert created == [{"status": "Secret S successfully created."}]
    (shown,) = await account.sql("SHOW SECRETS")
    assert list(shown) == [
        "created_on",
        "name",
        "schema_name",
        "database_name",
        "owner",
        "comment",
        "secret_type",
        "oauth_scopes",
        "owner_role_type",
    ]
    assert (shown["name"], shown["secret_type"], shown["comment"]) == ("S", "PASSWORD", "c")
    (described,) = await account.sql("DESC SECRET s")
    assert described["username"] == "u"
    assert "pa'ss" not in str([*shown.values(), *described.values()])


async def test_the_store_holds_no_secret_in_the_clear(account: Account, tmp_path: Path) -> None:
    await account.sql(PASSWORD, "CREATE SECRET g TYPE=generic_string SECRET_STRING='open sesame'")
    held = b"".join(item.value for item in account.backend.listing("").items)
    assert b"pa'ss" not in held
    assert b"open sesame" not in held
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0


async def test_what_was_sealed_opens_with_the_same_key_and_only_for_its_object(
    account: Account, tmp_path: Path
) -> None:
    await account.sql(PASSWORD)
    (found,) = account.catalog.all("secret")
    sealer = Sealer(read_key(tmp_path))
    assert values_of(found, sealer) == {"username": "u", "password": "pa'ss"}
    with pytest.raises(SealBroken):
        sealer.unseal(found.uid + 1, found.secret.sealed)
    with pytest.raises(SealBroken):
        Sealer(bytes(32)).unseal(found.uid, found.secret.sealed)


async def test_altering_a_secret_keeps_the_rest_and_raises_its_version(
    account: Account, tmp_path: Path
) -> None:
    await account.sql(PASSWORD)
    (before,) = account.catalog.all("secret")
    await account.sql("ALTER SECRET s SET PASSWORD = 'new'")
    (after,) = account.catalog.all("secret")
    sealer = Sealer(read_key(tmp_path))
    assert values_of(after, sealer) == {"username": "u", "password": "new"}
    assert after.secret.version == before.secret.version + 1
    await account.sql("ALTER SECRET s SET COMMENT = 'other'")
    (last,) = account.catalog.all("secret")
    assert (last.secret.version, last.comment) == (after.secret.version, "other")


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("CREATE SECRET s USERNAME='u'", "[TYPE]"),
        ("CREATE SECRET s TYPE=PASSWORD USERNAME='u'", "[PASSWORD]"),
        ("CREATE SECRET s TYPE=PASSWORD", "[USERNAME, PASSWORD]"),
        ("CREATE SECRET s TYPE=GENERIC_STRING", "[SECRET_STRING]"),
        ("CREATE SECRET s TYPE=SYMMETRIC_KEY", "[ALGORITHM]"),
        ("CREATE SECRET s TYPE=OAUTH2", "[API_AUTHENTICATION]"),
    ],
)
async def test_a_secret_names_what_it_lacks(account: Account, sql: str, missing: str) -> None:
    with pytest.raises(OptionMissing) as caught:
        await account.sql(sql)
    assert missing in caught.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE SECRET s TYPE=ROBOT",
        "CREATE SECRET s TYPE=PASSWORD USERNAME='u' PASSWORD='p' SECRET_STRING='x'",
        "CREATE SECRET s TYPE=GENERIC_STRING SECRET_STRING='x' SIZE=1",
        "CREATE SECRET s TYPE=SYMMETRIC_KEY ALGORITHM=AES",
    ],
)
async def test_a_secret_refuses_what_its_type_does_not_take(account: Account, sql: str) -> None:
    with pytest.raises(ValueInvalid):
        await account.sql(sql)


async def test_an_oauth_secret_needs_a_security_integration(
    account: Account, tmp_path: Path
) -> None:
    await account.sql(
        "CREATE SECURITY INTEGRATION i TYPE = API_AUTHENTICATION AUTH_TYPE = OAUTH2 "
        "OAUTH_CLIENT_ID = 'id' OAUTH_CLIENT_SECRET = 'hidden' "
        "OAUTH_TOKEN_ENDPOINT = 'https://x/t' ENABLED = TRUE",
        "CREATE SECRET o TYPE = OAUTH2 API_AUTHENTICATION = i OAUTH_SCOPES = ('a', 'b') "
        "OAUTH_REFRESH_TOKEN = 'hidden too' OAUTH_REFRESH_TOKEN_EXPIRY_TIME = '2027-01-01'",
    )
    (described,) = await account.sql("DESC SECRET o")
    assert (described["oauth_scopes"], described["integration_name"]) == ("[a, b]", "I")
    rows = await account.sql("DESC INTEGRATION i")
    assert {"OAUTH_CLIENT_SECRET": "******"}.items() <= {
        row["property"]: row["property_value"] for row in rows
    }.items()
    held = b"".join(item.value for item in account.backend.listing("").items)
    assert b"hidden" not in held
    (found,) = account.catalog.all("secret")
    with pytest.raises(Unsupported):
        values_of(found, Sealer(read_key(tmp_path)))


async def test_secrets_belong_to_their_owner(account: Account) -> None:
    await account.sql(PASSWORD)
    pat = await plain_session(account)
    with pytest.raises(ObjectNotFound):
        await account.sql("DESC SECRET s", context=pat)
    with pytest.raises(NotAuthorized):
        await account.sql("CREATE SECRET t TYPE=GENERIC_STRING SECRET_STRING='x'", context=pat)
    await account.sql("GRANT READ ON SECRET d.public.s TO ROLE p")
    assert len(await account.sql("SHOW SECRETS", context=pat)) == 1
    with pytest.raises(NotAuthorized):
        await account.sql("ALTER SECRET s SET PASSWORD = 'x'", context=pat)


async def test_a_secret_is_replaced_kept_and_dropped_like_other_objects(account: Account) -> None:
    await account.sql(PASSWORD)
    with pytest.raises(ObjectExists):
        await account.sql(PASSWORD)
    (first,) = account.catalog.all("secret")
    await account.sql(PASSWORD.replace("SECRET s", "SECRET IF NOT EXISTS s"))
    await account.sql(PASSWORD.replace("CREATE", "CREATE OR REPLACE"))
    (second,) = account.catalog.all("secret")
    assert first.uid != second.uid
    assert await account.sql("DROP SECRET s") == [{"status": "S successfully dropped."}]
    with pytest.raises(ObjectNotFound):
        await account.sql("DROP SECRET s")
    assert await account.sql("DROP SECRET IF EXISTS s")


@pytest.mark.parametrize(
    "clause",
    [
        "PASSWORD = 'x1y'",
        "SECRET_STRING='x1y'",
        "SECRET_STRING => $$x1y$$",
        "OAUTH_REFRESH_TOKEN = 'x1y'",
        "OAUTH_CLIENT_SECRET = 'it''s x1y'",
        "PASSWORD /* of course */ = 'x1y'",
        "PASSWORD -- of course\n=> 'x1y'",
        'PASSWORD = "x1y"',
        "PASSWORD = x1y",
        "PASSWORD 'x1y'",
        "\"PASSWORD\" = 'x1y'",
        "PASSWORD = 'x1y never ends",
    ],
)
def test_recorded_statements_hide_secrets(clause: str) -> None:
    assert "x1y" not in without_secrets(f"CREATE SECRET s {clause} COMMENT = 'c'")
    within = f"CREATE SECRET s {clause}".replace("'", "''")
    assert "x1y" not in without_secrets(f"EXECUTE IMMEDIATE '{within}'")


# ---------------------------------------------------------------- network rules


async def test_a_network_rule_is_shown_and_described(account: Account) -> None:
    await account.sql(RULE + " COMMENT = 'c'")
    (shown,) = await account.sql("SHOW NETWORK RULES LIKE 'r%' IN SCHEMA d.public")
    assert (shown["type"], shown["mode"], shown["entries_in_valuelist"]) == (
        "HOST_PORT",
        "EGRESS",
        1,
    )
    (described,) = await account.sql("DESCRIBE NETWORK RULE r")
    assert described["value_list"] == "example.com:443"
    await account.sql("ALTER NETWORK RULE r SET VALUE_LIST = ('a.example', '0.0.0.0:80')")
    (described,) = await account.sql("DESCRIBE NETWORK RULE r")
    assert described["value_list"] == "a.example,0.0.0.0:80"


@pytest.mark.parametrize(
    ("mode", "kind", "value"),
    [
        ("EGRESS", "HOST_PORT", "*.example.com"),
        ("EGRESS", "HOST_PORT", "example.com:0"),
        ("EGRESS", "HOST_PORT", "example.com:70000"),
        ("EGRESS", "HOST_PORT", "https://example.com"),
        ("EGRESS", "HOST_PORT", ""),
        ("EGRESS", "HOST_PORT", "a" * 64 + ".example"),
        ("EGRESS", "HOST_PORT", "a..example"),
        ("EGRESS", "IPV4", "10.0.0.0/8"),
        ("INGRESS", "HOST_PORT", "example.com"),
        ("INGRESS", "IPV4", "10.0.0.0/40"),
        ("INGRESS", "IPV4", "::1"),
        ("INGRESS", "ROBOT", "x"),
        ("SIDEWAYS", "IPV4", "10.0.0.1"),
    ],
)
async def test_a_network_rule_refuses_what_its_type_cannot_mean(
    account: Account, mode: str, kind: str, value: str
) -> None:
    with pytest.raises(ValueInvalid):
        await account.sql(
            f"CREATE NETWORK RULE r MODE = {mode} TYPE = {kind} VALUE_LIST = ('{value}')"
        )
    assert list(account.catalog.all("network_rule")) == []


async def test_a_rule_that_an_integration_names_stays(account: Account) -> None:
    await account.sql(RULE, ACCESS)
    with pytest.raises(ValueInvalid):
        await account.sql("DROP NETWORK RULE r")
    await account.sql("DROP INTEGRATION e", "DROP NETWORK RULE r")


# ---------------------------------------------------------------- integrations


async def test_integrations_are_listed_by_kind(account: Account) -> None:
    await account.sql(
        RULE,
        ACCESS + " COMMENT = 'c'",
        "CREATE SECURITY INTEGRATION i TYPE = API_AUTHENTICATION AUTH_TYPE = OAUTH2 ENABLED = FALSE",
    )
    (shown,) = await account.sql("SHOW EXTERNAL ACCESS INTEGRATIONS")
    assert (shown["name"], shown["type"], shown["category"], shown["enabled"]) == (
        "E",
        "EXTERNAL_ACCESS",
        "EXTERNAL_ACCESS",
        "true",
    )
    assert [row["name"] for row in await account.sql("SHOW INTEGRATIONS")] == ["E", "I"]
    rows = await account.sql("DESC EXTERNAL ACCESS INTEGRATION e")
    values = {row["property"]: row["property_value"] for row in rows}
    assert values["ALLOWED_NETWORK_RULES"] == "[D.PUBLIC.R]"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE EXTERNAL ACCESS INTEGRATION e ENABLED = TRUE", OptionMissing),
        (ACCESS.replace("d.public.r", "nothing"), ObjectNotFound),
        (ACCESS + " OAUTH_CLIENT_ID = 'x'", ValueInvalid),
        ("CREATE INTEGRATION e ENABLED = TRUE", SyntaxInvalid),
        ("CREATE SECURITY INTEGRATION e TYPE = SAML2 ENABLED = TRUE", Unsupported),
    ],
)
async def test_an_integration_is_refused(
    account: Account, sql: str, error: type[Exception]
) -> None:
    await account.sql(RULE)
    with pytest.raises(error):
        await account.sql(sql)


@pytest.mark.parametrize(
    ("given", "shown"),
    [("(ALL)", "ALL"), ("(none)", "NONE"), ("(s)", "[D.PUBLIC.S]"), ("()", "[]")],
)
async def test_an_integration_says_which_secrets_it_allows(
    account: Account, given: str, shown: str
) -> None:
    await account.sql(PASSWORD, RULE, ACCESS + f" ALLOWED_AUTHENTICATION_SECRETS = {given}")
    rows = await account.sql("DESC INTEGRATION e")
    values = {row["property"]: row["property_value"] for row in rows}
    assert values["ALLOWED_AUTHENTICATION_SECRETS"] == shown


SERVICE = (
    "CREATE SERVICE x IN COMPUTE POOL p FROM SPECIFICATION "
    "$$spec: {containers: [{name: main, image: /d/public/i/echo}]}$$ "
)


async def with_pool(account: Account) -> None:
    await account.sql(
        "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_XS",
        "CREATE IMAGE REPOSITORY i",
        RULE,
        ACCESS,
    )
    account.registry.push("d/public/i/echo:latest")


async def test_a_service_has_the_integrations_that_it_names(account: Account) -> None:
    await with_pool(account)
    await account.sql(SERVICE + "EXTERNAL_ACCESS_INTEGRATIONS = (e)")
    (shown,) = await account.sql("SHOW SERVICES")
    assert "E" in str(shown["external_access_integrations"])
    await account.sql("ALTER SERVICE x SET EXTERNAL_ACCESS_INTEGRATIONS = ()")
    assert list(next(account.catalog.all("service")).service.external_access_integrations) == []


@pytest.mark.parametrize(
    ("before", "error"),
    [
        ("DROP INTEGRATION e", ObjectNotFound),
        ("ALTER INTEGRATION e SET ENABLED = FALSE", ValueInvalid),
        ("ALTER NETWORK RULE r SET VALUE_LIST = ('example.com:25')", ValueInvalid),
    ],
)
async def test_a_service_is_refused_an_integration(
    account: Account, before: str, error: type[Exception]
) -> None:
    await with_pool(account)
    await account.sql(before)
    with pytest.raises(error):
        await account.sql(SERVICE + "EXTERNAL_ACCESS_INTEGRATIONS = (e)")
    assert list(account.catalog.all("service")) == []


async def test_a_service_needs_usage_on_its_integrations(account: Account) -> None:
    await with_pool(account)
    pat = await plain_session(
        account,
        "GRANT CREATE SERVICE ON SCHEMA d.public TO ROLE p",
        "GRANT USAGE ON COMPUTE POOL p TO ROLE p",
        "GRANT READ ON IMAGE REPOSITORY d.public.i TO ROLE p",
    )
    sql = SERVICE + "EXTERNAL_ACCESS_INTEGRATIONS = (e)"
    with pytest.raises(ObjectNotFound):
        await account.sql(sql, context=pat)
    await account.sql("GRANT USAGE ON INTEGRATION e TO ROLE p")
    assert await account.sql(sql, context=pat)


# ---------------------------------------------------------------- tags and comments


async def test_tags_are_shown_with_their_allowed_values(account: Account) -> None:
    await account.sql(
        "CREATE TAG t ALLOWED_VALUES 'a', 'b' COMMENT = 'c'",
        "ALTER TAG t ADD ALLOWED_VALUES 'z'",
        "ALTER TAG t DROP ALLOWED_VALUES 'a'",
    )
    (shown,) = await account.sql("SHOW TAGS")
    assert (shown["name"], shown["allowed_values"], shown["comment"]) == ("T", '["b","z"]', "c")
    await account.sql("ALTER TAG t UNSET ALLOWED_VALUES")
    assert (await account.sql("SHOW TAGS"))[0]["allowed_values"] is None


async def tag_of(account: Account, name: str, domain: str, tag: str = "d.public.t") -> object:
    (row,) = await account.sql(f"SELECT SYSTEM$GET_TAG('{tag}', '{name}', '{domain}')")
    return next(iter(row.values()))


async def test_create_with_a_tag_and_set_tag_say_the_same(account: Account) -> None:
    await account.sql(
        "CREATE TAG t",
        "CREATE WAREHOUSE w WITH TAG (t = 'one')",
        "CREATE STAGE st TAG (d.public.t = 'two')",
        "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS WITH TAG (t='v')",
        "ALTER DATABASE d SET TAG public.t = 'four'",
    )
    assert await tag_of(account, "w", "WAREHOUSE") == "one"
    assert await tag_of(account, "st", "STAGE") == "two"
    assert await tag_of(account, "p", "COMPUTE POOL") == "v"
    assert await tag_of(account, "d", "DATABASE") == "four"
    await account.sql("ALTER STAGE st UNSET TAG t")
    # What its database has is inherited now.
    assert await tag_of(account, "d.public.st", "STAGE") == "four"
    await account.sql("DROP TAG t", "CREATE TAG t")
    assert await tag_of(account, "w", "WAREHOUSE") is None


async def test_a_tag_refuses_other_values_and_other_hands(account: Account) -> None:
    await account.sql("CREATE TAG t ALLOWED_VALUES 'a'", "CREATE STAGE st")
    with pytest.raises(ValueInvalid):
        await account.sql("ALTER STAGE st SET TAG t = 'b'")
    with pytest.raises(ObjectNotFound):
        await account.sql("CREATE STAGE other TAG (nothing = 'b')")
    pat = await plain_session(account, "GRANT CREATE STAGE ON SCHEMA d.public TO ROLE p")
    with pytest.raises(ObjectNotFound):
        await account.sql("CREATE STAGE mine TAG (t = 'a')", context=pat)
    await account.sql("GRANT APPLY ON TAG d.public.t TO ROLE p")
    await account.sql("CREATE STAGE mine TAG (t = 'a')", context=pat)
    with pytest.raises(ObjectNotFound):
        await account.sql("ALTER STAGE st SET TAG t = 'a'", context=pat)


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("CREATE STAGE o", "STAGE"),
        ("CREATE SCHEMA o", "SCHEMA"),
        ("CREATE DATABASE o", "DATABASE"),
        ("CREATE ROLE o", "ROLE"),
        ("CREATE USER o", "USER"),
        ("CREATE WAREHOUSE o", "WAREHOUSE"),
        ("CREATE IMAGE REPOSITORY o", "IMAGE REPOSITORY"),
        ("CREATE TAG o", "TAG"),
        ("CREATE SECRET o TYPE=GENERIC_STRING SECRET_STRING='x'", "SECRET"),
        (RULE.replace(" r ", " o "), "NETWORK RULE"),
        (
            "CREATE COMPUTE POOL o MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            "COMPUTE POOL",
        ),
    ],
)
async def test_comments_of_every_kind(account: Account, made: str, kind: str) -> None:
    domain = kind.lower().replace(" ", "_")

    def comment() -> str:
        return next(one.comment for one in account.catalog.all(domain) if one.name == "O")

    await account.sql(made, f"COMMENT ON {kind} o IS 'it''s'")
    assert comment() == "it's"
    await account.sql(f"ALTER {kind} o SET COMMENT = 'b'")
    assert comment() == "b"
    if kind != "IMAGE REPOSITORY":
        await account.sql(f"ALTER {kind} o UNSET COMMENT")
        assert comment() == ""
    with pytest.raises(ObjectNotFound):
        await account.sql(f"COMMENT ON {kind} nothing IS 'x'")
    await account.sql(f"COMMENT IF EXISTS ON {kind} nothing IS 'x'")
