"""A guest that powers itself off is a stopped server soon, however seldom hosts compare."""

from pathlib import Path

from tests.service.cloud import running, wait_for

from kilonova.store import servers


def test_at_once(tmp_path: Path) -> None:
    with running(tmp_path, DEFAULT={"compute_driver": "fake.FakeDriver", "sync_power_state_interval": 600}) as cloud:
        cloud.flavor()
        server = cloud.boot()["id"]
        with cloud.store.home.database.write() as connection:  # one of just now would be left alone for a while
            servers.update(connection, server, {"updated_at": "2026-01-01T00:00:00.000000"})
        cloud.hosts["host1"].driver.shut_itself_down(server)
        found = cloud.until(server, "SHUTOFF")
        assert found["OS-EXT-STS:power_state"] == 4


def test_cors_for_pages_of_the_dashboard(tmp_path: Path) -> None:
    page = "https://dashboard.example.com"
    with running(tmp_path, cors={"allowed_origin": [page]}) as cloud:
        asked = {"Origin": page, "Access-Control-Request-Method": "POST"}
        permission = cloud.client.simulate_request("OPTIONS", "/v2.1/servers", headers=asked)
        assert permission.status_code == 204
        assert permission.headers["Access-Control-Allow-Methods"] == "POST"
        plain = cloud.client.simulate_request("GET", "/", headers={"Origin": page})
        assert plain.headers["Access-Control-Allow-Origin"] == page
        wait_for(lambda: "Access-Control-Allow-Origin" not in cloud.client.simulate_request("GET", "/").headers)
