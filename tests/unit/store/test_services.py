from sqlalchemy.engine import Connection

from kilonova.store import hosts, services


def test_filters_and_updates(cell: Connection) -> None:
    for host, binary in (("h", "nova-compute"), ("h", "nova-conductor"), ("g", "nova-compute")):
        hosts.heartbeat(cell, host, binary, f"{host}-{binary}", "now")
    services.update(cell, "g-nova-compute", {"disabled": True, "disabled_reason": "why"})
    assert [s["uuid"] for s in services.page(cell, host="h")] == ["h-nova-compute", "h-nova-conductor"]
    assert [s["uuid"] for s in services.page(cell, binary="nova-compute")] == ["h-nova-compute", "g-nova-compute"]
    assert [s["uuid"] for s in services.page(cell, disabled=True)] == ["g-nova-compute"]
    by_uuid = services.by_uuid(cell, "g-nova-compute")
    assert by_uuid is not None
    assert by_uuid["disabled_reason"] == "why"
    assert services.by_id(cell, by_uuid["id"]) == by_uuid
    assert services.by_id(cell, 77) is None
