from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.dns.directory import Directory, Found
from snowcave.dns.feed import Mirrors, feeding
from snowcave.model import keys
from snowcave.v1 import state_pb2 as state
from tests.kit.fed_mirrors import mirror, put

ECHO = ("echo-service", "k3m6", "svc", "spcs", "internal")
INSTANCES = ("instances", *ECHO)


async def test_the_directory_follows_every_mirror_and_says_when_answers_change():
    mirrors = Mirrors(
        databases=mirror(keys.catalog("database")),
        schemas=mirror(keys.catalog("schema")),
        services=mirror(keys.catalog("service")),
        pools=mirror(keys.catalog("compute_pool")),
        statuses=mirror(keys.SERVICE_STATUS),
        endpoints=mirror(keys.ENDPOINTS),
        vms=mirror(keys.VMS),
    )
    directory, changes = Directory("10.245.0.2"), 0

    def changed() -> None:
        nonlocal changes
        changes += 1

    put(mirrors.databases, keys.catalog("database"), state.Object(name="DB"), 1)
    schema = state.Object(name="SC", parent=1, schema=state.Schema(dns_hash="k3m6"))
    put(mirrors.schemas, keys.catalog("schema"), schema, 2)
    with feeding(mirrors, directory, changed):
        assert changes == 2
        service = state.Object(name="ECHO_SERVICE", parent=2)
        put(mirrors.services, keys.catalog("service"), service, 3)
        put(mirrors.endpoints, keys.ENDPOINTS, state.Endpoint(address="10.244.1.10"), 3, 0)
        status = state.ServiceStatus(service_address="10.245.1.0", ready_instances=0)
        put(mirrors.statuses, keys.SERVICE_STATUS, status, 3)
        assert directory.lookup(ECHO) == Found(("10.245.1.0",))
        assert directory.lookup(INSTANCES) == Found(("10.244.1.10",))
        assert changes == 5
        status.ready_instances = 1
        put(mirrors.statuses, keys.SERVICE_STATUS, status, 3)
        assert changes == 5  # readiness is nothing that an answer shows
        put(mirrors.endpoints, keys.ENDPOINTS, None, 3, 0)
        assert directory.lookup(INSTANCES) == Found()
        pool = state.Object(name="POOL_A")
        put(mirrors.pools, keys.catalog("compute_pool"), pool, 7)
        vm = state.Vm(compute_pool=7, underlay_address="10.246.0.11")
        put(mirrors.vms, keys.VMS, vm, "local", "n1")
        discover = ("discover", "monitor", "pool-a", "cp", "spcs", "internal")
        assert directory.lookup(discover) == Found(("10.246.0.11",), (("n1", "10.246.0.11"),))
        put(mirrors.vms, keys.VMS, None, "local", "n1")
        assert directory.lookup(discover) == Found()
        service.dropped_on.CopyFrom(Timestamp(seconds=1))
        put(mirrors.services, keys.catalog("service"), service, 3)
        assert directory.lookup(ECHO) is None
