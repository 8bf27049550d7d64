from typing import Any

import pytest

from kilonova.lab.networks import binding

PORT = {
    "network_id": "12345678-9abc-4def-8000-000000000000",
    "device_owner": "compute:nova",
    "admin_state_up": True,
    "binding:host_id": "h",
    "binding:vnic_type": "normal",
    "binding:vif_type": "unbound",
    "binding:vif_details": {},
    "status": "DOWN",
}


def _bound(failed: dict[str, str] | None = None, **changes: Any) -> tuple[str, str]:
    port = {**PORT, **changes}
    binding.bind(port, filtered=True, failed=failed or {})
    return port["binding:vif_type"], port["status"]


def test_a_host_makes_a_bridge_binding() -> None:
    port: dict[str, Any] = dict(PORT)
    assert binding.bind(port, filtered=False, failed={})
    assert port["binding:vif_details"] == {"bridge_name": "kn-12345678-9a", "port_filter": False, "connectivity": "l2"}
    assert port["status"] == "ACTIVE"
    assert not binding.bind(port, filtered=False, failed={}), "nothing changes the second time"


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"binding:host_id": ""}, ("unbound", "DOWN")),
        ({"admin_state_up": False}, ("bridge", "DOWN")),
        ({"binding:vnic_type": "direct"}, ("binding_failed", "DOWN")),
        ({"device_owner": "network:dhcp"}, ("unbound", "ACTIVE")),
        ({"device_owner": "network:floatingip"}, ("unbound", "N/A")),
    ],
)
def test_other_bindings(changes: dict[str, Any], wanted: tuple[str, str]) -> None:
    assert _bound(**changes) == wanted


def test_a_network_that_could_not_be_plumbed_fails_the_binding() -> None:
    assert _bound({str(PORT["network_id"]): "no"}) == ("binding_failed", "DOWN")


def test_tap_name_fits_an_interface() -> None:
    assert binding.tap_name("12345678-9abc-4def-8000-000000000000") == "tap12345678-9a"
