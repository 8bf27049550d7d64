"""The shipped fake of the network service, behind the REST paths that its client asks for."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from kilonova.clients.neutron.fake import FakeNetworkApi
from kilonova.kit import codec
from kilonova.kit.errors import NotFound


class NetworkServer:
    """A WSGI application."""

    def __init__(self, api: FakeNetworkApi) -> None:
        self._api = api

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        resource, _, name = environ["PATH_INFO"].removeprefix("/v2.0/").partition("/")
        resource = resource.replace("-", "_")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            reply = self._reply(environ, resource, name, codec.loads(body) if body else {})
        except NotFound as error:
            start_response("404 Not Found", [("Content-Type", "application/json")])
            return [codec.dumps({"NeutronError": {"type": "NotFound", "message": str(error)}})]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [codec.dumps(reply)]

    def _reply(self, environ: dict[str, Any], resource: str, name: str, body: dict[str, Any]) -> Any:
        method, singular = environ["REQUEST_METHOD"], resource.removesuffix("s")
        if method == "DELETE":
            self._api.delete(resource, name)
            return {}
        if method == "PUT":
            return {singular: self._api.update(resource, name, body[singular])}
        if method == "POST" and singular in body:
            return {singular: self._api.create(resource, [body[singular]])[0]}
        if method == "POST":
            return {resource: self._api.create(resource, body[resource])}
        return {resource: self._api.rows(resource, parse_qsl(environ["QUERY_STRING"]))}
