from collections.abc import Callable, Iterable
from typing import Any
from urllib.request import urlopen

import pytest

from kilonova.kit.http.serve import PortTaken, ThreadedServer


def hello(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves a refused socket
def test_serves_until_it_is_stopped_and_says_when_the_port_is_taken() -> None:
    server = ThreadedServer(hello, "127.0.0.1", 0, name="test", threads=1)
    server.start()
    url = f"http://127.0.0.1:{server.port}/"
    with urlopen(url, timeout=10) as reply:
        assert reply.read() == b"hello"
    with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{server.port}: .*(use|socket)"):
        ThreadedServer(hello, "127.0.0.1", server.port, name="other").start()
    server.stop()
    with pytest.raises(OSError, match="refused"):
        urlopen(url, timeout=10)
