"""Where services and jobs may stand, how many there may be, and what they may be called."""

from collections.abc import Mapping

from snowcave.api.sql.workloads import USER
from snowcave.api.statements.caller import ACCOUNTADMIN
from snowcave.api.statements.work import Work
from snowcave.model import names
from snowcave.model.errors import Exhausted, NotAuthorized, ValueInvalid
from snowcave.v1 import state_pb2 as state

_DNS_LABEL = 63
_ALLOWED, _DISALLOWED = "ALLOWED_SPCS_WORKLOAD_TYPES", "DISALLOWED_SPCS_WORKLOAD_TYPES"


def check_name(name: str) -> None:
    """Raises ValueInvalid: a service is known by its name in DNS, too."""
    label = names.dns_label(name)
    if not names.is_unquoted(name) or name != name.upper():
        raise ValueInvalid(
            f"SQL compilation error:\nInvalid service name: '{name}'. "
            "Service names must be unquoted identifiers."
        )
    fits = len(label) <= _DNS_LABEL and label[0].isalpha() and label[-1].isalnum()
    if not fits or "$" in label:
        raise ValueInvalid(
            f"SQL compilation error:\nInvalid service name: '{name}'. "
            f"As '{label[:80]}' it must be a valid DNS label."
        )


def check_place(work: Work, schema: state.Object) -> None:
    """Raises where no service may stand in the schema, or none of this role, or none any more."""
    _check_workload(work)
    if not work.settings.admin_services and work.context.role == ACCOUNTADMIN:
        raise NotAuthorized(f"role '{ACCOUNTADMIN}', which may not own services")
    if sum(1 for _ in work.catalog.all("service")) >= work.settings.most_services:
        raise Exhausted(
            f"The account has {work.settings.most_services} services, which is the most it may have."
        )
    for name in (work.catalog.name("database", schema.parent), schema.name):
        if not names.is_unquoted(name) or name != name.upper():
            raise ValueInvalid(
                f"SQL compilation error:\nInvalid name '{name}' for the database or schema of a "
                "service: it must be an unquoted identifier."
            )


def _check_workload(work: Work) -> None:
    """The account may keep users' own containers out; what it disallows wins."""
    account = work.catalog.entry("account", 0)
    parameters: Mapping[str, str] = account.message.parameters if account else {}
    allowed = _types(parameters.get(_ALLOWED, "ALL"))
    if _is_named(allowed) and not _is_named(_types(parameters.get(_DISALLOWED, ""))):
        return
    raise ValueInvalid(
        f"Workloads of type {USER} are not allowed in this account: see its parameters "
        f"{_ALLOWED} and {_DISALLOWED}."
    )


def _types(written: str) -> set[str]:
    return {part.strip().upper() for part in written.split(",")}


def _is_named(types: set[str]) -> bool:
    return bool(types & {"ALL", USER})
