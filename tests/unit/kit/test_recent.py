from kilonova.kit.clock import ManualClock
from kilonova.kit.recent import Recent


class Source:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.asked


def test_a_value_is_kept_for_its_time() -> None:
    clock, source = ManualClock(), Source()
    recent: Recent[int] = Recent(5, clock=clock)
    assert [recent.get("a", source), recent.get("a", source)] == [1, 1]
    clock.advance(5)
    assert recent.get("a", source) == 2


def test_what_is_not_worth_keeping_is_asked_again() -> None:
    source = Source()
    recent: Recent[int] = Recent(5, clock=ManualClock())
    assert [recent.get("a", source, keep=lambda _: False) for _ in range(2)] == [1, 2]


def test_the_oldest_make_room() -> None:
    source = Source()
    recent: Recent[int] = Recent(5, size=2, clock=ManualClock())
    for key in ("a", "b", "c"):
        recent.get(key, source)
    assert recent.get("c", source) == 3
    assert recent.get("a", source) == 4
