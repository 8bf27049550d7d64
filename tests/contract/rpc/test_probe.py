"""What a real broker says to those whom it does not let in."""

from urllib.parse import urlsplit

import pytest
from deployment.client import until
from deployment.stack import Stack
from tests.contract.rpc.conftest import FIRST, Pair

from kilonova.kit.options import from_mapping
from kilonova.kit.rpc.contract import Address
from kilonova.kit.rpc.probe import probe

pytestmark = [pytest.mark.system, FIRST]


def test_each_broker_of_the_url_is_asked(stack: Stack) -> None:
    login, _, place = urlsplit(stack.transport_url).netloc.rpartition("@")
    urls = {
        "": f"rabbit://{login}@{place}/",
        "refused": f"rabbit://{login}wrong@{place}/",
        "vhost": f"rabbit://{login}@{place}/nowhere",
        "closed": f"rabbit://{login}@127.0.0.1:1/",
    }
    for trouble, url in urls.items():
        [answer] = probe(from_mapping({}), url, queue="nobody-listens")
        assert (answer.trouble, bool(answer.words), answer.consumers) == (trouble, bool(trouble), 0), url
    both = probe(from_mapping({}), f"rabbit://{login}@127.0.0.1:1,{login}@{place}/", queue="nobody-listens")
    assert [answer.trouble for answer in both] == ["closed", ""]


@pytest.mark.parametrize("pair", ["rabbit"], indirect=True)
def test_listeners_are_counted(pair: Pair, stack: Stack) -> None:
    listener = pair.server.serve(Address(pair.topic, "one"), {})

    def consumers() -> int:
        [answer] = probe(from_mapping({}), stack.transport_url, queue=pair.topic)
        return answer.consumers

    until("a consumer", lambda: consumers() == 1)  # it begins to listen in a thread of its own
    listener.stop()
