"""Settings of the scheduler. Durations in seconds."""

from dataclasses import dataclass, field

from snowcave.runtime.mesh import Mesh
from snowcave.scheduler.autoscaling.evaluate import Pace


@dataclass(frozen=True)
class SchedulerSettings:
    mesh: Mesh
    # Lease of the leader: a standby takes over this long after the leader died.
    reign: float = 10.0
    # From the moment a node's key vanished until its instances are placed anew.
    node_grace: float = 15.0
    # A node without instances, beyond MIN_NODES, is given back after this time.
    idle_node: float = 300.0
    # The containers of a job that has ended stay for this long, for those who read their logs.
    job_linger: float = 60.0
    # Everything is looked at again this often, whatever was heard.
    resync: float = 60.0
    # Until our own write shows in our mirrors.
    catch_up: float = 5.0
    # One call of CatalogService.
    forget: float = 5.0
    # One node's data points: each of its containers is asked for what it uses.
    measure: float = 10.0
    # Until platform events are on the event table's disk.
    append: float = 30.0
    autoscaling: Pace = field(default_factory=Pace)
