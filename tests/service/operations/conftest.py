"""One site with two hosts for the stories of a module."""

from collections.abc import Iterator

import pytest
from tests.service.operations.crash import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    made.open()
    yield made
    made.stop()
