import pytest

from kilonova.domain import server_group
from kilonova.kit.errors import Invalid


def test_rules_are_for_anti_affinity() -> None:
    server_group.check_rules("anti-affinity", {"max_server_per_host": 2})
    server_group.check_rules("affinity", {})
    with pytest.raises(Invalid, match="rules"):
        server_group.check_rules("soft-anti-affinity", {"max_server_per_host": 2})
