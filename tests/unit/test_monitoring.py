"""deploy/monitoring: what Prometheus scrapes is served, and what the dashboard shows is exported."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import prometheus_client
import pytest
import yaml

from snowcave.agent.telemetry import catalogue
from snowcave.agent.telemetry.pool_metrics import PORT
from snowcave.model.keys import Role
from snowcave.runtime.mesh import Mesh

FOLDER = Path(__file__).parents[2] / "deploy/monitoring"
DAEMONS = [role for role in Role if role is not Role.ADMIN]
# Of the pools' own page on port 9001.
POOL_METRICS = {"node_cpu_capacity", "node_memory_capacity"} | {
    name.replace(".", "_") for name in catalogue.UNITS
}
_NAME = re.compile(r"\b(?:snowcave|process|node|container|network|volume)_[a-z_]+")


def exported() -> set[str]:
    """Every name that a daemon of ours may show on /metrics."""
    for role in DAEMONS:
        importlib.import_module(f"snowcave.{role}.main")
    names: set[str] = set()
    for family in prometheus_client.REGISTRY.collect():
        suffixes = {
            "counter": ("_total",),
            "histogram": ("_bucket", "_sum", "_count"),
        }.get(family.type, ("",))
        names |= {family.name + suffix for suffix in suffixes}
    return names


def queries() -> list[str]:
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_every_metric_that_the_dashboard_shows_is_exported():
    shown = {name for query in queries() for name in _NAME.findall(query)}
    assert len(shown) > 30
    assert shown - exported() - POOL_METRICS == set()


def test_every_metric_of_ours_says_whose_it_is():
    ours = {name for name in exported() if name.startswith("snowcave_")}
    assert all(re.fullmatch(r"[a-z_]+", name) for name in ours)


@pytest.fixture
def jobs() -> dict[str, Any]:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    return {job["job_name"]: job for job in config["scrape_configs"]}


def test_every_daemon_is_scraped_on_its_admin_port(jobs: dict[str, Any]):
    targets = {
        one["labels"]["daemon"]: one["targets"] for one in jobs["snowcave"]["static_configs"]
    }
    mesh = Mesh()
    assert targets == {
        str(role): [f"127.0.0.1:{mesh.admin_port(role)}"]
        for role in DAEMONS
        if role is not Role.AGENT
    }


def test_nodes_are_found_by_name(jobs: dict[str, Any]):
    ports = {
        name: jobs[name]["dns_sd_configs"][0]["port"]
        for name in ("snowcave-agents", "snowcave-pools")
    }
    assert ports == {
        "snowcave-agents": Mesh().admin_port(Role.AGENT),
        "snowcave-pools": PORT,
    }
