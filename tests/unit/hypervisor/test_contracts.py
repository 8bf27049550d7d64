from typing import Any

import pytest

from kilonova.hypervisor.contracts import GuestSpec, VolumeDisk


@pytest.mark.parametrize(("index", "boots"), [(None, False), (1, False), (0, True)])
def test_a_guest_boots_from_the_volume_with_index_0(index: int | None, *, boots: bool) -> None:
    volume = VolumeDisk(volume_id="v", connection={}, device_name="/dev/vda", boot_index=index)
    who: dict[str, Any] = {
        "uuid": "u",
        "name": "n",
        "display_name": "d",
        "project_id": "p",
        "user_id": "u",
        "flavor_name": "f",
    }
    assert GuestSpec(**who, vcpus=1, memory_mb=1, root_gb=1, volumes=(volume,)).boots_from_volume is boots
