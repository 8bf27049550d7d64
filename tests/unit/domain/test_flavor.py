from kilonova.domain.flavor import embedded


def test_a_server_keeps_the_flavor_as_it_was() -> None:
    row = {
        "flavor_id": "7",
        "name": "m1",
        "vcpus": 2,
        "memory_mb": 512,
        "root_gb": 3,
        "ephemeral_gb": 4,
        "swap_mb": 5,
    }
    assert embedded(row, {"a": "b"}) == {
        "id": "7",
        "original_name": "m1",
        "vcpus": 2,
        "ram": 512,
        "disk": 3,
        "ephemeral": 4,
        "swap": 5,
        "extra_specs": {"a": "b"},
    }
