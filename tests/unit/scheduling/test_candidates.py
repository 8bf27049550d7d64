from typing import Any

from kilonova.scheduling.candidates import CandidateSet


def reply() -> dict[str, Any]:
    """Two hosts; the first can take its disk from a shared store or from itself."""
    return {
        "allocation_requests": [
            {"allocations": {"h1": {"resources": {"VCPU": 2}}, "store": {"resources": {"DISK_GB": 10}}}},
            {"allocations": {"h1": {"resources": {"VCPU": 2, "DISK_GB": 10}}}, "mappings": {"": ["h1"]}},
            {"allocations": {"numa": {"resources": {"VCPU": 2}}}},
        ],
        "provider_summaries": {
            "h1": {
                "root_provider_uuid": "h1",
                "resources": {"VCPU": {"capacity": 8, "used": 2}, "DISK_GB": {"capacity": 30, "used": 0}},
            },
            "store": {"root_provider_uuid": "store", "resources": {"DISK_GB": {"capacity": 15, "used": 0}}},
            "h2": {"root_provider_uuid": "h2", "resources": {}},
            "numa": {"root_provider_uuid": "h2", "resources": {"VCPU": {"capacity": 2, "used": 0}}},
        },
    }


def test_candidates_belong_to_the_root_of_their_providers() -> None:
    candidates = CandidateSet(reply())
    assert candidates.roots == {"h1", "store", "h2"}
    found = candidates.first("h2")
    assert found is not None
    assert found.allocations == {"numa": {"resources": {"VCPU": 2}}}
    assert candidates.first("unknown") is None


def test_what_is_taken_leaves_less_for_the_next() -> None:
    candidates = CandidateSet(reply())
    taken = []
    while (candidate := candidates.first("h1")) is not None:
        candidates.take(candidate)
        taken.append(candidate)
    assert len(taken) == 3  # six of eight vCPUs are free, two each
    assert "store" in taken[0].allocations
    assert taken[1].mappings == {"": ["h1"]}  # the shared store holds one disk only
    assert candidates.first("h2") is not None
