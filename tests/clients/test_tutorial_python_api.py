"""Tutorial 3 of Snowflake's Python API: an NGINX web server as a service, cell by cell.

Three slips of the document are corrected: what it prints as a service's status is a pool's; the endpoints
are read by get_endpoints(), for no model since snowflake.core 0.7 has `public_endpoints`; and the clean-up is
asked of the pool and the service, not of their definitions. Where the document sleeps, the test looks until
it is so.

The image is Debian's nginx, for none can be pulled from Docker Hub here.
"""

import re
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.kit.browser import chromium
from tests.kit.clients import CONNECTOR4, CONNECTOR5
from tests.kit.mesh import ROOT, Connector, Snowcave, run
from tests.kit.notebook import Notebook, notebook

pytestmark = [pytest.mark.docker, pytest.mark.documented]

NGINX = """
error_log /dev/stderr;
events {}
http {
  access_log /dev/stdout;
  server { listen 80; root /usr/share/nginx/html; }
}
"""
COMMAND = 'CMD ["/usr/sbin/nginx", "-c", "/etc/nginx/own.conf", "-g", "daemon off; user root;"]'


@pytest.fixture(scope="module")
def nginx(cave: Snowcave, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian's nginx in the engine, under the name that a pull from Docker Hub would give it."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "own.conf").write_text(NGINX)
    tar, conf = folder / "nginx.tar", f"{folder / 'own.conf'}:/etc/nginx/own.conf"
    rootfs = str(ROOT / "deploy/images/rootfs.py")
    run(sys.executable, rootfs, str(tar), "--package", "nginx-light", "--file", conf)
    cave.docker("import", "--change", COMMAND, str(tar), "amd64/nginx:latest")
    return "docker.io/amd64/nginx:latest"


@pytest.fixture(scope="module", params=[CONNECTOR5, CONNECTOR4], ids=lambda client: client.name)
def cells(cave: Snowcave, request: pytest.FixtureRequest) -> Generator[Notebook]:
    """The common set-up of the tutorials: the connection, and the `root` object."""
    client: Connector = request.param
    with notebook(client) as made:
        made.run(
            f"""
            import snowflake.connector
            from snowflake.core import Root

            connection = snowflake.connector.connect(**{cave.api()!r})
            root = Root(connection)
            """
        )
        yield made


async def test_an_nginx_server_is_managed_with_the_python_api(
    cave: Snowcave, cells: Notebook, nginx: str, tmp_path: Path
):
    # Set up your development environment
    cells.run(
        """
        from snowflake.core.database import Database
        from snowflake.core.schema import Schema

        database = root.databases.create(Database(name="spcs_python_api_db"), mode="orreplace")
        schema = database.schemas.create(Schema(name="public"), mode="orreplace")
        """
    )

    # Create an image repository
    name = cells.run(
        """
        from snowflake.core.image_repository import ImageRepository

        my_repo = ImageRepository("MyImageRepository")
        schema.image_repositories.create(my_repo)

        my_repo_res = schema.image_repositories["MyImageRepository"]
        my_repo = my_repo_res.fetch()
        print(my_repo.name)
        """
    )
    assert name == "MYIMAGEREPOSITORY"
    url = cells.run(
        """
        repositories = schema.image_repositories
        for repo_obj in repositories.iter():
            print(repo_obj.repository_url)
        """
    )
    assert url == f"{cave.mesh.registry_host}/spcs_python_api_db/public/myimagerepository"

    # Fetch the NGINX image and upload it to the repository
    registry = url.partition("/")[0]
    cave.docker("login", registry, "-u", "admin", "--password-stdin", stdin=cave.password)
    cave.docker("tag", nginx, f"{url}/amd64/nginx:latest")
    cave.docker("push", f"{url}/amd64/nginx:latest")

    # Create a compute pool
    cells.run(
        """
        from snowflake.core.compute_pool import ComputePool

        new_compute_pool_def = ComputePool(
            name="MyComputePool",
            instance_family="CPU_X64_XS",
            min_nodes=1,
            max_nodes=2,
        )

        new_compute_pool = root.compute_pools.create(new_compute_pool_def)
        """
    )

    # Create a service
    cells.run(
        '''
        image_repository = schema.image_repositories["MyImageRepository"]

        from textwrap import dedent
        from io import BytesIO
        from snowflake.core.service import Service, ServiceSpecInlineText

        specification = dedent(f"""\\
            spec:
              containers:
              - name: web-server
                image: {image_repository.fetch().repository_url}/amd64/nginx:latest
              endpoints:
              - name: ui
                port: 80
                public: true
            """)

        service_def = Service(
            name="MyService",
            compute_pool="MyComputePool",
            spec=ServiceSpecInlineText(spec_text=specification),
            min_instances=1,
            max_instances=1,
        )

        nginx_service = schema.services.create(service_def)
        '''
    )
    status = cells.run(
        """
        from pprint import pprint

        pprint(nginx_service.get_service_status(timeout=5))
        """
    )
    assert re.search("'containerName': 'web-server'", status)
    assert re.search("'serviceName': 'MYSERVICE'", status)

    # Use your service
    address = cells.run(
        """
        import time

        while True:
            endpoints = {one.name: one.ingress_url for one in nginx_service.get_endpoints()}
            if "provisioning" not in endpoints["ui"]:
                break
            time.sleep(0.1)
        print(endpoints["ui"])
        """
    )
    cells.run(wait_for("READY"))
    async with chromium(tmp_path, "--ignore-certificate-errors") as tab:
        await tab.open(f"https://{address}")
        await tab.wait("document.title == 'Sign in'")
        await tab.fill(user="ADMIN", password=cave.password)
        await tab.wait("document.body.innerText.includes('Welcome to nginx!')")
        assert (
            await tab.evaluate("location.protocol + '//' + location.host") == f"https://{address}"
        )

    # You can use the Python API to manage your new service
    cells.run("nginx_service.suspend()\n" + wait_for("SUSPENDED"))
    cells.run("nginx_service.resume()\n" + wait_for("READY"))

    # Clean up
    cells.run(
        """
        new_compute_pool.suspend()
        nginx_service.suspend()
        """
    )
    left = cells.run(
        """
        new_compute_pool.drop()
        nginx_service.drop()

        print(list(root.compute_pools.iter(like="MyComputePool")), list(schema.services.iter()))
        """
    )
    assert left == "[] []"
    cells.run("database.drop()\nconnection.close()")


def wait_for(status: str) -> str:
    """A cell that looks until all containers are so."""
    return f"""
import time

deadline = time.monotonic() + 120
while any(one["status"] != "{status}" for one in nginx_service.get_service_status(timeout=5)):
    assert time.monotonic() < deadline, nginx_service.get_service_status()
    time.sleep(0.1)
"""
