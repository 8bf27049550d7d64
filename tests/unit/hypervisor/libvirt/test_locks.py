import threading

from kilonova.hypervisor.libvirt.locks import KeyedLocks


def test_one_key_is_held_by_one_and_another_key_is_free() -> None:
    locks, order = KeyedLocks(), []
    started = threading.Event()

    def second() -> None:
        started.set()
        with locks.hold("a"):
            order.append("second")

    with locks.hold("a"):
        thread = threading.Thread(target=second)
        thread.start()
        assert started.wait(5)
        with locks.hold("b"):
            order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_locks_nobody_holds_are_forgotten() -> None:
    locks = KeyedLocks()
    with locks.hold("a"):
        pass
    assert locks._locks == {}
