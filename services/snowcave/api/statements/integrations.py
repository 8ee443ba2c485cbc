"""Integrations: external access for services, and security integrations that OAuth secrets name."""

from collections.abc import Iterable

from snowcave.api.catalog.change import Change
from snowcave.api.contract import Cell, Rows, status
from snowcave.api.sql import properties
from snowcave.api.sql.options import Options, invalid_property
from snowcave.api.sql.tree import Action, Alter, Create, Describe, Drop, Existing, Show
from snowcave.api.statements.existing import EXECUTED, create, drop, kept, sought, taken
from snowcave.api.statements.filters import columns, filtered
from snowcave.api.statements.securables import full_name
from snowcave.api.statements.work import Work, moment
from snowcave.model.errors import OptionMissing, Unsupported, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_SHOW = columns("name", "type", "category", "enabled", "comment", "created_on:timestamp_ltz")
_DESCRIBE = columns("property", "property_type", "property_value", "property_default")
_EXTERNAL_ACCESS = "EXTERNAL_ACCESS"
_SECURITY = "SECURITY"
_NEEDED = {
    _EXTERNAL_ACCESS: ("ALLOWED_NETWORK_RULES", "ENABLED"),
    _SECURITY: ("TYPE", "ENABLED"),
}
_TAKEN = {
    _EXTERNAL_ACCESS: properties.EXTERNAL_ACCESS_INTEGRATION,
    _SECURITY: properties.SECURITY_INTEGRATION,
}
_SEALED = ("OAUTH_CLIENT_SECRET",)


async def create_integration(statement: Create, work: Work) -> Rows:
    name = statement.name.name
    if taken(work, "integration", 0, name) and statement.existing is Existing.KEEP:
        return kept(name)
    work.caller.need_in_account("CREATE INTEGRATION")
    (category,) = statement.flags
    if missing := statement.options.missing(*_NEEDED[category]):
        raise OptionMissing(*missing)
    made = work.new(name, comment=statement.options.text("COMMENT"))
    made.integration.category = category
    _apply(work, made, statement.options)
    change = Change()
    create(work, change, made, statement.existing)
    for rule in made.integration.network_rules:
        if (entry := work.catalog.entry("network_rule", rule)) is not None:
            change.stands(entry)
    await work.catalog.commit(change)
    return status(f"Integration {name} successfully created.")


def _apply(work: Work, found: state.Object, options: Options) -> None:
    body = found.integration
    for key in options:
        if key != "TAG" and key not in _TAKEN[body.category]:
            raise invalid_property(key, "INTEGRATION")
    if "ENABLED" in options:
        body.enabled = options.boolean("ENABLED")
    if body.category == _EXTERNAL_ACCESS:
        body.type = _EXTERNAL_ACCESS
        _apply_access(work, body, options)
    else:
        _apply_security(work, found, options)


def _apply_access(work: Work, body: state.Integration, options: Options) -> None:
    if "ALLOWED_NETWORK_RULES" in options:
        rules = [
            _usable(work, "network_rule", name)
            for name in options.object_names("ALLOWED_NETWORK_RULES")
        ]
        for rule in rules:
            if rule.network_rule.mode != "EGRESS":
                raise ValueInvalid(
                    f"SQL compilation error:\nNetwork rule '{rule.name}' is not of MODE EGRESS."
                )
        body.ClearField("network_rules")
        body.network_rules.extend(dict.fromkeys(rule.uid for rule in rules))
    if "ALLOWED_AUTHENTICATION_SECRETS" in options:
        names = options.object_names("ALLOWED_AUTHENTICATION_SECRETS")
        body.ClearField("secrets")
        body.all_secrets = ""
        if names in ((ObjectName("ALL"),), (ObjectName("NONE"),)):
            body.all_secrets = names[0].name
        else:
            body.secrets.extend(_usable(work, "secret", name).uid for name in names)
    if "ALLOWED_API_AUTHENTICATION_INTEGRATIONS" in options:
        named = options.object_names("ALLOWED_API_AUTHENTICATION_INTEGRATIONS")
        found = [_usable(work, "integration", name).name for name in named]
        body.properties["ALLOWED_API_AUTHENTICATION_INTEGRATIONS"] = ",".join(found)


def _usable(work: Work, domain: str, name: ObjectName) -> state.Object:
    found = work.caller.find(domain, name).message
    if domain != "network_rule":
        # A rule is used by whoever sees it: its one privilege is ownership.
        work.caller.need_any(found, "USAGE", "READ")
    return found


def _apply_security(work: Work, found: state.Object, options: Options) -> None:
    body = found.integration
    kind = options.text("TYPE", body.type)
    if kind != "API_AUTHENTICATION":
        raise Unsupported(f"SECURITY INTEGRATION of TYPE {kind}")
    body.type = kind
    if options.text("AUTH_TYPE", "OAUTH2") != "OAUTH2":
        raise Unsupported(f"AUTH_TYPE {options.text('AUTH_TYPE')}")
    for key in options:
        if key in ("TYPE", "ENABLED", "COMMENT", "TAG"):
            continue
        if key in _SEALED:
            body.sealed[key] = work.ports.sealer.seal(found.uid, options.text(key).encode())
        elif key == "OAUTH_ALLOWED_SCOPES":
            body.properties[key] = ",".join(options.names(key))
        else:
            body.properties[key] = str(options[key])


async def alter_integration(statement: Alter, work: Work) -> Rows:
    if statement.action not in (Action.SET, Action.UNSET):
        raise Unsupported(f"ALTER INTEGRATION {statement.action.name}")
    entry = sought(statement, lambda: work.caller.find("integration", statement.name))
    if entry is None:
        return status(EXECUTED)
    work.caller.need_ownership(entry.message)
    changed = work.changed(entry.message)
    for key in statement.unset:
        _unset(changed, key)
    _apply(work, changed, statement.options)
    if "COMMENT" in statement.options:
        changed.comment = statement.options.text("COMMENT")
    change = Change()
    change.update(entry, changed)
    await work.catalog.commit(change)
    return status(EXECUTED)


def _unset(changed: state.Object, key: str) -> None:
    body = changed.integration
    match key:
        case "COMMENT":
            changed.comment = ""
        case "ALLOWED_AUTHENTICATION_SECRETS":
            body.ClearField("secrets")
            body.all_secrets = ""
        case _ if key in _NEEDED[body.category] or key not in _TAKEN[body.category]:
            raise invalid_property(key, "INTEGRATION")
        case _:
            body.properties.pop(key, None)
            body.sealed.pop(key, None)


async def drop_integration(statement: Drop, work: Work) -> Rows:
    return await drop(statement, work, lambda: work.caller.find("integration", statement.name))


async def show_integrations(statement: Show, work: Work) -> Rows:
    category = statement.kind.removesuffix("INTEGRATIONS").strip().replace(" ", "_")
    rows: list[tuple[Cell, ...]] = [
        (
            one.name,
            one.integration.type,
            one.integration.category,
            str(one.integration.enabled).lower(),
            one.comment or None,
            moment(one.created_on),
        )
        for one in work.catalog.all("integration")
        if work.caller.sees(one) and category in ("", one.integration.category)
    ]
    return filtered(statement, _SHOW, rows)


async def describe_integration(statement: Describe, work: Work) -> Rows:
    found = work.caller.find("integration", statement.name).message
    body = found.integration
    rows: list[tuple[Cell, ...]] = [("ENABLED", "Boolean", str(body.enabled).lower(), "false")]
    if body.category == _EXTERNAL_ACCESS:
        secrets = body.all_secrets or _listed(work, "secret", body.secrets)
        rows += [
            (
                "ALLOWED_NETWORK_RULES",
                "List",
                _listed(work, "network_rule", body.network_rules),
                "[]",
            ),
            ("ALLOWED_AUTHENTICATION_SECRETS", "List", secrets, "[]"),
        ]
    rows += [(key, "String", value, "") for key, value in sorted(body.properties.items())]
    rows += [(key, "String", "******", "") for key in sorted(body.sealed)]
    return Rows(_DESCRIBE, [*rows, ("COMMENT", "String", found.comment, "")])


def _listed(work: Work, domain: str, uids: Iterable[int]) -> str:
    names = [full_name(domain, uid, work) for uid in uids]
    return "[" + ", ".join(name for name in names if name) + "]"
