"""The echo tutorial, step by step, with the clients that people use: Docker and SQL.

May be run again: what stands already is left as it is.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import snowflake.connector

from snowcave.cli.supervisor.engine import MACHINE_SOCKET
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.settings import read_mesh

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest"
READY_WITHIN = 120.0

SETUP = """
CREATE ROLE IF NOT EXISTS test_role;
GRANT ROLE test_role TO USER admin;
CREATE DATABASE IF NOT EXISTS tutorial_db;
GRANT OWNERSHIP ON DATABASE tutorial_db TO ROLE test_role COPY CURRENT GRANTS;
CREATE WAREHOUSE IF NOT EXISTS tutorial_warehouse WITH WAREHOUSE_SIZE='X-SMALL';
GRANT USAGE ON WAREHOUSE tutorial_warehouse TO ROLE test_role;
GRANT BIND SERVICE ENDPOINT ON ACCOUNT TO ROLE test_role;
CREATE COMPUTE POOL IF NOT EXISTS tutorial_compute_pool
  MIN_NODES = 1 MAX_NODES = 1 INSTANCE_FAMILY = CPU_X64_XS;
GRANT USAGE, MONITOR ON COMPUTE POOL tutorial_compute_pool TO ROLE test_role;
USE ROLE test_role;
USE DATABASE tutorial_db;
USE WAREHOUSE tutorial_warehouse;
CREATE SCHEMA IF NOT EXISTS data_schema;
USE SCHEMA data_schema;
CREATE IMAGE REPOSITORY IF NOT EXISTS tutorial_repository;
"""

SERVICE = """
CREATE SERVICE IF NOT EXISTS echo_service
  IN COMPUTE POOL tutorial_compute_pool
  FROM SPECIFICATION $$
    spec:
      containers:
      - name: echo
        image: /tutorial_db/data_schema/tutorial_repository/my_echo_service_image:latest
        env:
          SERVER_PORT: 8000
          CHARACTER_NAME: Bob
        readinessProbe:
          port: 8000
          path: /healthcheck
      endpoints:
      - name: echoendpoint
        port: 8000
        public: true
      $$
  MIN_INSTANCES=1
  MAX_INSTANCES=1
"""

FUNCTION = """
CREATE FUNCTION IF NOT EXISTS my_echo_udf (InputText varchar)
  RETURNS varchar
  SERVICE=echo_service
  ENDPOINT=echoendpoint
  AS '/echo'
"""


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def connect(mesh: Mesh) -> Any:
    return snowflake.connector.connect(
        account=f"{mesh.organization}-{mesh.account}",
        user="ADMIN",
        password=password(mesh),
        host="127.0.0.1",
        port=mesh.port("api"),
        protocol="http",
    )


def password(mesh: Mesh) -> str:
    return (mesh.home / "admin.password").read_text().strip()


def rows(cursor: Any, sql: str) -> list[dict[str, Any]]:
    cursor.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def wait(subject: str, look: Callable[[], tuple[bool, str]]) -> None:
    """Until `look` says so; tells what it sees whenever that changes."""
    deadline = time.monotonic() + READY_WITHIN
    told = ""
    while True:
        done, seen = look()
        if seen != told:
            say(f"{subject}: {seen}")
            told = seen
        if done:
            return
        if time.monotonic() > deadline:
            sys.exit(
                f"{subject} is still {seen} after {READY_WITHIN:.0f} s. See `snowcave status`."
            )
        time.sleep(0.2)


def docker_host(mesh: Mesh) -> str:
    """The engine that Snowcave uses: the machine's, or its own."""
    own = (mesh.home / "engine").exists()
    return f"unix://{mesh.engine_socket or (mesh.own_engine_socket if own else MACHINE_SOCKET)}"


def push_image(mesh: Mesh) -> None:
    """Build the image from Debian packages and push it as anybody would: docker login, docker push."""
    docker = ["docker", "--host", docker_host(mesh)]
    tag = f"{mesh.registry_host}/{IMAGE}"
    with tempfile.TemporaryDirectory(prefix="snowcave-quickstart-") as folder:
        tar = Path(folder) / "echo.tar"
        service = ROOT / "deploy/images/echo/echo_service.py"
        builder = [sys.executable, str(ROOT / "deploy/images/rootfs.py"), str(tar)]
        run([*builder, "--package", "python3", "--file", f"{service}:/app/echo_service.py"])
        command = 'CMD ["/usr/bin/python3", "/app/echo_service.py"]'
        run([*docker, "import", "--change", command, str(tar), tag])
        # Credentials go into a folder of this run, not into the user's own.
        docker.insert(1, f"--config={folder}")
        run(
            [*docker, "login", mesh.registry_host, "--username", "admin", "--password-stdin"],
            stdin=password(mesh),
        )
        run([*docker, "push", "--quiet", tag])


def run(command: list[str], stdin: str = "") -> None:
    ended = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        name = " ".join(command[:1] + [word for word in command[1:4] if not word.startswith("-")])
        sys.exit(f"{name} failed:\n{ended.stdout}{ended.stderr}")


def tutorial(mesh: Mesh) -> None:
    with connect(mesh) as connection:
        cursor = connection.cursor()
        say("setting up: role, warehouse, database, compute pool, image repository")
        for statement in SETUP.strip().split(";\n"):
            cursor.execute(statement.rstrip(";"))
        if not rows(cursor, "SHOW IMAGES IN IMAGE REPOSITORY tutorial_repository"):
            say("building my_echo_service_image from Debian packages and pushing it")
            push_image(mesh)
        wait("compute pool", lambda: pool_state(cursor))
        cursor.execute(SERVICE)
        wait("service", lambda: service_state(cursor))
        cursor.execute(FUNCTION)
        (answer,) = cursor.execute("SELECT my_echo_udf('hello!')").fetchone()
        print(f"\n  SELECT my_echo_udf('hello!')\n  → \033[1m{answer}\033[0m\n", flush=True)


def pool_state(cursor: Any) -> tuple[bool, str]:
    (pool,) = rows(cursor, "DESCRIBE COMPUTE POOL tutorial_compute_pool")
    return pool["state"] in ("ACTIVE", "IDLE"), pool["state"]


def service_state(cursor: Any) -> tuple[bool, str]:
    (container, *_) = rows(cursor, "SHOW SERVICE CONTAINERS IN SERVICE echo_service")
    seen = f"{container['status']}: {container['message']}" if container["status"] else "PENDING"
    return container["status"] == "READY", seen


def how_to_go_on(mesh: Mesh) -> str:
    with connect(mesh) as connection:
        sql = "SHOW ENDPOINTS IN SERVICE tutorial_db.data_schema.echo_service"
        (endpoint, *_) = rows(connection.cursor(), sql)
    home = "" if str(mesh.home) == "/var/lib/snowcave" else f" --home {mesh.home}"
    page, secret = f"http://{endpoint['ingress_url']}/ui", mesh.home / "admin.password"
    program = ROOT / ".venv/bin/snowcave"
    return f"""
  The service's page     {page}
  API                    http://127.0.0.1:{mesh.port("api")}
  Registry               {mesh.registry_host}

  User ADMIN, the password is in {secret}

  Browser                open the page above and sign in
  Python connector       snowflake.connector.connect(
                           account="{mesh.organization}-{mesh.account}", user="ADMIN",
                           password=open("{secret}").read().strip(),
                           host="127.0.0.1", port={mesh.port("api")}, protocol="http")
  Docker                 export DOCKER_HOST={docker_host(mesh)}
                         docker login {mesh.registry_host} -u admin --password-stdin < {secret}
  SQL shell              {program} sql{home}
  Status                 {program} status{home}
  Stop                   {program} down{home}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--how-to-go-on", action="store_true")
    options = parser.parse_args()
    # The connector would send requests for this machine through the shell's proxy.
    for name in ("NO_PROXY", "no_proxy"):
        own = [os.environ[name]] if os.environ.get(name) else []
        os.environ[name] = ",".join([*own, "127.0.0.1", "localhost", ".localhost"])
    os.environ["SNOWFLAKE_DISABLE_PLATFORM_DETECTION"] = "true"
    mesh = read_mesh(options.home, {})
    if options.how_to_go_on:
        print(how_to_go_on(mesh))
    else:
        tutorial(mesh)


if __name__ == "__main__":
    main()
