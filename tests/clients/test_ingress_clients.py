"""The gateway seen by curl, Python's requests and a browser."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kit.browser import OPTIONS, chromium
from tests.kit.clients import (
    CONNECTOR4,
    Fleet,
    call,
    endpoint,
    ingress_host,
    probe_container,
    service_sql,
    wait_ready,
)
from tests.kit.mesh import clean_environment, run, until

pytestmark = pytest.mark.docker

CREATE_ECHO = """CREATE SERVICE page IN COMPUTE POOL wide_pool FROM SPECIFICATION $$
spec:
  containers:
  - name: echo
    image: /tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest
    env:
      CHARACTER_NAME: Bob
    readinessProbe:
      port: 8080
      path: /healthcheck
  endpoints:
  - name: ui
    port: 8080
    public: true
$$"""


@pytest.fixture(scope="module")
def page(fleet: Fleet) -> str:
    """host:port of the tutorial's page."""
    fleet.session.cursor().execute(CREATE_ECHO)
    wait_ready(fleet.session, "page")
    return ingress_host(fleet.session, "page")


def curl(url: str, *options: str) -> tuple[int, str]:
    """Status and body. curl finds *.localhost by itself."""
    done = subprocess.run(
        ["curl", "-sS", "-m", "30", "-w", "\n%{http_code}", *options, url],
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def bearing(token: str) -> tuple[str, str]:
    return "-H", f'Authorization: Snowflake Token="{token}"'


@pytest.mark.documented
def test_curl_gets_the_page_with_a_token(fleet: Fleet, page: str):
    status, body = curl(f"http://{page}/ui", *bearing(fleet.token))
    assert status == 200
    assert "Welcome to echo service!" in body


@pytest.mark.ours
def test_curl_gets_401_without_a_token_and_with_a_wrong_one(fleet: Fleet, page: str):
    assert curl(f"http://{page}/ui")[0] == 401
    assert curl(f"http://{page}/ui", *bearing("nothing"))[0] == 401


@pytest.mark.documented
def test_curl_gets_403_as_a_user_whose_roles_hold_nothing(fleet: Fleet, page: str, others: Any):
    status, body = curl(f"http://{page}/ui", *bearing(others.rest.token))
    assert status == 403
    assert "Welcome" not in body


@pytest.mark.documented
def test_a_service_role_lets_another_user_in(fleet: Fleet, page: str, others: Any):
    ask = ["http://" + page + "/ui", *bearing(others.rest.token)]
    role = "SERVICE ROLE page!ALL_ENDPOINTS_USAGE {} ROLE other_role"
    fleet.session.cursor().execute(f"GRANT {role.format('TO')}")
    try:
        until(lambda: curl(*ask)[0] == 200, 20)
    finally:
        fleet.session.cursor().execute(f"REVOKE {role.format('FROM')}")
    until(lambda: curl(*ask)[0] == 403, 20)


@pytest.mark.ours
def test_curl_verifies_tls_on_the_same_port(fleet: Fleet, page: str):
    authority = fleet.cave.mesh.folder("tls") / "ca.pem"
    status, body = curl(f"https://{page}/ui", "--cacert", str(authority), *bearing(fleet.token))
    assert status == 200, body


@pytest.mark.documented
def test_the_service_is_told_who_asks_whatever_the_client_says(fleet: Fleet, page: str):
    lie = ("-H", "Sf-Context-Current-User: SOMEBODY")
    status, body = curl(f"http://{page}/whoami", *bearing(fleet.token), *lie)
    assert status == 200
    assert json.loads(body)["Sf-Context-Current-User"] == "ADMIN"


@pytest.mark.documented
def test_requests_call_with_an_issued_token_as_documented(fleet: Fleet, page: str):
    orders = [
        {"url": f"http://{page}/ui", "token": True},
        {"url": f"http://{page}/ui"},
        {
            "method": "POST",
            "url": f"http://{page}/echo",
            "json": {"data": [[0, "requests"]]},
            "token": True,
        },
    ]
    order = {"connect": fleet.cave.api(), "requests": orders}
    with_token, without, echoed = CONNECTOR4.run("ingress_session.py", order)["answers"]
    assert (with_token["status"], without["status"]) == (200, 401)
    assert json.loads(echoed["body"]) == {"data": [[0, "Bob said requests"]]}


@pytest.mark.documented
def test_requests_sign_in_by_the_form(fleet: Fleet, page: str):
    order = {"connect": fleet.cave.api(), "sign_in": [{"url": f"http://{page}/ui"}]}
    (seen,) = CONNECTOR4.run("ingress_session.py", order)["pages"]
    assert "Sign in to Snowcave" in seen["login"]
    assert (seen["status"], seen["url"]) == (200, f"http://{page}/ui")
    assert "Welcome to echo service!" in seen["body"]


@pytest.mark.documented
async def test_a_browser_signs_in_and_uses_the_page(fleet: Fleet, page: str, tmp_path: Path):
    async with chromium(tmp_path) as tab:
        # As the list of endpoints at the domain names it.
        await tab.open(f"http://{page}/")
        await tab.wait("document.title == 'Sign in'")
        await tab.fill(user="ADMIN", password="not this")
        await tab.wait("document.body.innerText.includes('Incorrect username or password')")
        await tab.fill(user="ADMIN", password=fleet.cave.password)
        await tab.wait("document.body.innerText.includes('Welcome to echo service!')")
        await tab.fill(input="from Chromium")
        await tab.wait("document.body.innerText.includes('Output: Bob said from Chromium')")
        assert await tab.evaluate("location.host") == page


@pytest.mark.documented
def test_a_browser_is_sent_to_sign_in(page: str, tmp_path: Path):
    url = f"http://{page}/ui"
    dump = run("chromium", *OPTIONS, f"--user-data-dir={tmp_path}", "--dump-dom", url)
    assert "Sign in to Snowcave" in dump
    reply = call(page, "/ui")
    assert reply.status == 401


@pytest.mark.ours
def test_an_unknown_host_is_404(fleet: Fleet):
    port = fleet.cave.mesh.port("ingress")
    assert curl(f"http://nobody-local-snowcave.localhost:{port}/", *bearing(fleet.token))[0] == 404


@pytest.mark.documented
def test_the_host_survives_suspend_and_resume(fleet: Fleet):
    cursor = fleet.session.cursor()
    sql = service_sql("lasting", probe_container(), endpoint("ui", 8000, public=True))
    cursor.execute(sql)
    wait_ready(fleet.session, "lasting")
    host = ingress_host(fleet.session, "lasting")
    until(lambda: call(host, token=fleet.token).status == 200, 10)
    cursor.execute("ALTER SERVICE lasting SUSPEND")
    until(lambda: call(host, token=fleet.token).status == 503, 20)
    cursor.execute("ALTER SERVICE lasting RESUME")
    until(lambda: call(host, token=fleet.token).status == 200, 60)
    assert ingress_host(fleet.session, "lasting") == host
    cursor.execute("DROP SERVICE lasting")
    until(lambda: call(host, token=fleet.token).status == 404, 20)
