import pytest

from kilonova.kit.url_template import BadTemplate, fill

URL = "mysql+pymysql://nova:p%40ss@db.example:3307/nova?charset=utf8mb4"


@pytest.mark.parametrize(
    ("template", "url", "filled"),
    [
        ("mysql://a:b@c/d", URL, "mysql://a:b@c/d"),
        (
            "mysql://{username}:{password}@{hostname}/nova_cell1?{query}",
            URL,
            "mysql://nova:p%40ss@db.example/nova_cell1?charset=utf8mb4",
        ),
        ("{scheme}://u:p@h:{port}/{path}", URL, "mysql+pymysql://u:p@h:3307/nova"),
        ("rabbit://{username2}@{hostname2}:{port1}/", "rabbit://a:1@one:5,b:2@two:6/", "rabbit://b@two:5/"),
        ("x://{hostname}/", "x://u@[::1]:5/", "x://[::1]/"),
    ],
)
def test_holes_are_filled_from_the_configured_url(template: str, url: str, filled: str) -> None:
    assert fill(template, url) == filled


def test_a_hole_that_nothing_fills_is_named_without_the_secrets_around_it() -> None:
    with pytest.raises(BadTemplate, match=r"has \{hostname2\}") as refused:
        fill("rabbit://u:secret@{hostname2}/", "rabbit://one/")
    assert "secret" not in str(refused.value)
