import threading

from kilonova.agent.attention import Attention


def test_changes_that_come_together_are_looked_at_once_and_again_when_settled() -> None:
    looks: list[float] = []
    twice = threading.Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 2:
            twice.set()

    attention = Attention(look, soon=0.05, settled=0.15)
    for _ in range(5):
        attention.changed("u")
    assert twice.wait(10)
    attention.stop()
    assert len(looks) == 2
    attention.changed("u")  # it has stopped, and forgets
