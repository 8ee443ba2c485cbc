"""What every daemon tells of itself on /metrics, whatever it does besides."""

import time
from collections.abc import Generator
from contextlib import contextmanager

import prometheus_client

READY = prometheus_client.Gauge("snowcave_ready", "1 while every part of the daemon is ready.")
CALLS = prometheus_client.Counter(
    "snowcave_grpc_calls", "gRPC calls that were answered.", ["method", "code"]
)
CALL_SECONDS = prometheus_client.Histogram(
    "snowcave_grpc_call_seconds",
    "How long gRPC calls with one answer took.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
RECONCILES = prometheus_client.Counter(
    "snowcave_reconciles",
    "Reconciles, by how they ended: done, retry, refused or bug.",
    ["outcome"],
)


@contextmanager
def timed(method: str) -> Generator[None]:
    """The duration of one call, however it ends."""
    began = time.perf_counter()
    try:
        yield
    finally:
        CALL_SECONDS.labels(method).observe(time.perf_counter() - began)
