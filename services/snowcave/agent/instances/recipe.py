"""From an assignment to the containers that it means: names, labels, environment, limits. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from snowcave.agent.engine.api import Container, ContainerId, Mount, Recipe, SandboxNames
from snowcave.model import names
from snowcave.v1 import state_pb2 as state

SANDBOX = "sandbox"
HOME_LABEL = "io.snowcave.home"
NODE_LABEL = "io.snowcave.node"
INSTANCE_LABEL = "io.snowcave.instance"
CONTAINER_LABEL = "io.snowcave.container"
DIGEST_LABEL = "io.snowcave.spec-digest"
# What a container has to remember of the runs before it, so that an agent needs no memory of its own.
RUN_LABEL = "io.snowcave.run"
STREAK_LABEL = "io.snowcave.streak"
LAST_EXIT_LABEL = "io.snowcave.last-exit"

# Within containers.
SESSION_FOLDER = "/snowflake/session"
CERTIFICATES_FOLDER = "/snowflake/certificates"
BUNDLE = "ca-bundle.pem"

_OTLP = "OTEL_EXPORTER_OTLP"

_SANDBOX_PIDS = 64
_LONGEST_HOSTNAME = 63


@dataclass(frozen=True, slots=True)
class Ground:
    """What all instances of a node share."""

    home: str
    node: str
    # host:port in image names.
    registry: str
    sandbox_image: str
    account: str
    # Name and address of the API inside containers.
    api_host: str
    api_address: str
    dns_address: str
    # Folders of the machine: of the tokens, with a folder an instance, and of the certificates to trust.
    # Empty: there is none.
    sessions: str = ""
    certificates: str = ""
    # The same for the volumes and the secrets of instances.
    volumes: str = ""
    secrets: str = ""
    # Where containers send metrics and traces, by gRPC and by HTTP; empty: nowhere.
    otlp_grpc: str = ""
    otlp_http: str = ""
    cgroup_parent: str = ""
    # The most a container may have; 0 where nobody said.
    cpu_milli: int = 0
    memory_bytes: int = 0

    @property
    def labels(self) -> dict[str, str]:
        return {HOME_LABEL: self.home, NODE_LABEL: self.node}


@dataclass(frozen=True, slots=True)
class Run:
    """Which run of a container this is. `streak` counts short runs in a row."""

    number: int = 0
    streak: int = 0
    last_exit: int | None = None

    @staticmethod
    def of(container: Container) -> "Run":
        last_exit = container.labels.get(LAST_EXIT_LABEL, "")
        return Run(
            number=int(container.labels.get(RUN_LABEL, "0")),
            streak=int(container.labels.get(STREAK_LABEL, "0")),
            last_exit=int(last_exit) if last_exit else None,
        )


def image_reference(ground: Ground, image: state.ImageRef) -> str:
    """As the node's engine pulls it: by digest, whatever the tag says meanwhile."""
    return f"{ground.registry}/{image.repository_path}/{image.image_name}@{image.digest}"


def sandbox(ground: Ground, want: state.Assignment) -> Recipe:
    """The container whose namespace the others join; all names are set on it."""
    identity = want.identity
    schema, database = (
        names.dns_label(identity.schema_name),
        names.dns_label(identity.database_name),
    )
    return Recipe(
        name=_name(ground, want.instance, SANDBOX, 0),
        image=ground.sandbox_image,
        labels=_labels(ground, want, SANDBOX),
        sandbox=SandboxNames(
            hostname=_hostname(want),
            dns=(ground.dns_address,),
            dns_search=(
                names.service_domain(identity.dns_hash),
                "svc.spcs.internal",
                "spcs.internal",
                f"{schema}.{database}.snowflakecomputing.internal",
                f"{database}.snowflakecomputing.internal",
            ),
            # The resolver's own patience is five seconds a try; ours answers within milliseconds or never.
            dns_options=("timeout:1", "attempts:3"),
            extra_hosts={ground.api_host: ground.api_address},
        ),
        cgroup_parent=ground.cgroup_parent,
        pids=_SANDBOX_PIDS,
    )


def container(
    ground: Ground,
    want: state.Assignment,
    spec: state.ContainerSpec,
    joins: ContainerId,
    run: Run,
    secrets: Mapping[str, str],
) -> Recipe:
    """`secrets`: the variables that secrets give it."""
    labels = _labels(ground, want, spec.name)
    labels |= {RUN_LABEL: str(run.number), STREAK_LABEL: str(run.streak)}
    if run.last_exit is not None:
        labels[LAST_EXIT_LABEL] = str(run.last_exit)
    return Recipe(
        name=_name(ground, want.instance, spec.name, run.number),
        image=image_reference(ground, spec.resolved),
        labels=labels,
        entrypoint=tuple(spec.command),
        command=tuple(spec.args),
        env={
            **_trust(ground),
            **_telemetry(ground, spec.env),
            **spec.env,
            **secrets,
            **_environment(ground, want),
        },
        mounts=_mounts(ground, want, spec),
        joins=joins,
        cgroup_parent=ground.cgroup_parent,
        cpu_milli=_at_most(spec.limits.cpu_milli, ground.cpu_milli),
        cpu_shares=max(2, spec.requests.cpu_milli * 1024 // 1000)
        if spec.requests.cpu_milli
        else 0,
        memory_bytes=_at_most(spec.limits.memory_bytes, ground.memory_bytes),
    )


def _mounts(
    ground: Ground, want: state.Assignment, spec: state.ContainerSpec
) -> tuple[Mount, ...]:
    mounts: list[Mount] = []
    if ground.sessions:
        mounts.append(Mount(f"{ground.sessions}/{want.instance}", SESSION_FOLDER))
    if ground.certificates:
        mounts.append(Mount(ground.certificates, CERTIFICATES_FOLDER))
    for index, secret in enumerate(spec.secrets):
        if secret.directory_path:
            source = f"{ground.secrets}/{want.instance}/{spec.name}/{index}"
            mounts.append(Mount(source, secret.directory_path))
    stages = {volume.name for volume in want.spec.volumes if volume.HasField("stage")}
    for mount in spec.volume_mounts:
        source = f"{ground.volumes}/{want.instance}/{mount.name}"
        follows = mount.name in stages
        mounts.append(Mount(source, mount.mount_path, writable=True, follows=follows))
    return tuple(mounts)


def _trust(ground: Ground) -> Mapping[str, str]:
    """Makes programs trust the API's certificate; a specification may say otherwise."""
    if not ground.certificates:
        return {}
    bundle = f"{CERTIFICATES_FOLDER}/{BUNDLE}"
    return dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), bundle)


def _telemetry(ground: Ground, env: Mapping[str, str]) -> Mapping[str, str]:
    """What OTLP clients look for. gRPC, unless the specification says that its clients speak HTTP."""
    if not ground.otlp_grpc:
        return {}
    spoken = env.get(f"{_OTLP}_PROTOCOL", "")
    found: dict[str, str] = {}
    for signal in ("METRICS", "TRACES"):
        by_http = env.get(f"{_OTLP}_{signal}_PROTOCOL", spoken).startswith("http")
        path = f"{ground.otlp_http}/v1/{signal.lower()}"
        found[f"{_OTLP}_{signal}_ENDPOINT"] = path if by_http else ground.otlp_grpc
    return found


def _environment(ground: Ground, want: state.Assignment) -> Mapping[str, str]:
    """Snowflake's own variables; a specification cannot override them."""
    known = {
        "SNOWFLAKE_ACCOUNT": ground.account,
        "SNOWFLAKE_HOST": ground.api_host,
        "SNOWFLAKE_DATABASE": want.identity.database_name,
        "SNOWFLAKE_SCHEMA": want.identity.schema_name,
        "SNOWFLAKE_SERVICE_NAME": want.identity.service_name,
    }
    if want.is_job:
        known["SNOWFLAKE_JOBS_COUNT"] = str(want.jobs_count or 1)
        known["SNOWFLAKE_JOB_INDEX"] = str(want.job_index)
    return known


def _labels(ground: Ground, want: state.Assignment, container: str) -> dict[str, str]:
    return {
        **ground.labels,
        INSTANCE_LABEL: want.instance,
        CONTAINER_LABEL: container,
        DIGEST_LABEL: want.spec_digest,
    }


def _name(ground: Ground, instance: str, container: str, run: int) -> str:
    """A container's own name holds no dot, so runs cannot collide with other containers."""
    name = f"sc-{ground.home}-{instance}-{container}"
    return f"{name}.{run}" if run else name


def _hostname(want: state.Assignment) -> str:
    suffix = f"-{want.instance_id}"
    service = names.dns_label(want.identity.service_name) or "service"
    return service[: _LONGEST_HOSTNAME - len(suffix)] + suffix


def _at_most(asked: int, most: int) -> int:
    """A limit above its parent's is refused by the kernel; none at all means the node's."""
    if not most:
        return asked
    return min(asked, most) if asked else most
