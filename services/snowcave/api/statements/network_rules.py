"""Network rules: lists of hosts or addresses, which integrations and policies name."""

import ipaddress
import re

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql.options import invalid_value
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Drop, Existing, Show
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, sought, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.scopes import within
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import OptionMissing, Unsupported, ValueInvalid
from snowcave.v1 import state_pb2 as state

_COLUMNS = (
    "created_on:timestamp_ltz",
    "name",
    "database_name",
    "schema_name",
    "owner",
    "comment",
    "type",
    "mode",
)
_SHOW = columns(*_COLUMNS, "entries_in_valuelist:fixed", "owner_role_type")
_DESCRIBE = columns(*_COLUMNS, "value_list")
# By type: the modes that it goes with.
_MODES = {
    "HOST_PORT": ("EGRESS",),
    "PRIVATE_HOST_PORT": ("EGRESS",),
    "IPV4": ("INGRESS",),
    "IPV6": ("INGRESS",),
    "AWSVPCEID": ("INGRESS", "INTERNAL_STAGE"),
    "AZURELINKID": ("INGRESS",),
    "GCPPSCID": ("INGRESS",),
}
_ALL_MODES = ("INGRESS", "INTERNAL_STAGE", "EGRESS")
_MOST_VALUES = 1000
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?\Z")


async def create_network_rule(statement: Create, work: Work) -> Rows:
    schema = work.caller.holder(statement.name)
    name = statement.name.name
    holder = schema.message.uid
    if taken(work, "network_rule", holder, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need("CREATE NETWORK RULE", schema.message)
    options = statement.options
    if missing := options.missing("TYPE", "VALUE_LIST"):
        raise OptionMissing(*missing)
    kind, mode = options.text("TYPE"), options.text("MODE", "INGRESS")
    check_kind(kind, mode)
    made = work.new(name, holder, options.text("COMMENT"))
    made.network_rule.type, made.network_rule.mode = kind, mode
    made.network_rule.values.extend(checked_values(kind, options.names("VALUE_LIST")))
    change = Change()
    create(work, change, made, statement.existing)
    change.stands(schema)
    await work.catalog.commit(change)
    return status(f"Network rule {name} successfully created.")


def check_kind(kind: str, mode: str) -> None:
    """Raises ValueInvalid."""
    if kind not in _MODES:
        raise invalid_value(kind, "TYPE")
    if mode not in _ALL_MODES:
        raise invalid_value(mode, "MODE")
    if mode not in _MODES[kind]:
        raise ValueInvalid(
            "SQL compilation error:\ninvalid property combination "
            f"'TYPE'='{kind}' and 'MODE'='{mode}'"
        )


def checked_values(kind: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueInvalid for what the kind cannot mean."""
    if len(values) > _MOST_VALUES:
        raise ValueInvalid(
            f"SQL compilation error:\nmore than {_MOST_VALUES} values for property 'VALUE_LIST'"
        )
    for value in values:
        if not _is_valid(kind, value):
            raise invalid_value(value, "VALUE_LIST")
    return tuple(dict.fromkeys(values))


def _is_valid(kind: str, value: str) -> bool:
    match kind:
        case "HOST_PORT" | "PRIVATE_HOST_PORT":
            host, colon, port = value.partition(":")
            return bool(_HOST.match(host)) and (not colon or _is_port(port))
        case "IPV4" | "IPV6":
            return _is_network(value, 4 if kind == "IPV4" else 6)
        case _:
            return bool(value) and value.isprintable() and " " not in value


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= 65535


def _is_network(text: str, version: int) -> bool:
    first, dash, last = text.partition("-")
    try:
        if dash:
            return all(ipaddress.ip_address(end).version == version for end in (first, last))
        return ipaddress.ip_network(text, strict=False).version == version
    except ValueError:
        return False


async def alter_network_rule(statement: Alter, work: Work) -> Rows:
    if statement.action not in (Action.SET, Action.UNSET):
        raise Unsupported(f"ALTER NETWORK RULE {statement.action.name}")
    entry = sought(statement, lambda: work.caller.find("network_rule", statement.name))
    if entry is None:
        return status(EXECUTED)
    work.caller.need_ownership(entry.message)
    changed = work.changed(entry.message)
    rule = changed.network_rule
    if "VALUE_LIST" in statement.options or "VALUE_LIST" in statement.unset:
        rule.ClearField("values")
        rule.values.extend(checked_values(rule.type, statement.options.names("VALUE_LIST")))
    if "COMMENT" in statement.options or "COMMENT" in statement.unset:
        changed.comment = statement.options.text("COMMENT")
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


async def drop_network_rule(statement: Drop, work: Work) -> Rows:
    """Not while an integration names it."""
    entry = sought(statement, lambda: work.caller.find("network_rule", statement.name))
    if entry is not None:
        work.caller.need_ownership(entry.message)
    for integration in work.catalog.all("integration") if entry else ():
        if entry and entry.message.uid in integration.integration.network_rules:
            raise ValueInvalid(
                f"SQL compilation error:\nNetwork rule '{entry.message.name}' cannot be dropped: "
                f"it is used by integration '{integration.name}'."
            )
    return await drop(statement, work, lambda: work.caller.find("network_rule", statement.name))


async def show_network_rules(statement: Show, work: Work) -> Rows:
    rows = [
        (*_head(one, work), len(one.network_rule.values), "ROLE")
        for one in within(work, "network_rule", statement.scope)
    ]
    return filtered(statement, _SHOW, rows)


async def describe_network_rule(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("network_rule", statement.name).message
    return Rows(_DESCRIBE, [(*_head(found, work), ",".join(found.network_rule.values))])


def _head(found: state.Object, work: Work) -> tuple[Cell, ...]:
    schema, database = work.catalog.place(found.parent)
    return (
        moment(found.created_on),
        found.name,
        database,
        schema,
        work.catalog.name("role", found.owner_role),
        found.comment or None,
        found.network_rule.type,
        found.network_rule.mode,
    )
