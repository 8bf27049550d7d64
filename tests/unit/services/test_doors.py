import pytest

from kilonova.services.doors import arguments_of


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, []),
        ({"OS_NOVA_CONFIG_DIR": "/srv"}, ["--config-file", "/srv/nova.conf"]),
        (
            {"OS_NOVA_CONFIG_FILES": "nova.conf;/srv/more.conf"},
            ["--config-file", "/etc/nova/nova.conf", "--config-file", "/srv/more.conf"],
        ),
        ({"KILONOVA_API_ARGUMENTS": '["--config-file", "x"]', "OS_NOVA_CONFIG_DIR": "/srv"}, ["--config-file", "x"]),
    ],
)
def test_where_a_wsgi_server_says_the_configuration_is(environment: dict[str, str], words: list[str]) -> None:
    assert arguments_of(environment) == words
