"""What users do in a storm: statements drawn at random. Pure."""

import random

SERVICES = ("s0", "s1", "s2")
POOLS = ("p0", "p1")
MOST_NODES = 3

_OF_SERVICES = ("good", "good", "slow", "stubborn", "missing", "crashing", "hungry")
_OF_JOBS = ("short", "short", "crashing", "hungry", "missing", "good")


def spec(image: str, cpu: float) -> str:
    resources = f"resources: {{requests: {{cpu: {cpu}, memory: 256Mi}}}}"
    return (
        "FROM SPECIFICATION $$spec: {containers: "
        f"[{{name: main, image: /d/public/r/{image}, {resources}}}], "
        "endpoints: [{name: web, port: 8080}]}$$"
    )


def _job_spec(image: str, cpu: float) -> str:
    return spec(image, cpu).replace(", endpoints: [{name: web, port: 8080}]", "")


def command(rng: random.Random, job: int) -> str:
    """One statement; many are refused, as they come in any order."""
    service, pool = rng.choice(SERVICES), rng.choice(POOLS)
    cpu, least = rng.choice([0.1, 0.3, 0.6]), rng.randint(1, 3)
    counts = f"MIN_INSTANCES={least} MAX_INSTANCES={least + rng.randint(0, 1)}"
    image, ends = rng.choice(_OF_SERVICES), rng.choice(_OF_JOBS)
    nodes = rng.randint(1, MOST_NODES)
    choices = [
        (6, f"CREATE SERVICE {service} IN COMPUTE POOL {pool} {spec(image, cpu)} {counts}"),
        (3, f"ALTER SERVICE {service} {spec(image, cpu)}"),
        (2, f"ALTER SERVICE {service} SET {counts}"),
        (2, f"ALTER SERVICE {service} SUSPEND"),
        (3, f"ALTER SERVICE {service} RESUME"),
        (2, f"DROP SERVICE {service}"),
        (
            3,
            f"EXECUTE JOB SERVICE IN COMPUTE POOL {pool} NAME=j{job} ASYNC=TRUE "
            f"REPLICAS={rng.randint(1, 2)} {_job_spec(ends, cpu)}",
        ),
        (1, f"SELECT SYSTEM$CANCEL_JOB('J{rng.randint(0, max(0, job))}')"),
        (1, f"DROP SERVICE j{rng.randint(0, max(0, job))}"),
        (2, f"ALTER COMPUTE POOL {pool} SUSPEND"),
        (3, f"ALTER COMPUTE POOL {pool} RESUME"),
        (1, f"ALTER COMPUTE POOL {pool} STOP ALL"),
        (2, f"ALTER COMPUTE POOL {pool} SET MIN_NODES=1 MAX_NODES={nodes}"),
        (1, f"DROP COMPUTE POOL {pool}"),
        (3, create_pool(pool, nodes)),
    ]
    return rng.choices([sql for _, sql in choices], [weight for weight, _ in choices])[0]


def create_pool(pool: str, nodes: int) -> str:
    return (
        f"CREATE COMPUTE POOL IF NOT EXISTS {pool} MIN_NODES=1 MAX_NODES={nodes} "
        "INSTANCE_FAMILY=CPU_X64_XS"
    )
