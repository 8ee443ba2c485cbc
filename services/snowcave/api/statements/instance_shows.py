"""What SHOW says of the instances and the containers of a service."""

from snowcave.api.contract import Cell, Rows
from snowcave.api.sql.tree import Show
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.service_shows import seen_service
from snowcave.api.statements.service_status import status_of
from snowcave.api.statements.work import Work, moment
from snowcave.v1 import state_pb2 as state

_INSTANCES = columns(
    "database_name",
    "schema_name",
    "service_name",
    "service_status",
    "instance_id",
    "status",
    "spec_digest",
    "creation_time",
    "start_time",
    "ip_address",
)
_CONTAINERS = columns(
    "database_name",
    "schema_name",
    "service_name",
    "service_status",
    "instance_id",
    "instance_status",
    "container_name",
    "status",
    "message",
    "image_name",
    "image_digest",
    "restart_count:fixed",
    "start_time",
    "last_exit_code:fixed",
    "last_restart_time",
)


async def show_instances(statement: Show, work: Work) -> Rows:
    found = seen_service(statement, work, "OWNERSHIP", "MONITOR")
    known, head = status_of(found, work), _head(found, work)
    rows = [
        (
            *head,
            str(instance.instance_id),
            instance.status,
            instance.spec_digest or None,
            _iso(instance.HasField("created_on"), instance.created_on),
            _iso(instance.HasField("started_on"), instance.started_on),
            instance.address or None,
        )
        for instance in sorted(known.instances, key=lambda one: one.instance_id)
    ]
    return filtered(statement, _INSTANCES, rows, key="instance_id", ordered=False)


def _head(found: state.Object, work: Work) -> tuple[str, str, str, str]:
    schema, database = work.catalog.place(found.parent)
    return database, schema, found.name, status_of(found, work).status


async def show_containers(statement: Show, work: Work) -> Rows:
    found = seen_service(statement, work, "OWNERSHIP", "MONITOR")
    known, head = status_of(found, work), _head(found, work)
    rows: list[tuple[Cell, ...]] = []
    for instance in sorted(known.instances, key=lambda one: one.instance_id):
        names_seen = {container.name for container in instance.containers}
        rows += [_container(head, instance, one, found, work) for one in instance.containers]
        rows += [
            _waiting(head, instance, one, work)
            for one in found.service.spec.containers
            if one.name not in names_seen
        ]
    if not rows:
        rows.append((*head, *(None,) * (len(_CONTAINERS) - len(head))))
    # Instance by instance, and in each as the specification lists them.
    return filtered(statement, _CONTAINERS, rows, key="container_name", ordered=False)


def _container(
    head: tuple[str, str, str, str],
    instance: state.InstanceStatus,
    container: state.ContainerStatus,
    found: state.Object,
    work: Work,
) -> tuple[Cell, ...]:
    wanted = {one.name: one for one in found.service.spec.containers}.get(container.name)
    return (
        *head,
        str(instance.instance_id),
        instance.status,
        container.name,
        container.status,
        container.message,
        image_url(wanted, work) if wanted else container.image,
        container.image_digest or (wanted.resolved.digest if wanted else None),
        container.restart_count,
        _iso(container.HasField("started_on"), container.started_on),
        container.last_exit_code if container.has_exit_code else None,
        _iso(container.HasField("last_restart_on"), container.last_restart_on),
    )


def _waiting(
    head: tuple[str, str, str, str],
    instance: state.InstanceStatus,
    container: state.ContainerSpec,
    work: Work,
) -> tuple[Cell, ...]:
    """A container that no node has reported yet."""
    return (
        *head,
        str(instance.instance_id),
        instance.status,
        container.name,
        "PENDING",
        instance.message or "Waiting to start",
        image_url(container, work),
        container.resolved.digest,
        0,
        None,
        None,
        None,
    )


def image_url(container: state.ContainerSpec, work: Work) -> str:
    """The full registry URL, as a docker client would write it."""
    image = container.resolved
    tail = f":{image.tag}" if image.tag else f"@{image.digest}"
    return f"{work.mesh.registry_host}/{image.repository_path}/{image.image_name}{tail}"


def _iso(is_set: bool, stamp: object) -> str | None:
    """ISO 8601 to the second, in UTC."""
    if not is_set:
        return None
    return moment(stamp).strftime("%Y-%m-%dT%H:%M:%SZ")  # type: ignore[arg-type, union-attr]
