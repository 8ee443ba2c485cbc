"""Who may open what, seen by curl, the connectors and a browser: service roles, callers' rights, credentials.

Snowflake's tutorials 6 (endpoints for some roles), 7 (callers' rights) and 8 (access by programs).
"""

import base64
import json
import subprocess
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from snowcave.model import public_keys
from tests.kit.browser import artefacts, chromium
from tests.kit.clients import (
    CONNECTOR4,
    CONNECTOR5,
    CONNECTOR_IMAGE,
    IMAGE,
    PLACE,
    Reply,
    call,
    endpoint,
    statements,
    tutorial_session,
    wait_ready,
)
from tests.kit.mesh import Snowcave, clean_environment, rows, until

pytestmark = pytest.mark.docker

PASSWORD = "A-Secret-For-Tests-1"
# Every GRANT is known to every daemon within this time.
SOON = 60.0
BY_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
BY_TOKEN = "urn:ietf:params:oauth:grant-type:token-exchange"

DOORS = f"""CREATE SERVICE doors IN COMPUTE POOL wide_pool FROM SPECIFICATION $$
spec:
  containers:
  - name: page
    image: /{IMAGE}
    command: ["/usr/bin/python3", "/app/page.py"]
    args: ["8000", "8001"]
  endpoints:
{endpoint("first", 8000, public=True)}{endpoint("second", 8001, public=True)}
serviceRoles:
- name: to_first
  endpoints: [first]
- name: to_second
  endpoints: [second]
$$"""
ERRANDS = f"""CREATE SERVICE errands IN COMPUTE POOL wide_pool FROM SPECIFICATION $$
spec:
  containers:
  - name: caller
    image: /{CONNECTOR_IMAGE}
    command: ["/usr/bin/python3", "/app/caller.py"]
  endpoints:
{endpoint("run", 8000, public=True)}
capabilities:
  securityContext:
    executeAsCaller: true
$$"""
PEOPLE = f"""
CREATE ROLE first_door;
CREATE ROLE second_door;
CREATE USER ann PASSWORD='{PASSWORD}' DEFAULT_ROLE=first_door EMAIL='ann@example.test';
CREATE USER ben PASSWORD='{PASSWORD}' DEFAULT_ROLE=second_door;
CREATE USER eve PASSWORD='{PASSWORD}';
GRANT ROLE first_door TO USER ann;
GRANT ROLE second_door TO USER ben;
USE ROLE test_role;
GRANT USAGE ON DATABASE tutorial_db TO ROLE first_door;
GRANT USAGE ON SCHEMA tutorial_db.data_schema TO ROLE first_door;
CREATE TABLE tutorial_db.data_schema.for_ann AS SELECT 'ann may read this' AS t;
GRANT SELECT, INSERT ON TABLE tutorial_db.data_schema.for_ann TO ROLE first_door;
CREATE TABLE tutorial_db.data_schema.for_service AS SELECT 'only the owner' AS t;
USE SCHEMA tutorial_db.data_schema
"""


@dataclass
class Neighbourhood:
    """Two services with doors, three people, and what they show at them."""

    cave: Snowcave
    admin: Any
    hosts: dict[str, str]
    sessions: dict[str, Any]
    key: rsa.RSAPrivateKey
    key_file: Path
    shown: list[str] = field(default_factory=list[str])

    def secret(self, text: str) -> str:
        """It will be looked for in the logs."""
        self.shown.append(text)
        return text

    def token(self, user: str) -> str:
        return self.secret(self.sessions[user].rest.token)

    def open(self, door: str, token: str = "", path: str = "/told") -> Reply:
        return call(self.hosts[door], path, token=token)

    def status(self, door: str, token: str = "") -> int:
        return self.open(door, token).status

    def signed(self, user: str, **claims: Any) -> str:
        mark = public_keys.fingerprint(public(self.key))
        now = datetime.now(UTC)
        said = {
            "iss": f"LOCAL-SNOWCAVE.{user}.{mark}",
            "sub": f"LOCAL-SNOWCAVE.{user}",
            "iat": now,
            "exp": now + timedelta(seconds=60),
            **claims,
        }
        return self.secret(jwt.encode(said, self.key, algorithm="RS256"))

    def trade(self, door: str, role: str = "", **form: str) -> tuple[int, str]:
        """At /oauth/token, with curl."""
        scope = f"session:role:{role} {self.hosts[door]}" if role else self.hosts[door]
        fields = {"scope": scope, **form}
        options = [
            word for item in fields.items() for word in ("--data-urlencode", "=".join(item))
        ]
        status, body = curl(f"http://127.0.0.1:{self.cave.mesh.port('api')}/oauth/token", *options)
        if status == 200:
            self.secret(body)
        return status, body

    def by_jwt(self, door: str, user: str, role: str = "") -> str:
        status, body = self.trade(door, role, grant_type=BY_JWT, assertion=self.signed(user))
        assert status == 200, body
        return body

    def access_token(self, user: str, name: str, options: str = "") -> str:
        sql = f"ALTER USER {user} ADD PROGRAMMATIC ACCESS TOKEN {name} {options}"
        return self.secret(rows(self.admin, sql)[0]["token_secret"])

    def sign_in(self, door: str, user: str, password: str) -> tuple[int, str]:
        """By the form, with curl: the status, and the cookie that came with it."""
        url = f"http://{self.hosts[door]}/sfc-endpoint/login"
        _, page = curl(url, "-i")
        csrf = page.partition("snowcave-ingress-csrf=")[2].partition(";")[0]
        form = {"user": user, "password": password, "csrf": csrf, "next": "/told"}
        fields = [word for item in form.items() for word in ("--data-urlencode", "=".join(item))]
        status, answer = curl(url, "-i", "-b", f"snowcave-ingress-csrf={csrf}", *fields)
        return status, self.secret(answer.partition("snowcave-ingress-auth=")[2].partition(";")[0])

    def errand(self, token: str, *sql: str, who: str = "caller") -> dict[str, Any]:
        order = {"as": who, "sql": list(sql)}
        reply = call(self.hosts["run"], "/query", token=token, method="POST", body=order)
        assert reply.status == 200, reply
        return reply.json()


def public(private: rsa.RSAPrivateKey) -> str:
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def curl(url: str, *options: str) -> tuple[int, str]:
    command = ["curl", "-sS", "-m", "60", "-w", "\n%{http_code}", *options, url]
    done = subprocess.run(
        command, capture_output=True, text=True, env=clean_environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.fixture(scope="module")
def street(
    tutorial: Snowcave,
    others: Any,
    connector_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Neighbourhood]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key_file = tmp_path_factory.mktemp("key") / "key.p8"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    key_file.write_bytes(pem)
    with tutorial_session(tutorial) as owner, tutorial.connect() as admin:
        for statement in statements(PEOPLE):
            admin.cursor().execute(statement)
        admin.cursor().execute("USE ROLE ACCOUNTADMIN")
        admin.cursor().execute(f"ALTER USER ann SET RSA_PUBLIC_KEY='{public(key)}'")
        owner.cursor().execute(DOORS)
        owner.cursor().execute(ERRANDS)
        for role, grantee in (("to_first", "first_door"), ("to_second", "second_door")):
            owner.cursor().execute(f"GRANT SERVICE ROLE doors!{role} TO ROLE {grantee}")
        owner.cursor().execute("GRANT SERVICE ROLE errands!ALL_ENDPOINTS_USAGE TO ROLE first_door")
        sessions = {
            user: tutorial.connect(user=user, password=PASSWORD) for user in ("ann", "ben", "eve")
        }
        wait_ready(owner, "doors", "errands")
        hosts = {
            row["name"]: row["ingress_url"]
            for service in ("doors", "errands")
            for row in rows(owner, f"SHOW ENDPOINTS IN SERVICE {service}")
        }
        made = Neighbourhood(tutorial, admin, hosts, sessions, key, key_file)
        for door, user in (("first", "ann"), ("second", "ben")):
            until(lambda door=door, user=user: made.status(door, made.token(user)) == 200, SOON)
        until(lambda: made.open("run", made.token("ann")).status not in (403, 502, 503), SOON)
        yield made
        for session in sessions.values():
            session.close()
        for service in ("doors", "errands"):
            owner.cursor().execute(f"DROP SERVICE {service}")


# ---------------------------------------------------------------- tutorial 6: doors for some


@pytest.mark.documented
@pytest.mark.parametrize(
    ("user", "first", "second"), [("ann", 200, 403), ("ben", 403, 200), ("eve", 403, 403)]
)
def test_each_grantee_opens_the_endpoint_of_their_service_role(
    street: Neighbourhood, user: str, first: int, second: int
):
    token = street.token(user)
    assert (street.status("first", token), street.status("second", token)) == (first, second)


@pytest.mark.documented
def test_a_role_that_is_granted_opens_and_one_that_is_revoked_closes(street: Neighbourhood):
    token, cursor = street.token("eve"), street.admin.cursor()
    cursor.execute("GRANT ROLE second_door TO USER eve")
    try:
        until(lambda: street.status("second", token) == 200, SOON)
        assert street.status("first", token) == 403
    finally:
        cursor.execute("REVOKE ROLE second_door FROM USER eve")
    until(lambda: street.status("second", token) == 403, SOON)


@pytest.mark.documented
def test_the_service_hears_who_asks_and_nothing_that_the_client_made_up(street: Neighbourhood):
    lies = [
        word
        for name in ("User", "User-Token", "User-Email")
        for word in (
            "-H",
            f"Sf-Context-Current-{name}: FORGED",
            "-H",
            f"sf_context_current_{name}: FORGED",
        )
    ]
    token = street.token("ann")
    asked = ("-H", f'Authorization: Snowflake Token="{token}"', "-H", "Cookie: mine=1", *lies)
    status, body = curl(f"http://{street.hosts['first']}/told", *asked)
    assert status == 200
    assert json.loads(body) == {"Sf-Context-Current-User": "ANN", "Cookie": "mine=1"}


# ---------------------------------------------------------------- tutorial 7: the caller's rights


@pytest.mark.documented
def test_a_service_acts_for_its_caller_within_what_both_may(street: Neighbourhood):
    read, write, own = (
        "SELECT t FROM for_ann",
        "INSERT INTO for_ann VALUES ('more')",
        "SELECT t FROM for_service",
    )
    cursor, token = street.admin.cursor(), street.token("ann")
    done = street.errand(token, read, write, own)
    assert done["who"] == ["ANN", "FIRST_DOOR"]
    assert done["answers"] == [2003, 2003, 2003], "nothing was left by caller grants"
    grants = (
        "CALLER USAGE ON DATABASE tutorial_db",
        "CALLER USAGE ON SCHEMA tutorial_db.data_schema",
        "INHERITED CALLER SELECT ON ALL TABLES IN SCHEMA tutorial_db.data_schema",
    )
    for grant in grants:
        cursor.execute(f"GRANT {grant} TO ROLE test_role")
    try:
        done = street.errand(token, read, write, own)
        assert done["answers"] == [[["ann may read this"]], 2003, 2003]
        more = street.errand(token, "USE ROLE test_role", "USE SECONDARY ROLES ALL", "SHOW USERS")
        assert more["answers"][0] == 3001
        # As itself the service has its owner's rights, and none of the caller's.
        done = street.errand(token, read, own, who="service")
        assert done["who"] == ["ERRANDS", "TEST_ROLE"]
        assert done["answers"] == [[["ann may read this"]], [["only the owner"]]]
    finally:
        for grant in grants:
            cursor.execute(f"REVOKE {grant} FROM ROLE test_role")
    until(lambda: street.errand(token, read)["answers"] == [2003], SOON)


@pytest.mark.documented
def test_a_callers_token_counts_beside_the_services_own_only(street: Neighbourhood):
    token = street.token("ann")
    assert street.errand(token, who="caller alone") == {"failed": 390303}
    assert street.errand(token, who=f"{'0' * 64}.{'0' * 64}") == {"failed": 390303}


# ---------------------------------------------------------------- tutorial 8: programs


@pytest.mark.documented
def test_a_jwt_is_traded_for_a_token_of_one_endpoint_and_one_role(street: Neighbourhood):
    token = street.by_jwt("first", "ANN", "FIRST_DOOR")
    assert street.open("first", token).json()["Sf-Context-Current-User"] == "ANN"
    assert street.status("second", token) == 401, "it is another endpoint's"
    assert street.status("run", token) == 401
    # The default role, where none is named.
    assert street.status("first", street.by_jwt("first", "ANN")) == 200
    # In a role that may not, the same user may not.
    assert street.status("first", street.by_jwt("first", "ANN", "PUBLIC")) == 403
    login = CONNECTOR4.execute
    with pytest.raises(AssertionError, match="390303"):
        login(street.cave, ["SELECT 1"], authenticator="oauth", token=token, password="", user="")


@pytest.mark.documented
def test_what_is_no_good_is_traded_for_nothing(street: Neighbourhood):
    old = street.signed("ANN", exp=datetime(2020, 1, 1, tzinfo=UTC))
    assert street.trade("first", grant_type=BY_JWT, assertion=old)[0] == 400
    assert street.trade("first", grant_type=BY_JWT, assertion=street.signed("BEN"))[0] == 400
    role = street.trade("first", "SECOND_DOOR", grant_type=BY_JWT, assertion=street.signed("ANN"))
    assert role[0] == 400
    once = street.signed("ANN", jti="the only one")
    assert [street.trade("first", grant_type=BY_JWT, assertion=once)[0] for _ in range(2)] == [
        200,
        400,
    ]


@pytest.mark.documented
def test_an_access_token_opens_and_is_traded_until_it_is_removed(street: Neighbourhood):
    secret = street.access_token("ann", "errand")
    assert street.status("first", secret) == 200
    traded = {"grant_type": BY_TOKEN, "subject_token_type": "programmatic_access_token"}
    status, token = street.trade("first", subject_token=secret, **traded)
    assert status == 200
    assert street.status("first", token) == 200
    street.admin.cursor().execute("ALTER USER ann REMOVE PAT errand")
    until(lambda: street.status("first", secret) == 401, SOON)
    assert street.trade("first", subject_token=secret, **traded)[0] == 400


@pytest.mark.documented
def test_an_access_token_for_one_role_opens_what_that_role_may(street: Neighbourhood):
    cursor = street.admin.cursor()
    cursor.execute("GRANT ROLE second_door TO USER ann")
    try:
        secret = street.access_token("ann", "narrow", "ROLE_RESTRICTION='SECOND_DOOR'")
        until(lambda: street.status("second", secret) == 200, SOON)
        assert street.status("first", secret) == 403
        # A trade for a role that it does not count for.
        status, _ = street.trade(
            "first",
            "FIRST_DOOR",
            grant_type=BY_TOKEN,
            subject_token_type="programmatic_access_token",
            subject_token=secret,
        )
        assert status == 400
    finally:
        cursor.execute("REVOKE ROLE second_door FROM USER ann")
    until(lambda: street.status("second", secret) == 401, SOON)


@pytest.mark.documented
@pytest.mark.parametrize("connector", [CONNECTOR4, CONNECTOR5], ids=["4.7", "5"])
def test_connectors_log_in_by_every_method(street: Neighbourhood, connector: Any):
    secret = street.access_token("ann", f"for_{connector.name}")
    methods: list[dict[str, Any]] = [
        {"password": PASSWORD},
        {"password": secret},
        {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": secret, "password": None},
        {
            "authenticator": "SNOWFLAKE_JWT",
            "private_key_file": str(street.key_file),
            "password": None,
        },
    ]
    for method in methods:
        given = {name: value for name, value in method.items() if value is not None}
        arguments = street.cave.api(user="ANN", **PLACE)
        del arguments["password"]
        order = {"connect": {**arguments, **given}, "statements": ["SELECT CURRENT_USER()"]}
        answers = connector.run("session.py", order)
        assert answers["results"][0]["rows"] == [["ANN"]], method
        assert answers["context"][0] == "FIRST_DOOR"


@pytest.mark.documented
def test_a_session_that_is_closed_or_whose_user_is_disabled_opens_nothing(street: Neighbourhood):
    closed = street.cave.connect(user="ann", password=PASSWORD)
    token = street.secret(closed.rest.token)
    assert street.status("first", token) == 200
    closed.close()
    until(lambda: street.status("first", token) == 401, SOON)
    own, cursor = street.token("ben"), street.admin.cursor()
    cursor.execute("ALTER USER ben SET DISABLED=TRUE")
    try:
        until(lambda: street.status("second", own) == 401, SOON)
    finally:
        cursor.execute("ALTER USER ben SET DISABLED=FALSE")
    until(lambda: street.status("second", own) == 200, SOON)


@pytest.mark.documented
def test_a_cookie_counts_at_its_own_endpoint_until_one_signs_out(street: Neighbourhood):
    status, cookie = street.sign_in("first", "ann", PASSWORD)
    assert status == 303
    held = ("-b", f"mine=1; snowcave-ingress-auth={cookie}")
    first, second = (f"http://{street.hosts[door]}/told" for door in ("first", "second"))
    status, body = curl(first, *held)
    assert status == 200
    assert json.loads(body) == {"Sf-Context-Current-User": "ANN", "Cookie": "mine=1"}
    assert curl(second, *held)[0] == 401
    assert street.status("first", cookie) == 200, "as a token it is as good, at that host"
    assert curl(first, *held, "-H", "Origin: http://evil.example")[0] == 401
    assert curl(f"http://{street.hosts['first']}/sfc-endpoint/logout", *held)[0] == 200
    until(lambda: curl(first, *held)[0] == 401, SOON)
    assert curl(first, *held, "-H", "Accept: text/html")[0] == 302
    assert street.sign_in("first", "ann", "not-hers") == (401, "")


# ---------------------------------------------------------------- a browser


@pytest.mark.documented
async def test_a_browser_signs_in_talks_over_a_websocket_and_signs_out(
    street: Neighbourhood, tmp_path: Path
):
    host = street.hosts["first"]
    async with chromium(tmp_path) as tab:
        await tab.open(f"http://{host}/")
        await tab.wait("document.title == 'Sign in'")
        await tab.fill(user="ann", password=PASSWORD)
        await tab.wait("document.title == 'Connected'")
        assert await tab.evaluate("document.cookie") == "", "scripts see no cookie of ours"
        await tab.fill(said="from Chromium")
        await tab.wait("document.getElementById('heard').innerText == '8000: from Chromium'")
        await tab.screenshot("endpoint-websocket")
        await tab.open(f"http://{street.hosts['second']}/")
        await tab.wait("document.title == 'Sign in'")
        await tab.fill(user="ann", password=PASSWORD)
        await tab.wait("document.title == 'Access denied'")
        await tab.evaluate("document.querySelector('main a').click()")
        await tab.wait("document.title == 'Sign in'")
        await tab.open(f"http://{host}/sfc-endpoint/logout")
        await tab.wait("document.title == 'Signed out'")
        await tab.evaluate("document.querySelector('main a').click()")
        await tab.wait("document.title == 'Sign in'")
        await tab.open(f"http://{host}/")
        await tab.wait("document.title == 'Sign in'")


@pytest.mark.ours
async def test_the_domain_shows_a_browser_what_it_may_open(street: Neighbourhood, tmp_path: Path):
    mesh, host = street.cave.mesh, street.hosts["first"]
    async with chromium(tmp_path) as tab:
        await tab.open(f"http://localhost:{mesh.port('api')}/")
        await tab.wait("document.title == 'Snowcave API'")
        assert (await tab.screenshot("api-root")).stat().st_size > 0
        await tab.evaluate("document.querySelector('header a').click()")
        await tab.wait("document.title == 'Snowcave'")
        await tab.evaluate("document.querySelector('header a').click()")
        await tab.wait("document.title == 'Sign in'")
        await tab.screenshot("sign-in")
        await tab.fill(user="ann", password=PASSWORD)
        await tab.wait("document.querySelectorAll('tbody tr').length >= 2")
        await tab.screenshot("ingress-root")
        shown = await tab.evaluate("document.body.innerText")
        assert "TUTORIAL_DB.DATA_SCHEMA.DOORS" in shown
        assert host in shown
        assert street.hosts["second"] not in shown
    assert (artefacts() / "ingress-root.png").read_bytes().startswith(b"\x89PNG")


# ---------------------------------------------------------------- at the end: what was logged


@pytest.mark.ours
def test_no_log_holds_a_secret_and_all_tell_of_logins(street: Neighbourhood):
    """The last one: of everything that was shown in this module."""
    street.by_jwt("first", "ANN")
    street.errand(street.token("ann"))
    assert street.sign_in("first", "ann", PASSWORD)[0] == 303
    assert street.sign_in("first", "ann", street.secret("a-Wrong-One-2"))[0] == 401
    assert street.status("second", street.token("ann")) == 403
    private = street.key_file.read_text().splitlines()[1]
    secrets = {PASSWORD, street.cave.password, private, *street.shown} - {""}
    logs = street.cave.logs()
    for name, text in logs.items():
        found = [secret for secret in secrets if secret in text]
        assert not found, f"{name} has {len(found)} secrets in its log"
    for event in (
        "session_opened",
        "signed_in",
        "token_exchanged",
        "caller_token_issued",
        "login_failed",
    ):
        assert event in logs["api"], event
    assert "endpoint_refused" in logs["ingress"]
