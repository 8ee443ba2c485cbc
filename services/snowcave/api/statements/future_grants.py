"""Future grants: said of a schema or a database, they become grants on what is made in it.

Those of a schema win over those of its database, for the same kind of object. They are applied in
the transaction that makes the object; for what the warehouse makes, right after it, before the client
hears of it.
"""

from collections.abc import Iterable

from snowcave.api.catalog.change import Change, domain_of
from snowcave.api.statements.work import Work
from snowcave.model import keys
from snowcave.v1 import state_pb2 as state

_OWNERSHIP = "OWNERSHIP"


def apply_to(made: state.Object, change: Change, work: Work) -> None:
    """What was said of the future, now that an object of the catalog is made."""
    domain = domain_of(made)
    if domain == "schema":
        found = _said(work, domain, "database", made.parent)
    elif domain in keys.IN_SCHEMA:
        found = in_schema(work, domain, made.parent)
    else:
        return
    for grant in found:
        if grant.privilege == _OWNERSHIP:
            made.owner_role = grant.grantee
        else:
            change.grant(on(grant, made.uid, work))


def in_schema(work: Work, domain: str, schema: int) -> list[state.Grant]:
    """The future grants that count for such an object in this schema."""
    holder = work.catalog.mirrors.objects.get("schema", schema)
    database = holder.parent if holder else 0
    return _said(work, domain, "schema", schema) or _said(work, domain, "database", database)


def _said(work: Work, domain: str, future_in: str, uid: int) -> list[state.Grant]:
    wanted = (domain, future_in, uid)
    grants: Iterable[state.Grant] = work.catalog.mirrors.grants.values()
    return [one for one in grants if (one.domain, one.future_in, one.securable) == wanted]


def on(future: state.Grant, uid: int, work: Work) -> state.Grant:
    """The grant that it has become."""
    grant = state.Grant()
    grant.CopyFrom(future)
    grant.future_in = ""
    grant.securable = uid
    grant.created_on.CopyFrom(work.now())
    return grant
