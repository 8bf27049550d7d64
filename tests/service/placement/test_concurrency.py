"""Writers at the same time: no over-commit, nothing lost, no 500."""

import threading
from collections import Counter
from typing import Any

import pytest

WRITERS, CLAIMS = 8, 12


@pytest.mark.parametrize("providers", [1, 20])
def test_claims_of_eight_writers(api: Any, providers: int) -> None:
    """Room for half of the claims on one provider, for all on many."""
    room = WRITERS * CLAIMS // 2 if providers == 1 else WRITERS * CLAIMS
    for i in range(providers):
        api.provider(f"cn{i}", {"VCPU": room, "MEMORY_MB": 100_000})
    outcomes: Counter[int] = Counter()
    held: Counter[str] = Counter()
    lock = threading.Lock()

    def write(writer: int) -> None:
        for n in range(CLAIMS):
            where = sorted({f"cn{(writer * CLAIMS + n) % providers}", f"cn{n % providers}"}, reverse=bool(writer % 2))
            reply = api.claim(f"server-{writer}-{n}", {name: {"VCPU": 1, "MEMORY_MB": 8} for name in where})
            with lock:
                outcomes[reply.status_code] += 1
                if reply.status_code == 204:
                    held.update(where)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ({204: room, 409: room} if providers == 1 else {204: room})
    for i in range(providers):
        assert api.used(f"cn{i}") == {"VCPU": held[f"cn{i}"], "MEMORY_MB": 8 * held[f"cn{i}"]}


def test_one_consumer_is_made_once(api: Any) -> None:
    api.provider("cn", {"VCPU": 100})
    codes: list[int] = []

    def write() -> None:
        codes.append(api.claim("same", {"cn": {"VCPU": 1}}).status_code)

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [204] + [409] * (WRITERS - 1)
    assert api.used("cn") == {"VCPU": 1}
