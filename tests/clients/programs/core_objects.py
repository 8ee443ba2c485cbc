"""Run by the interpreter of a client under test: what snowflake.core has for each kind of object.

python core_objects.py '{"connect": {...}, "spec": "…", "image": "/…", "folder": "…", "prefix": "…"}'
Its service has a container `echo` and an endpoint `echoendpoint`. Prints what it saw, step by step, as JSON.
"""

# snowflake.core is in the clients' environments, not in ours.
# pyright: reportMissingImports=false

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import snowflake.connector
from snowflake.core import CreateMode, Root
from snowflake.core.compute_pool import ComputePool
from snowflake.core.database import Database
from snowflake.core.event_table import EventTable
from snowflake.core.exceptions import APIError
from snowflake.core.function import FunctionArgument, ServiceFunction
from snowflake.core.grant import Grant, Grantees, Privileges, Securables
from snowflake.core.image_repository import ImageRepository
from snowflake.core.network_rule import NetworkRule
from snowflake.core.role import ContainingScope, Role, Securable
from snowflake.core.schema import Schema
from snowflake.core.secret import GenericStringSecret, PasswordSecret
from snowflake.core.service import JobService, Service, ServiceSpec
from snowflake.core.stage import Stage, StageDirectoryTable, StageEncryption
from snowflake.core.table import PrimaryKey, Table, TableColumn
from snowflake.core.tag import Tag
from snowflake.core.user import Securable as UserSecurable
from snowflake.core.user import User
from snowflake.core.warehouse import Warehouse

Seen = dict[str, Any]
# Which of the clients this is: two may be at work at one time.
PREFIX: list[str] = []


def called(name: str) -> str:
    return f"{PREFIX[0]}_{name}"


def plain(value: Any) -> Any:
    """As JSON would have it; models by their fields."""
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def refusal(act: Callable[[], Any]) -> list[Any]:
    """The kind of error that a call ends with, its HTTP status and its code."""
    try:
        act()
    except (APIError, NotImplementedError) as error:
        body = json.loads(getattr(error, "body", None) or "{}")
        return [type(error).__name__, getattr(error, "status", None), body.get("error_code")]
    return ["nothing"]


def containers(root: Root, spec: str) -> Seen:
    root.databases.create(Database(name=called("db"), comment="c"), mode=CreateMode.or_replace)
    database = root.databases[called("db")]
    database.schemas.create(Schema(name="s"), mode=CreateMode.if_not_exists)
    schema = database.schemas["s"]
    schema.image_repositories.create(ImageRepository(name="r"))
    pool = ComputePool(
        name=called("pool"), min_nodes=1, max_nodes=1, instance_family="CPU_X64_XS", comment="p"
    )
    root.compute_pools.create(pool, mode=CreateMode.if_not_exists)
    handle = root.compute_pools[called("pool")]
    changed = handle.fetch()
    changed.comment = "changed"
    handle.create_or_alter(changed)
    return {
        "database": database.fetch(),
        "databases": [one.name for one in root.databases.iter(like=called("%"))],
        "schema": schema.fetch(),
        "repository": schema.image_repositories["r"].fetch(),
        "repositories": [one.name for one in schema.image_repositories.iter(like="R")],
        "pool": handle.fetch(),
        "pools": [one.name for one in root.compute_pools.iter(like=called("%"))],
        "no database": refusal(lambda: root.databases["nowhere"].fetch()),
        "twice": refusal(lambda: root.databases.create(Database(name=called("db")))),
    }


def services(root: Root, spec: str, image: str) -> Seen:
    schema = root.databases[called("db")].schemas["s"]
    service = schema.services.create(
        Service(
            name="web",
            compute_pool=called("pool"),
            spec=ServiceSpec(spec),
            min_instances=1,
            max_instances=2,
            comment="c",
        )
    )
    deadline = time.monotonic() + 120
    while any(one["status"] != "READY" for one in service.get_service_status(timeout=5)):
        assert time.monotonic() < deadline, service.get_service_status()
    logs = service.get_service_logs("0", "echo", 5)
    ready = service.fetch().status
    service.suspend()
    suspended = service.fetch()
    service.resume()
    changed = service.fetch()
    changed.comment = None
    service.create_or_alter(changed)
    job = JobService(
        name="j",
        compute_pool=called("pool"),
        spec=ServiceSpec(spec.partition("  endpoints")[0] + '    command: ["true"]\n'),
        is_async_job=True,
    )
    schema.services.execute_job(job)
    return {
        "service": service.fetch(),
        "suspended": suspended.to_dict(),
        "services": [one.name for one in schema.services.iter(like="WEB%")],
        "first": [one.name for one in schema.services.iter(limit=1)],
        "endpoints": list(service.get_endpoints()),
        "instances": list(service.get_instances()),
        "containers": list(service.get_containers()),
        "roles": [one.name for one in service.get_roles()],
        "status": service.get_service_status(),
        "grants": list(service.iter_grants_of_service_role("ALL_ENDPOINTS_USAGE")),
        "logs": logs,
        "ready": ready,
        "job": schema.services["j"].fetch().is_job,
        "no image": refusal(
            lambda: schema.services.create(
                Service(
                    name="other",
                    compute_pool=called("pool"),
                    spec=ServiceSpec(spec.replace(image, f"/{called('db')}/s/r/none:1")),
                )
            )
        ),
    }


def functions(root: Root) -> Seen:
    schema = root.databases[called("db")].schemas["s"]
    schema.functions.create(
        ServiceFunction(
            name="f",
            arguments=[FunctionArgument(name="t", datatype="TEXT")],
            returns="TEXT",
            service="web",
            endpoint="echoendpoint",
            path="/echo",
            max_batch_rows=5,
        )
    )
    found = schema.functions["f(TEXT)"].fetch()
    said = schema.functions["f(TEXT)"].execute(["it's me"])
    names = [one.name for one in schema.functions.iter(like="F")]
    schema.functions["f(TEXT)"].drop()
    return {"function": found, "functions": names, "said": said}


def stages(root: Root, folder: str) -> Seen:
    schema = root.databases[called("db")].schemas["s"]
    stage = schema.stages.create(
        Stage(
            name="st",
            comment="c",
            encryption=StageEncryption(type="SNOWFLAKE_SSE"),
            directory_table=StageDirectoryTable(enable=True),
        )
    )
    stage.put(f"{folder}/a.txt", "/dir", auto_compress=False)
    stage.get("/dir/a.txt", f"{folder}/back")
    found = stage.fetch(), list(stage.list_files())
    names = [one.name for one in schema.stages.iter()]
    stage.drop()
    return {"stage": found[0], "files": found[1], "stages": names}


def tables(root: Root) -> Seen:
    schema = root.databases[called("db")].schemas["s"]
    columns = [
        TableColumn(name="a", datatype="TEXT", nullable=False, comment="first"),
        TableColumn(name="b", datatype="NUMBER(10,2)", default="1 + 1"),
    ]
    made = Table(
        name="t", columns=columns, comment="c", constraints=[PrimaryKey(column_names=["a"])]
    )
    table = schema.tables.create(made, mode=CreateMode.or_replace)
    changed = table.fetch()
    changed.columns = [*changed.columns[:1], TableColumn(name="c", datatype="DATE")]
    changed.comment = "changed"
    changed.constraints = None
    table.create_or_alter(changed)
    found = {
        "table": table.fetch(),
        "tables": [one.name for one in schema.tables.iter(like="T%")],
        "bad default": refusal(
            lambda: schema.tables.create(
                Table(
                    name="u",
                    columns=[
                        TableColumn(name="a", datatype="TEXT", default="1); DROP TABLE t; --")
                    ],
                )
            )
        ),
    }
    table.drop()
    return {**found, "gone": refusal(table.fetch)}


def people(root: Root) -> Seen:
    root.roles.create(Role(name=called("role"), comment="r"), mode=CreateMode.if_not_exists)
    root.users.create(
        User(name=called("user"), password="Some-Secret-1", default_role=called("role"))
    )
    role, user = root.roles[called("role")], root.users[called("user")]
    user.grant_role(role_type="ROLE", role=UserSecurable(name=called("role")))
    role.grant_privileges(["USAGE"], "DATABASE", Securable(name=called("db")))
    scope = ContainingScope(database=called("db"), schema="s")
    role.grant_future_privileges(["MONITOR"], "SERVICE", scope)
    root.grants.grant(
        Grant(
            grantee=Grantees.role(called("role")),
            securable=Securables.compute_pool(called("pool")),
            privileges=[Privileges.usage, Privileges.monitor],
        )
    )
    given = [[one.securable_type, one.privileges] for one in role.iter_grants_to()]
    future = [one.privileges for one in role.iter_future_grants_to()]
    by_path = [one.privileges for one in root.grants.to(Grantees.role(called("role")))]
    root.grants.revoke(
        Grant(
            grantee=Grantees.role(called("role")),
            securable=Securables.compute_pool(called("pool")),
            privileges=[Privileges.monitor],
        )
    )
    role.revoke_privileges(["USAGE"], "DATABASE", Securable(name=called("db")))
    left = [[one.securable_type, one.privileges] for one in role.iter_grants_to()]
    found = {
        "user": user.fetch(),
        "users": [one.name for one in root.users.iter(like=called("%"))],
        "roles": [one.name for one in root.roles.iter(like=called("%"))],
        "holders": [one.grantee_name for one in role.iter_grants_of()],
        "granted": given,
        "future": future,
        "by path": len(by_path),
        "left": left,
    }
    user.drop()
    role.drop()
    return found


def rest(root: Root) -> Seen:
    schema = root.databases[called("db")].schemas["s"]
    schema.secrets.create(PasswordSecret(name="pw", username="u", password="p"))
    schema.secrets.create(GenericStringSecret(name="word", secret_string="x"))
    rule = NetworkRule(name="nr", type="HOST_PORT", mode="EGRESS", value_list=["example.com:443"])
    schema.network_rules.create(rule)
    schema.tags.create(Tag(name="t", allowed_values=["a", "b"]))
    schema.event_tables.create(EventTable(name="told", comment="c", cluster_by=["timestamp"]))
    schema.event_tables["told"].rename("events")
    root.warehouses.create(Warehouse(name=called("wh"), warehouse_size="SMALL", auto_suspend=60))
    warehouse = root.warehouses[called("wh")]
    warehouse.suspend()
    warehouse.resume()
    found = {
        "secrets": [plain(one) for one in schema.secrets.iter()],
        "rule": schema.network_rules["nr"].fetch(),
        "tag": schema.tags["t"].fetch(),
        "event table": schema.event_tables["events"].fetch(),
        "event tables": [one.name for one in schema.event_tables.iter(like="ev%")],
        "warehouse": warehouse.fetch(),
    }
    warehouse.drop()
    schema.event_tables["events"].drop()
    return found


def end(root: Root) -> Seen:
    schema = root.databases[called("db")].schemas["s"]
    for name in ("web", "j"):
        schema.services[name].drop()
    root.compute_pools[called("pool")].stop_all_services()
    root.compute_pools[called("pool")].drop()
    root.databases[called("db")].drop()
    return {"gone": refusal(lambda: root.databases[called("db")].fetch())}


def main() -> None:
    order = json.loads(sys.argv[1])
    PREFIX.append(order["prefix"])
    seen: Seen = {"version": snowflake.connector.__version__}
    with snowflake.connector.connect(**order["connect"]) as connection:
        root = Root(connection)
        seen["containers"] = containers(root, order["spec"])
        seen["services"] = services(root, order["spec"], order["image"])
        seen["functions"] = functions(root)
        seen["stages"] = stages(root, order["folder"])
        seen["tables"] = tables(root)
        seen["people"] = people(root)
        seen["rest"] = rest(root)
        seen["end"] = end(root)
    print(json.dumps(plain(seen)))


if __name__ == "__main__":
    main()
