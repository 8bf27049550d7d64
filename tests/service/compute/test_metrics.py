"""What a cloud tells of itself while servers come and go."""

import re
from pathlib import Path

import yaml
from tests.service.cloud import running, wait_for

from kilonova.kit.metrics import METRICS
from kilonova.kit.monitoring import PORTS
from kilonova.services.parts import checks_of


def told() -> dict[str, float]:
    lines = METRICS.text("application/openmetrics-text; version=1.0.0")[1].decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def some(found: dict[str, float], pattern: str) -> float:
    return sum(value for name, value in found.items() if re.fullmatch(pattern, name))


def test_the_numbers_of_a_server(tmp_path: Path) -> None:
    METRICS.turn_on()
    before = told()
    with running(tmp_path, filter_scheduler={"enabled_filters": ["ComputeFilter", "DifferentHostFilter"]}) as cloud:
        cloud.flavor()
        first = cloud.boot()["id"]
        hinted = {
            "server": {"name": "no", "imageRef": cloud.image.id, "flavorRef": "1", "networks": "none"},
            "os:scheduler_hints": {"different_host": [first]},
        }
        cloud.until(cloud.call("POST", "/servers", hinted).json["server"]["id"], "ERROR")
        wait_for(lambda: some(told(), r'kilonova_host_resources\{.*kind="used".*resource="guests"\}') >= 0)
        found = told()

        def grown(pattern: str) -> float:
            return some(found, pattern) - some(before, pattern)

        assert (
            grown(r'kilonova_http_request_seconds_count\{code="202",method="POST",route="/servers",service="compute"\}')
            == 2
        )
        assert grown(r'kilonova_http_request_seconds_count\{.*route="/servers/\{server_id\}".*\}') > 0
        assert grown(r'kilonova_http_request_seconds_count\{code="204",.*service="placement"\}') > 0
        assert grown(r'kilonova_operation_seconds_count\{outcome="done",verb="create"\}') == 1
        assert grown(r'kilonova_operation_seconds_count\{outcome="failed",verb="create"\}') == 1
        assert found['kilonova_scheduling_refusals_total{filter="DifferentHostFilter"}'] >= 1
        assert grown(r'kilonova_rpc_calls_total\{method="host.call",outcome="answered",topic="compute"\}') > 0
        assert grown(r'kilonova_sql_statements_total\{database="cell1.sqlite"\}') > 0
        assert some(found, r'kilonova_host_resources\{kind="total",.*resource="vcpus"\}') > 0
        assert found['kilonova_operations_waiting{cell="cell1"}'] == 0
        assert some(found, r'kilonova_loop_success_timestamp_seconds\{loop="sweep"\}') > 0


def test_readiness_of_databases(tmp_path: Path) -> None:
    with running(tmp_path) as cloud:
        checks = checks_of(cloud.store, cloud.bus)
        assert sorted(checks) == ["api database", "broker", "cells"]
        for check in checks.values():
            check()


def test_the_operators_page_tells_of_what_there_is() -> None:
    """Scrape file and alerts of docs/operations.md: they are YAML, and name metrics, labels and ports that exist."""
    page = Path(__file__).parents[3].joinpath("docs", "operations.md").read_text()
    scrape, alerts = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    targets = [t for config in scrape["scrape_configs"] for group in config["static_configs"] for t in group["targets"]]
    assert {int(target.rpartition(":")[2]) for target in targets} <= set(PORTS.values())
    assert all(str(port) in page for port in PORTS.values())
    METRICS.turn_on()
    text = METRICS.text("application/openmetrics-text; version=1.0.0")[1].decode()
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE kilonova_")}
    for family in families:
        assert family in page
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    for expression in (rule["expr"] for rule in rules):
        for name in re.findall(r"kilonova_[a-z_]+", expression):
            assert re.sub(r"_(total|count|bucket|sum)$", "", name) in families, expression
