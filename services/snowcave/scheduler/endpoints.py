"""Which endpoint keys a service has, and which of them take traffic. Pure."""

from collections.abc import Iterable, Mapping

from snowcave.v1 import state_pb2 as state


def endpoints(
    assignments: Iterable[state.Assignment],
    reports: Mapping[str, state.InstanceReport],
    before: Mapping[int, state.Endpoint],
    service_address: str,
) -> dict[int, state.Endpoint]:
    """By instance id. `assignments` are those whose node is not lost; there is one an id."""
    return {
        one.instance_id: state.Endpoint(
            service=one.service,
            instance_id=one.instance_id,
            instance=one.instance,
            node=one.node,
            address=one.address,
            ready=_is_ready(one, reports.get(one.instance), before.get(one.instance_id)),
            owner_role=one.identity.owner_role,
            service_address=service_address,
            ports=one.spec.endpoints,
            stopping=one.stopping,
        )
        for one in assignments
        if one.address
    }


def _is_ready(
    one: state.Assignment, report: state.InstanceReport | None, before: state.Endpoint | None
) -> bool:
    if one.stopping:
        return False
    if report is not None:
        return report.status == "READY"
    # Its agent restarts: the containers go on, and so does the traffic.
    return before is not None and before.instance == one.instance and before.ready
