"""Resource classes and traits as names."""

from typing import Any

import pytest


def listed(api: Any, query: str) -> list[str]:
    return list(api.ok("GET", f"/traits?{query}")["traits"])


def test_standard_names_are_there(api: Any) -> None:
    classes = [one["name"] for one in api.ok("GET", "/resource_classes")["resource_classes"]]
    assert {"VCPU", "MEMORY_MB", "DISK_GB", "VGPU"} <= set(classes)
    assert {"HW_CPU_X86_AVX2", "MISC_SHARES_VIA_AGGREGATE"} <= set(api.ok("GET", "/traits")["traits"])
    link = {"rel": "self", "href": "/resource_classes/VCPU"}
    assert api.ok("GET", "/resource_classes/VCPU") == {"name": "VCPU", "links": [link]}
    assert api.call("GET", "/traits/HW_CPU_X86_AVX2").status_code == 204


def test_custom_classes(api: Any) -> None:
    made = api.call("POST", "/resource_classes", {"name": "CUSTOM_GOLD"})
    assert (made.status_code, made.headers["location"][-29:]) == (201, "/resource_classes/CUSTOM_GOLD")
    api.refused(409, "CUSTOM_GOLD", "POST", "/resource_classes", {"name": "CUSTOM_GOLD"})
    assert api.call("PUT", "/resource_classes/CUSTOM_GOLD").status_code == 204
    assert api.call("PUT", "/resource_classes/CUSTOM_IRON").status_code == 201
    api.provider("cn", {"CUSTOM_IRON": 1})
    api.refused(409, "in use", "DELETE", "/resource_classes/CUSTOM_IRON")
    assert api.call("DELETE", "/resource_classes/CUSTOM_GOLD").status_code == 204
    api.refused(404, "CUSTOM_GOLD", "GET", "/resource_classes/CUSTOM_GOLD")
    api.refused(404, "CUSTOM_GOLD", "DELETE", "/resource_classes/CUSTOM_GOLD")


def test_a_class_made_again_is_another(api: Any) -> None:
    api.ok("PUT", "/resource_classes/CUSTOM_GOLD")
    api.provider("cn", {"CUSTOM_GOLD": 1})
    api.ok("DELETE", f"/resource_providers/{api.uid('cn')}/inventories")
    api.ok("DELETE", "/resource_classes/CUSTOM_GOLD")
    api.ok("PUT", "/resource_classes/CUSTOM_GOLD")
    assert api.candidates("resources=CUSTOM_GOLD:1") == []
    api.provider("other", {"CUSTOM_GOLD": 1})
    assert api.candidates("resources=CUSTOM_GOLD:1") == ["other CUSTOM_GOLD=1"]


def test_rename_until_1_6(api: Any) -> None:
    api.provider("cn", {"CUSTOM_OLD": 4})
    api.claim("server", {"cn": {"CUSTOM_OLD": 3}})
    answer = api.ok("PUT", "/resource_classes/CUSTOM_OLD", {"name": "CUSTOM_NEW"}, version="1.6")
    assert answer["name"] == "CUSTOM_NEW"
    assert api.used("cn") == {"CUSTOM_NEW": 3}
    held = api.ok("GET", f"/allocations/{api.uid('server')}")["allocations"][api.uid("cn")]
    assert held["resources"] == {"CUSTOM_NEW": 3}
    api.refused(404, "CUSTOM_OLD", "GET", "/resource_classes/CUSTOM_OLD")
    api.refused(409, "CUSTOM_NEW", "PUT", "/resource_classes/CUSTOM_NEW", {"name": "CUSTOM_NEW"}, version="1.6")
    api.refused(400, "VCPU", "PUT", "/resource_classes/VCPU", {"name": "CUSTOM_X"}, version="1.6")
    api.refused(404, "CUSTOM_NO", "PUT", "/resource_classes/CUSTOM_NO", {"name": "CUSTOM_X"}, version="1.6")


@pytest.mark.parametrize("name", ["VCPU", "CUSTOM_lower", "CUSTOM_", "GOLD", "CUSTOM_" + "X" * 250])
def test_bad_custom_names(api: Any, name: str) -> None:
    api.refused(400, name[:40], "PUT", f"/resource_classes/{name}")
    api.refused(400, name[:40], "PUT", f"/traits/{name}")
    api.refused(400, "name", "POST", "/resource_classes", {"name": name})


def test_custom_traits(api: Any) -> None:
    assert api.call("PUT", "/traits/CUSTOM_FAST").status_code == 201
    again = api.call("PUT", "/traits/CUSTOM_FAST")
    assert (again.status_code, again.headers["location"][-19:]) == (204, "/traits/CUSTOM_FAST")
    api.provider("cn", traits=("CUSTOM_FAST", "STORAGE_DISK_SSD"))
    assert listed(api, "associated=true") == ["STORAGE_DISK_SSD", "CUSTOM_FAST"]
    assert "STORAGE_DISK_SSD" not in listed(api, "associated=false")
    api.refused(409, "in use", "DELETE", "/traits/CUSTOM_FAST")
    path = f"/resource_providers/{api.uid('cn')}/traits"
    api.ok("DELETE", path)
    assert api.call("DELETE", "/traits/CUSTOM_FAST").status_code == 204
    api.refused(404, "CUSTOM_FAST", "DELETE", "/traits/CUSTOM_FAST")
    api.refused(404, "CUSTOM_FAST", "GET", "/traits/CUSTOM_FAST")


def test_standard_names_stay(api: Any) -> None:
    api.refused(400, "standard", "DELETE", "/resource_classes/VCPU")
    api.refused(400, "standard", "DELETE", "/traits/HW_CPU_X86_AVX2")


def test_trait_filters(api: Any) -> None:
    assert listed(api, "name=in:HW_CPU_X86_AVX,HW_CPU_X86_AVX2,NONE") == ["HW_CPU_X86_AVX", "HW_CPU_X86_AVX2"]
    assert all(name.startswith("STORAGE_") for name in listed(api, "name=startswith:STORAGE_"))
    assert listed(api, "name=startswith:S%25") == []
    for query in ("name=HW", "name=like:HW", "associated=maybe", "colour=red", "name=in:A&name=in:B"):
        api.refused(400, query.partition("=")[0], "GET", f"/traits?{query}")
