"""The bus over a broker, by oslo.messaging: its reconnects, failover, TLS and quorum queues are hard-won.

One transport per process. Every message goes to the one method ``deliver`` with the real method's name inside, so that
the endpoint object needs no reflection and errors cross the wire in our own form.
"""

import logging
from collections.abc import Mapping
from typing import Any

import oslo_messaging

from kilonova.kit import codec
from kilonova.kit.options import Configuration
from kilonova.kit.rpc.contract import Address, Handler, Listener, NoAnswer, Payload, unwrap, wrap_error

LOG = logging.getLogger(__name__)
_NAMESPACE = "kilonova"


class _Endpoint:
    target = oslo_messaging.Target(namespace=_NAMESPACE, version="1.0")

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def deliver(self, _context: Any, method: str, data: str) -> str:
        """One message in, one reply out."""
        try:
            return codec.text({"result": self._handlers[method](codec.loads(data))})
        except Exception as error:  # every failure must reach the caller as a reply
            LOG.debug("%s failed", method, exc_info=True)
            return codec.text(wrap_error(error))


class _Listener:
    def __init__(self, server: Any) -> None:
        self._server = server

    def stop(self) -> None:
        """Take no more messages; running handlers finish."""
        self._server.stop()
        self._server.wait()


class RabbitBus:
    """``transport_url`` and ``[oslo_messaging_rabbit]`` configure it as they do upstream."""

    def __init__(self, configuration: Configuration, url: str | None = None) -> None:
        self._transport = oslo_messaging.get_rpc_transport(configuration.oslo, url=url)

    def _client(self, address: Address, timeout: float | None) -> Any:
        target = oslo_messaging.Target(topic=address.topic, server=address.server, namespace=_NAMESPACE, version="1.0")
        return oslo_messaging.get_rpc_client(self._transport, target, timeout=timeout)

    def call(self, address: Address, method: str, payload: Payload, *, timeout: float) -> Any:
        """Raises NoAnswer."""
        try:
            reply = self._client(address, timeout).call({}, "deliver", method=method, data=codec.text(payload))
        except (oslo_messaging.MessagingTimeout, oslo_messaging.MessageDeliveryFailure) as error:
            raise NoAnswer(topic=address.topic, server=address.server or "any", seconds=timeout) from error
        return unwrap(codec.loads(reply))

    def cast(self, address: Address, method: str, payload: Payload) -> None:
        """A broker that cannot be reached costs time, not the work: the journal's sweep finds it."""
        try:
            self._client(address, None).cast({}, "deliver", method=method, data=codec.text(payload))
        except oslo_messaging.MessageDeliveryFailure as error:
            LOG.warning("Could not send %s to %s: %s", method, address.topic, error)

    def serve(self, address: Address, handlers: Mapping[str, Handler], *, threads: int = 16) -> Listener:
        """Listen on the topic and on this server's own queue."""
        target = oslo_messaging.Target(topic=address.topic, server=address.server)
        server = oslo_messaging.get_rpc_server(
            self._transport, target, [_Endpoint(dict(handlers))], executor="threading"
        )
        self._transport.conf.set_override("executor_thread_pool_size", threads)
        server.start()
        return _Listener(server)

    def close(self) -> None:
        """Drop connections."""
        self._transport.cleanup()
