import threading

from kilonova.operations.doorbell import Doorbell


def test_a_ring_wakes_the_one_who_waits_for_this_server() -> None:
    bell = Doorbell()
    woken: list[bool] = []
    waiter = threading.Thread(target=lambda: woken.append(bell.wait("a", 5)))
    waiter.start()
    while waiter.is_alive():
        bell.ring("b")
        bell.ring("a")
        waiter.join(0.001)
    assert woken == [True]


def test_nobody_rings() -> None:
    bell = Doorbell()
    bell.ring("a")  # nobody waits: forgotten
    assert bell.wait("a", 0.001) is False
