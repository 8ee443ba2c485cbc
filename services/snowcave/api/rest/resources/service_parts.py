"""What is in a service: endpoints, instances, containers and roles; its status and its logs."""

from collections.abc import Callable

from snowcave.api.rest.call import Call, Listing
from snowcave.api.rest.models import Json, Model, Row, fields
from snowcave.api.rest.operations import Many, Operation, Parameter
from snowcave.api.rest.resource import with_names
from snowcave.api.rest.resources.services import PATH
from snowcave.api.sql import tree
from snowcave.api.sql.tree import Literal
from snowcave.model.names import ObjectName

CONTAINER = Model(
    "ServiceContainer",
    fields(
        "database_name~ schema_name~ service_name~ service_status~ instance_id~ instance_status~ "
        "container_name~ status~ message~ image_name~ image_digest~ restart_count~:integer "
        "start_time~"
    ),
)
INSTANCE = Model(
    "ServiceInstance",
    fields(
        "database_name~ schema_name~ service_name~ service_status~ instance_id~ status~ "
        "spec_digest~ creation_time~ start_time~"
    ),
)
ENDPOINT = Model(
    "ServiceEndpoint",
    fields("name port:integer portRange protocol is_public:boolean ingress_url~"),
)
ROLE = Model("ServiceRole", fields("created_on~:datetime name~ comment~"))
GRANT_TO = Model(
    "ServiceRoleGrantTo",
    fields("created_on~:datetime privilege~ granted_on~ name~ granted_to~ grantee_name~"),
)
GRANT_OF = Model(
    "GrantOf", fields("created_on~:datetime role~ granted_to~ grantee_name~ granted_by~")
)
_STATUS, _LOGS = "system$get_service_status", "system$get_service_logs"
STATUS = Model("FetchServiceStatus200Response", fields(_STATUS))
LOGS = Model("FetchServiceLogs200Response", fields(_LOGS))
_ROLES = "/databases/{database}/schemas/{schema}/services/{service}/roles/{name}"
_LONGEST_WAIT = 3600
_MOST_LINES = 100_000


def _endpoint(row: Row) -> Json:
    return ENDPOINT.shaped({**row, "portRange": row["port_range"]})


def _is_container(row: Row) -> bool:
    """A service without instances is shown as one row that names none."""
    return row.get("container_name") is not None


def _listing(
    id: str, part: str, kind: str, model: Model, shape: Callable[[Row], Json]
) -> Operation:
    async def action(call: Call) -> Listing:
        return await call.listing(tree.Show(kind, scope=tree.Scope("service", call.target())))

    path = f"{PATH}/{{name}}/{part}"
    return Operation(id, "GET", path, action, answer=Many(model), shape=shape)


async def _containers(call: Call) -> list[Json]:
    show = tree.Show("SERVICE CONTAINERS", scope=tree.Scope("service", call.target()))
    return [
        with_names(CONTAINER.shaped(row)) for row in await call.look(show) if _is_container(row)
    ]


async def _system(call: Call, function: str, *arguments: Literal) -> Json:
    statement = tree.SystemCall(function.upper(), (str(call.target()), *arguments), function)
    (row,) = await call.look(statement)
    return dict(row)


async def _status(call: Call) -> Json:
    """With a timeout it may take long: then it is a statement as those that change something."""
    timeout = call.query.get("timeout", 0)
    if not timeout:
        return await _system(call, _STATUS)
    name = str(call.target())
    return await call.change(tree.SystemCall(_STATUS.upper(), (name, timeout), _STATUS))


async def _logs(call: Call) -> Json:
    asked = call.query
    lines = (asked["numLines"],) if "numLines" in asked else ()
    return await _system(call, _LOGS, str(asked["instanceId"]), asked["containerName"], *lines)


def _grants(id: str, part: str, relation: str, model: Model) -> Operation:
    async def action(call: Call) -> Listing:
        service = ObjectName(call.name("service"), call.name("schema"), call.name("database"))
        statement = tree.ShowGrants(relation, service=service, service_role=call.name())
        return await call.listing(statement)

    path = f"{_ROLES}/{part}"
    return Operation(id, "GET", path, action, answer=Many(model), shape=model.shaped)


OPERATIONS = (
    _listing("show_service_endpoints", "endpoints", "ENDPOINTS", ENDPOINT, _endpoint),
    _listing(
        "list_service_instances",
        "instances",
        "SERVICE INSTANCES",
        INSTANCE,
        lambda row: with_names(INSTANCE.shaped(row)),
    ),
    Operation(
        "list_service_containers",
        "GET",
        PATH + "/{name}/containers",
        _containers,
        answer=Many(CONTAINER),
    ),
    _listing("list_service_roles", "roles", "ROLES IN SERVICE", ROLE, ROLE.shaped),
    _grants("list_service_role_grants_of", "grants-of", "OF", GRANT_OF),
    _grants("list_service_role_grants_to", "grants", "TO", GRANT_TO),
    Operation(
        "fetch_service_status",
        "GET",
        PATH + "/{name}/status",
        _status,
        (Parameter("timeout", "integer", most=_LONGEST_WAIT),),
        answer=STATUS,
    ),
    Operation(
        "fetch_service_logs",
        "GET",
        PATH + "/{name}/logs",
        _logs,
        (
            Parameter("instanceId", "integer", required=True),
            Parameter("containerName", required=True),
            Parameter("numLines", "integer", least=1, most=_MOST_LINES),
        ),
        answer=LOGS,
    ),
)
