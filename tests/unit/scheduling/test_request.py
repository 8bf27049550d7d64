import pytest

from kilonova.kit.codec import dumps, loads, pack, unpack
from kilonova.scheduling.request import FlavorFacts, GroupFacts, ImageFacts, ResourceGroup, ServerRequest

FULL = ServerRequest(
    ("s1", "s2"),
    "project",
    "user",
    FlavorFacts("m1", 2, 512, 10, 5, 100, {"hw:cpu_policy": "shared"}),
    image=ImageFacts("i", "qcow2", {"os_distro": "debian", "hw_cpu_cores": 2}),
    availability_zone="west",
    requested_host="h1",
    hints={"different_host": ["a", "b"], "query": "[]"},
    group=GroupFacts("g", "anti-affinity", 2, {"h1": 1}),
    resource_groups=(ResourceGroup("-port", {"NET_BW_EGR_KILOBIT_PER_SEC": 10}, ("CUSTOM_X",), (), (("a", "b"),)),),
    same_subtree=(("-port", "-nic"),),
    ignore_hosts=frozenset({"h3"}),
    tried_hosts=frozenset({"h4"}),
)


def test_a_request_survives_the_wire() -> None:
    assert unpack(loads(dumps(pack(FULL))), ServerRequest) == FULL


@pytest.mark.parametrize(
    ("root", "ephemeral", "swap", "from_volume", "gib"),
    [
        (10, 0, 0, False, 10),
        (10, 5, 0, False, 15),
        (10, 0, 1, False, 11),
        (10, 0, 1024, False, 11),
        (10, 5, 1025, True, 7),
    ],
)
def test_local_disk_rounds_swap_up(root: int, ephemeral: int, swap: int, from_volume: bool, gib: int) -> None:
    flavor = FlavorFacts("m1", 1, 512, root, ephemeral, swap)
    assert ServerRequest(("s",), "p", "u", flavor, boot_from_volume=from_volume).disk_gb == gib


def test_hints_come_as_text_or_list() -> None:
    assert FULL.hint_list("different_host") == ("a", "b")
    assert FULL.hint_list("query") == ("[]",)
    assert FULL.hint("different_host") == "a"
    assert FULL.hint("none") is None
    assert FULL.count == 2
