"""Which external access integrations a service or a job may have."""

from snowcave.api.sql.options import invalid_value
from snowcave.api.statements.work import Work
from snowcave.model.errors import ObjectNotFound, ValueInvalid
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_MOST_HOSTS = 100
_MOST_INTEGRATIONS = 10
# Where services may go: these ports, and all from 1024 on.
_LOW_PORTS = (22, 80, 443)
_HTTPS = 443


def need_external_access(work: Work, names: tuple[str, ...]) -> list[str]:
    """Names of the integrations that a service may use, as given. Raises where one is not there, may not be
    used, is disabled, or lets out to where services may not go.
    """
    if len(names) > _MOST_INTEGRATIONS:
        raise invalid_value(f"{len(names)} integrations", "EXTERNAL_ACCESS_INTEGRATIONS")
    for name in names:
        entry = work.caller.find("integration", ObjectName(name))
        found = entry.message
        if found.integration.category != "EXTERNAL_ACCESS":
            raise ObjectNotFound("Integration", name)
        work.caller.need("USAGE", found)
        if not found.integration.enabled:
            raise ValueInvalid(f"SQL compilation error:\nIntegration '{name}' is not enabled.")
        _check_hosts(work, found)
    return list(dict.fromkeys(names))


def _check_hosts(work: Work, found: state.Object) -> None:
    hosts = [
        value
        for uid in found.integration.network_rules
        if (rule := work.catalog.get("network_rule", uid)) is not None
        for value in rule.network_rule.values
    ]
    if len(hosts) > _MOST_HOSTS:
        raise ValueInvalid(
            f"SQL compilation error:\nIntegration '{found.name}' allows more than {_MOST_HOSTS} hosts."
        )
    for host in hosts:
        port = int(host.rpartition(":")[2]) if ":" in host else _HTTPS
        if port < 1024 and port not in _LOW_PORTS:
            raise ValueInvalid(
                f"SQL compilation error:\nPort {port} of '{host}' in integration '{found.name}' is "
                "not allowed: services may go to ports 22, 80, 443 and from 1024 on."
            )
