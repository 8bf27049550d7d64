import threading

from kilonova.kit.loops import Loop


def test_a_failure_is_followed_by_a_quick_second_try() -> None:
    again = threading.Event()
    tries: list[int] = []

    def work() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ValueError("once")
        again.set()

    loop = Loop("test", 3600, work)
    loop.start()
    assert again.wait(10)
    loop.stop()
    assert tries == [0, 1]
