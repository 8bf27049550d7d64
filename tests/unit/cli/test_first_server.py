from kilonova.cli.first_server import summary, tail

READY = "GUEST READY hostname=first ip=10.0.0.3"


def test_tail_ends_with_the_ready_line_without_control_characters() -> None:
    noise = "".join(f"line {number}\r\n" for number in range(9))
    text = f"{noise}\n\x1b[6n/ # \x1b[1;32m{READY}\x1b[0m\r\nlater\r\n"
    assert tail(text) == [*(f"line {number}" for number in (4, 5, 6, 7, 8)), f"/ # {READY}"]


def test_tail_without_a_ready_line_and_of_nothing() -> None:
    assert tail("one\ntwo\n") == ["one", "two"]
    assert tail("") == []


def test_the_last_ready_line_counts() -> None:
    assert tail(f"{READY} uptime=1\n{READY} uptime=2\nx\n")[-1] == f"{READY} uptime=2"


def test_summary() -> None:
    server = {
        "name": "first",
        "id": "42",
        "status": "ACTIVE",
        "addresses": {"a": [{"addr": "10.0.0.3"}], "b": [{"addr": "fd00::3"}]},
    }
    text = summary(server, f"{READY}\n", "http://console", "kilonova")
    for words in ("first  42", "Status       ACTIVE", "10.0.0.3, fd00::3", f"    {READY}", "http://console"):
        assert words in text
    assert len([line for line in text.splitlines() if line.startswith("    openstack --os-cloud kilonova ")]) == 3
