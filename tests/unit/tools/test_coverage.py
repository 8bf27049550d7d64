from tests.unit.tools.test_lifecycle import tool

from kilonova.kit.http.endpoint import Endpoint


def test_the_page_is_current() -> None:
    page = tool("coverage")
    assert page.PAGE.read_text() == page.page(), "run `make docs`"


def test_a_route_is_served_when_both_its_ends_are() -> None:
    page = tool("coverage")
    row = page.Route("g", "GET", "/a/{x}", "", (2, 1), (2, 35))
    whole = Endpoint(method="GET", path="/a/{y}", handler=lambda _call: None)
    late = Endpoint(method="GET", path="/a/{y}", handler=lambda _call: None, since=(2, 2))
    assert page.served([row], [whole]) == [(row, True)]
    assert page.served([row], [late]) == [(row, False)]
    assert page.served([row], []) == [(row, False)]
