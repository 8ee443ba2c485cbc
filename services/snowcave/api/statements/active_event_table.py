"""EVENT_TABLE of the account and of databases: which event table takes what is said from now on.

It is kept as the table's uid, so it follows a rename; while the table is dropped it counts for nothing.
"""

from snowcave.api.sql.cursor import parse_name
from snowcave.api.statements.securables import EVENTS
from snowcave.api.statements.work import Work
from snowcave.model.errors import NotAuthorized
from snowcave.model.names import ObjectName
from snowcave.model.telemetry import NOWHERE
from snowcave.v1 import state_pb2 as state

KEY = "EVENT_TABLE"
_NONE = ObjectName("NONE")


def chosen(wanted: str | ObjectName, work: Work) -> int:
    """What is kept for the value. As documented, for administrators alone.

    Raises NotAuthorized, ObjectNotFound.
    """
    if not work.caller.is_admin:
        raise NotAuthorized(f"account '{work.context.account}'")
    name = parse_name(wanted) if isinstance(wanted, str) else wanted
    if name == _NONE:
        return NOWHERE
    if work.caller.full_name(name) == EVENTS:
        return 0
    return work.caller.find("event_table", name).message.uid


def shown(found: state.Object, work: Work) -> dict[str, str]:
    """The parameter as it stands on an account or a database; empty where nothing is set that counts."""
    uid = setting_of(found)
    if uid == NOWHERE:
        return {KEY: str(_NONE)}
    table = work.catalog.get("event_table", uid) if uid else None
    if table is None:
        return {}
    schema, database = work.catalog.place(table.parent)
    return {KEY: str(ObjectName(table.name, schema, database))}


def setting_of(found: state.Object) -> int:
    match found.WhichOneof("body"):
        case "account":
            return found.account.event_table
        case "database":
            return found.database.event_table
        case _:
            return 0
