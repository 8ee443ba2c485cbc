"""A state store with one public endpoint, its service's instances, and users who may open it."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta

from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.keys import KeySpace, M
from snowcave.model.names import ingress_host
from snowcave.runtime.mesh import Mesh
from snowcave.store.api import Store
from snowcave.v1 import state_pb2 as state

SERVICE = 14
_ROLE, _GRANTED = 11, 12
_FIRST_USER = 100
_LABEL = "published"


def endpoint_host(mesh: Mesh) -> str:
    return ingress_host(_LABEL, mesh.organization, mesh.account, mesh.ingress_domain)


async def fill_catalog(api: Store, port: int, users: Mapping[str, str]) -> None:
    """What api writes. `users`: token → name; they may use the endpoint by a service role, the long way."""
    for uid, name in ((_ROLE, "OWNER"), (_GRANTED, "CALLER")):
        await _put(api, keys.catalog("role"), state.Object(uid=uid, name=name), uid)
    endpoint = state.EndpointSpec(name="web", port=port, protocol="HTTP", public=True)
    service = state.Service(
        spec=state.ServiceSpec(endpoints=[endpoint]), ingress_labels={"web": _LABEL}
    )
    found = state.Object(uid=SERVICE, name="ECHO", owner_role=_ROLE, service=service)
    await _put(api, keys.catalog("service"), found, SERVICE)
    await _grant(
        api, "role", _GRANTED, "service_role", SERVICE, service_role="ALL_ENDPOINTS_USAGE"
    )
    await _grant(api, "role", _ROLE, "account", 0, privilege="BIND SERVICE ENDPOINT")
    for uid, (token, name) in enumerate(users.items(), _FIRST_USER):
        await _put(
            api,
            keys.catalog("user"),
            state.Object(uid=uid, name=name, user=state.User(default_role="CALLER")),
            uid,
        )
        await _grant(api, "user", uid, "role", _GRANTED)
        await _log_in(api, uid, name, token)


async def _log_in(api: Store, user: int, name: str, token: str) -> None:
    session = state.Session(id=user, user=user, user_name=name, role="CALLER")
    await _put(api, keys.SESSIONS, session, user)
    entry = state.SessionToken(kind=state.SessionToken.SESSION, session=user, user=user)
    entry.expires_on.FromDatetime(LoopClock().now() + timedelta(days=1))
    await _put(api, keys.SESSION_TOKENS, entry, hashlib.sha256(token.encode()).hexdigest())


async def _grant(
    api: Store,
    kind: str,
    grantee: int,
    domain: str,
    securable: int,
    *,
    privilege: str = "USAGE",
    service_role: str = "",
) -> None:
    grant = state.Grant(
        grantee_kind=kind,
        grantee=grantee,
        domain=domain,
        securable=securable,
        privilege=privilege,
        service_role=service_role,
    )
    await _put(api, keys.GRANTS, grant, kind, grantee, domain, securable, privilege)


async def fill_instances(scheduler: Store, addresses: Sequence[str]) -> None:
    """What the scheduler writes: all of them are ready."""
    await _put(scheduler, keys.SERVICE_STATUS, state.ServiceStatus(status="RUNNING"), SERVICE)
    for number, address in enumerate(addresses):
        name = f"i{number}"
        ready = state.Endpoint(service=SERVICE, instance=name, address=address, ready=True)
        await _put(scheduler, keys.ENDPOINTS, ready, SERVICE, name)


async def _put(store: Store, space: KeySpace[M], message: M, *parts: object) -> None:
    await store.put(space.key(*parts), message.SerializeToString())
