"""What SHOW and DESCRIBE say of services: what was asked for, joined with how the scheduler sees them."""

from snowcave.api.contract import Cell, Rows
from snowcave.api.sql.tree import Describe, Show
from snowcave.api.sql.workloads import has_user
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.scopes import within
from snowcave.api.statements.service_status import status_of
from snowcave.api.statements.work import Work, moment
from snowcave.model import names, spec
from snowcave.model.errors import NotAuthorized
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_SHOW = columns(
    "name",
    "status",
    "database_name",
    "schema_name",
    "owner",
    "compute_pool",
    "dns_name",
    "current_instances:fixed",
    "target_instances:fixed",
    "min_ready_instances:fixed",
    "min_instances:fixed",
    "max_instances:fixed",
    "auto_resume",
    "external_access_integrations",
    "created_on:timestamp_ltz",
    "updated_on:timestamp_ltz",
    "resumed_on:timestamp_ltz",
    "suspended_on:timestamp_ltz",
    "auto_suspend_secs:fixed",
    "comment",
    "owner_role_type",
    "query_warehouse",
    "is_job",
    "is_async_job",
    "spec_digest",
    "is_upgrading",
    "managing_object_domain",
    "managing_object_name",
)
_SPEC_AT = 6
_DESCRIBE = (*_SHOW[:_SPEC_AT], *columns("spec"), *_SHOW[_SPEC_AT:])
_ENDPOINTS = columns("name", "port:fixed", "port_range", "protocol", "is_public", "ingress_url")
_ROLES = columns("created_on:timestamp_ltz", "name", "comment")
ALL_ENDPOINTS = "ALL_ENDPOINTS_USAGE"
# A flag of SHOW SERVICES that no text of SQL gives: with the specifications, as in DESCRIBE.
SPECIFICATIONS = "SPECIFICATIONS"
_texts: dict[str, str] = {}
_MOST_TEXTS = 4096
_PROVISIONING = "Endpoints provisioning in progress... check back in a few minutes"
_SEEING = ("OWNERSHIP", "USAGE", "MONITOR", "OPERATE")


async def show_services(statement: Show, work: Work) -> Rows:
    found = _services(statement, work) if has_user(statement.types) else []
    if "JOB" in statement.flags:
        found = [one for one in found if one.service.is_job]
    if "EXCLUDE JOBS" in statement.flags:
        found = [one for one in found if not one.service.is_job]
    if SPECIFICATIONS in statement.flags:
        rows = [_with_spec(one, work) for one in found]
        return filtered(statement, _DESCRIBE, rows)
    shape = _SHOW
    hidden = {"is_job"} if statement.flags else set[str]()
    if "EXCLUDE JOBS" in statement.flags:
        hidden.add("is_async_job")
    rows = filtered(statement, shape, [_row(one, work) for one in found])
    keep = [index for index, column in enumerate(shape) if column.name not in hidden]
    return Rows(
        tuple(shape[index] for index in keep),
        [tuple(row[index] for index in keep) for row in rows.rows],
    )


def _services(statement: Show, work: Work) -> list[state.Object]:
    scope = statement.scope
    if scope and scope.domain == "compute_pool":
        pool = work.caller.find("compute_pool", scope.name or ObjectName("")).message
        return [
            one
            for one in work.catalog.all("service")
            if one.service.compute_pool == pool.uid and work.caller.sees(one)
        ]
    return list(within(work, "service", scope))


async def describe_service(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("service", statement.name).message
    return Rows(_DESCRIBE, [_with_spec(found, work)])


def _with_spec(found: state.Object, work: Work) -> tuple[Cell, ...]:
    row = _row(found, work)
    shown = _described(found.service) if work.caller.owns(found) else None
    return (*row[:_SPEC_AT], shown, *row[_SPEC_AT:])


def _described(service: state.Service) -> str:
    """Written once for each digest, which is that of the same specification."""
    known = _texts.get(service.spec_digest)
    if known is None or not service.spec_digest:
        known = spec.described(service.spec)
        _texts[service.spec_digest] = known
        if len(_texts) > _MOST_TEXTS:
            del _texts[next(iter(_texts))]
    return known


def dns_name(found: state.Object, work: Work) -> str:
    schema = work.catalog.mirrors.objects.get("schema", found.parent)
    label = schema.schema.dns_hash if schema else ""
    return f"{names.dns_label(found.name)}.{names.service_domain(label)}"


def _row(found: state.Object, work: Work) -> tuple[Cell, ...]:
    service, known = found.service, status_of(found, work)
    schema, database = work.catalog.place(found.parent)
    integrations = ",".join(f'"{name}"' for name in service.external_access_integrations)
    return (
        found.name,
        known.status,
        database,
        schema,
        work.catalog.name("role", found.owner_role),
        work.catalog.name("compute_pool", service.compute_pool),
        dns_name(found, work),
        known.current_instances,
        known.target_instances,
        service.min_ready_instances,
        service.min_instances,
        service.max_instances,
        _truth(service.auto_resume),
        f"[{integrations}]" if integrations else None,
        moment(found.created_on),
        moment(found.updated_on),
        moment(service.resumed_on),
        moment(service.suspended_on),
        service.auto_suspend_secs,
        found.comment or None,
        "ROLE",
        service.query_warehouse or None,
        _truth(service.is_job),
        _truth(service.is_async_job),
        service.spec_digest,
        _truth(known.is_upgrading),
        None,
        None,
    )


def seen_service(statement: Show, work: Work, *privileges: str) -> state.Object:
    """The service after IN, which the caller sees and may look into."""
    name = statement.scope.name if statement.scope else None
    found = work.caller.find("service", name or ObjectName("")).message
    if not any(work.caller.may(privilege, found) for privilege in privileges):
        raise NotAuthorized(f"service '{found.name}'")
    return found


async def show_endpoints(statement: Show, work: Work) -> Rows:
    found = seen_service(statement, work, *_SEEING)
    rows: list[tuple[Cell, ...]] = []
    for endpoint in found.service.spec.endpoints:
        ranged = bool(endpoint.port_last)
        rows.append(
            (
                endpoint.name,
                None if ranged else endpoint.port,
                f"{endpoint.port}-{endpoint.port_last}" if ranged else None,
                endpoint.protocol,
                _truth(endpoint.public),
                _ingress_url(found, endpoint.name, work) if endpoint.public else None,
            )
        )
    return filtered(statement, _ENDPOINTS, rows)


def _ingress_url(found: state.Object, endpoint: str, work: Work) -> str:
    label = found.service.ingress_labels.get(endpoint)
    if not label or work.catalog.mirrors.services.get(found.uid) is None:
        return _PROVISIONING
    mesh = work.mesh
    host = names.ingress_host(label, mesh.organization, mesh.account, mesh.ingress_domain)
    return f"{host}:{mesh.port('ingress')}"


async def show_roles_in_service(statement: Show, work: Work) -> Rows:
    found = seen_service(statement, work, *_SEEING)
    created = moment(found.created_on)
    rows: list[tuple[Cell, ...]] = [
        (created, role.name.upper(), None) for role in found.service.spec.service_roles
    ]
    rows.append((created, ALL_ENDPOINTS, None))
    return filtered(statement, _ROLES, rows)


def _truth(answer: bool) -> str:
    return "true" if answer else "false"
