"""Services and jobs."""

from collections.abc import Iterator
from dataclasses import dataclass

from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Field, Json, Model, Row, fields
from snowcave.api.rest.names import any_name, identifier
from snowcave.api.rest.operations import Operation
from snowcave.api.rest.resource import Resource, to_options, with_names
from snowcave.api.sql import properties, tree
from snowcave.api.sql.options import Options
from snowcave.api.sql.tree import Action, Existing, SpecSource
from snowcave.api.statements.service_shows import SPECIFICATIONS
from snowcave.model.errors import Unsupported
from snowcave.model.stage_path import StagePath

_TAG = "spec_type"
SPEC = Model(
    "ServiceSpec",
    tag=_TAG,
    one_of={
        "from_file": Model("ServiceSpecStageFile", fields("spec_type! stage! spec_file!")),
        "from_inline": Model("ServiceSpecInlineText", fields("spec_type! spec_text!")),
    },
)
_COMMON = (
    *fields("name! status~ compute_pool!"),
    Field("spec", SPEC, required=True),
    *fields("external_access_integrations:strings query_warehouse comment"),
)
JOB = Model("JobService", (*_COMMON, *fields("is_async_job:boolean replicas:integer")))
SERVICE = Model(
    "Service",
    (
        *_COMMON,
        *fields(
            "is_async_job~:boolean auto_resume:boolean current_instances~:integer "
            "target_instances~:integer min_ready_instances:integer min_instances:integer "
            "max_instances:integer database_name~ schema_name~ owner~ dns_name~ "
            "created_on~:datetime updated_on~:datetime resumed_on~:datetime "
            "suspended_on~:datetime auto_suspend_secs:integer owner_role_type~ is_job~:boolean "
            "spec_digest~ is_upgrading~:boolean managing_object_domain~ managing_object_name~"
        ),
    ),
)
PATH = "/databases/{database}/schemas/{schema}/services"
_APART = frozenset({"name", "compute_pool", "spec"})


def source(call: Call, spec: Json) -> SpecSource:
    """A stage without a schema is one of the schema that the service stands in."""
    if spec[_TAG] == "from_inline":
        return SpecSource(text=spec["spec_text"])
    name = any_name(spec["stage"].removeprefix("@"))
    if not name.schema:
        name = call.within(name.name)
    return SpecSource(stage=StagePath(name, "", f"@{name}"), file=spec["spec_file"])


def _shape(row: Row) -> Json:
    """Without the right to see it a specification is an empty text."""
    shown = with_names(SERVICE.shaped({**row, "spec": None}))
    shown["spec"] = {_TAG: "from_inline", "spec_text": row.get("spec") or ""}
    return shown


@dataclass(frozen=True)
class _Services(Resource):
    def created(self, call: Call, body: Json, existing: Existing) -> tree.Statement:
        return tree.CreateService(
            call.within(identifier(body["name"])),
            existing,
            identifier(body["compute_pool"]),
            source(call, body["spec"]),
            to_options("service", properties.SERVICE, self.given(body)),
        )

    def altered(self, call: Call, body: Json, now: Json) -> Iterator[tree.Statement]:
        if identifier(body["compute_pool"]) != identifier(now["compute_pool"]):
            raise Unsupported("another compute pool for a service")
        if body["spec"] != now["spec"]:
            text = source(call, body["spec"])
            action = Action.FROM_SPECIFICATION
            yield tree.Alter("service", call.target(), False, action, source=text)
        # As CREATE has it: one instance, and not more than the fewest.
        least = body.get("min_instances", 1)
        counts = {"min_instances": least, "max_instances": least, "min_ready_instances": least}
        yield from super().altered(call, {**counts, **body}, now)


services = _Services(
    "service",
    PATH,
    ("service", "services"),
    SERVICE,
    "SERVICES",
    apart=_APART,
    shape=_shape,
    described=True,
    show_flags=lambda _call: frozenset({SPECIFICATIONS}),
)


async def _execute_job(call: Call) -> Json:
    body = call.body
    name = call.within(identifier(body["name"]))
    given = {key: value for key, value in body.items() if key not in _APART}
    run_async = given.pop("is_async_job", False)
    options = to_options("service", properties.JOB, given)
    return await call.change(
        tree.ExecuteJob(
            name,
            identifier(body["compute_pool"]),
            source(call, body["spec"]),
            Options({"NAME": name, "ASYNC": run_async, **options}),
        )
    )


OPERATIONS = (
    services.create(),
    services.list(),
    services.fetch(),
    services.create_or_alter(),
    services.delete(),
    services.act("suspend", Action.SUSPEND, if_exists=True),
    services.act("resume", Action.RESUME, if_exists=True),
    Operation("execute_job_service", "POST", PATH + ":execute-job", _execute_job, body=JOB),
)
