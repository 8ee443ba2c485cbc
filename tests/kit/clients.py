"""What the clients' tests set up on their mesh, and how they look at it from outside and from inside."""

import http.client
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.kit.mesh import Connector, Snowcave, rows, until

IMAGE = "tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest"
CONNECTOR_IMAGE = "tutorial_db/data_schema/tutorial_repository/job:latest"
CONNECTOR4, CONNECTOR5 = Connector("connector4"), Connector("connector5")
READY = 120.0

# Common set-up of Snowflake's tutorials.
SETUP = """
CREATE ROLE test_role;
CREATE DATABASE IF NOT EXISTS tutorial_db;
GRANT OWNERSHIP ON DATABASE tutorial_db TO ROLE test_role COPY CURRENT GRANTS;
CREATE OR REPLACE WAREHOUSE tutorial_warehouse WITH WAREHOUSE_SIZE='X-SMALL';
GRANT USAGE ON WAREHOUSE tutorial_warehouse TO ROLE test_role;
GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE test_role;
CREATE COMPUTE POOL tutorial_compute_pool MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS;
GRANT USAGE, MONITOR ON COMPUTE POOL tutorial_compute_pool TO ROLE test_role;
GRANT ROLE test_role TO USER admin;
USE ROLE test_role;
USE DATABASE tutorial_db;
USE WAREHOUSE tutorial_warehouse;
CREATE SCHEMA IF NOT EXISTS data_schema;
CREATE IMAGE REPOSITORY IF NOT EXISTS tutorial_repository;
CREATE STAGE IF NOT EXISTS tutorial_stage DIRECTORY = ( ENABLE = true )
"""

# Somebody else, who may run services here but owns none of the tutorial's.
OTHERS = """
CREATE ROLE other_role;
CREATE USER other_user PASSWORD='Another-Secret-1' DEFAULT_ROLE=other_role;
GRANT ROLE other_role TO USER other_user;
GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE other_role;
CREATE COMPUTE POOL wide_pool MIN_NODES = 2 MAX_NODES = 2 INSTANCE_FAMILY = CPU_X64_S;
GRANT USAGE, MONITOR, OPERATE ON COMPUTE POOL wide_pool TO ROLE test_role;
GRANT SELECT ON EVENT TABLE snowflake.telemetry.events TO ROLE test_role;
GRANT USAGE, MONITOR ON COMPUTE POOL wide_pool TO ROLE other_role;
USE ROLE test_role;
GRANT USAGE ON DATABASE tutorial_db TO ROLE other_role;
GRANT USAGE, CREATE SERVICE ON SCHEMA tutorial_db.data_schema TO ROLE other_role;
GRANT READ ON IMAGE REPOSITORY tutorial_db.data_schema.tutorial_repository TO ROLE other_role
"""
OTHER_USER = {"user": "OTHER_USER", "password": "Another-Secret-1"}
PLACE = {"database": "TUTORIAL_DB", "schema": "DATA_SCHEMA"}


def statements(text: str) -> list[str]:
    return [statement.strip() for statement in text.split(";\n")]


@contextmanager
def tutorial_session(cave: Snowcave) -> Generator[Any]:
    """TEST_ROLE at work in the tutorial's schema."""
    with cave.connect(role="TEST_ROLE", warehouse="TUTORIAL_WAREHOUSE", **PLACE) as connection:
        yield connection


def containers(session: Any, service: str) -> list[dict[str, Any]]:
    return rows(session, f"SHOW SERVICE CONTAINERS IN SERVICE {service}")


def status(session: Any, service: str) -> str:
    return rows(session, f"DESC SERVICE {service}")[0]["status"]


def is_ready(session: Any, service: str) -> bool:
    return all(container["status"] == "READY" for container in containers(session, service))


def wait_ready(session: Any, *services: str) -> None:
    """All containers of the services are READY."""
    for service in services:
        until(lambda service=service: is_ready(session, service), READY)


def service_sql(name: str, containers: str, endpoints: str = "", rest: str = "") -> str:
    """CREATE SERVICE in WIDE_POOL; `containers` and `endpoints` are items of YAML lists."""
    spec = f"spec:\n  containers:\n{containers}"
    if endpoints:
        spec += f"  endpoints:\n{endpoints}"
    return (
        f"CREATE SERVICE {name} IN COMPUTE POOL wide_pool FROM SPECIFICATION $$\n{spec}$$ {rest}"
    )


def probe_container(name: str = "probe", *arguments: str, more: str = "") -> str:
    """A container that runs programs/probe.py; `more` are further lines of its specification."""
    words = ", ".join(f'"{word}"' for word in (arguments or ("8000",)))
    return (
        f"  - name: {name}\n    image: /{IMAGE}\n"
        '    command: ["/usr/bin/python3", "/app/probe.py"]\n'
        f"    args: [{words}]\n{more}"
    )


def endpoint(name: str, port: int, *, public: bool = False) -> str:
    return f"  - name: {name}\n    port: {port}\n    public: {str(public).lower()}\n"


def ingress_host(session: Any, service: str) -> str:
    """host:port of the service's first public endpoint."""
    shown = rows(session, f"SHOW ENDPOINTS IN SERVICE {service}")
    return next(row["ingress_url"] for row in shown if row["is_public"] == "true")


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: str = ""

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    host: str, path: str = "/", *, token: str = "", method: str = "GET", body: Any = None
) -> Reply:
    """One request through ingress, redirects not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", int(host.split(":")[1]), timeout=30)
    headers = {"Host": host}
    if token:
        headers["Authorization"] = f'Snowflake Token="{token}"'
    try:
        text = None if body is None else json.dumps(body).encode()
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.headers.items()), answer.read().decode())
    finally:
        connection.close()


@dataclass(frozen=True)
class Fleet:
    """Services that look around: PROBE (two containers), TWINS (two instances), STRANGER (another role's)."""

    cave: Snowcave
    session: Any
    token: str
    probe: str
    stranger: str

    def check(self, *checks: list[Any]) -> list[Any]:
        """What PROBE's first container finds."""
        reply = call(self.probe, "/checks", token=self.token, method="POST", body=list(checks))
        assert reply.status == 200, reply
        return reply.json()

    def addresses(self, service: str) -> list[str]:
        """Of the service's instances."""
        shown = rows(self.session, f"SHOW SERVICE INSTANCES IN SERVICE {service}")
        return sorted(row["ip_address"] for row in shown)

    @property
    def domain(self) -> str:
        """The tutorial schema's DNS domain."""
        (found,) = rows(self.session, "SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('DATA_SCHEMA') AS D")
        return found["D"]
