"""The bus over a broker, by oslo.messaging: its reconnects, failover, TLS and quorum queues are hard-won.

One transport per process. Every message goes to the one method ``deliver`` with the real method's name inside, so that
the endpoint object needs no reflection and errors cross the wire in our own form.
"""

import logging
import threading
import warnings
from collections.abc import Mapping
from typing import Any

from kilonova.kit import codec, logs
from kilonova.kit.errors import Unavailable
from kilonova.kit.options import BadConfiguration, Configuration
from kilonova.kit.rpc.contract import (
    Address,
    BrokerAway,
    Handler,
    Listener,
    NoAnswer,
    Payload,
    counted,
    unwrap,
    wrap_error,
)
from kilonova.kit.rpc.library import PURPOSE_SEND, AMQPError, KombuError, complete
from kilonova.kit.rpc.library import messaging as oslo_messaging
from kilonova.kit.rpc.probe import probe

LOG = logging.getLogger(__name__)
_UNANSWERED = (oslo_messaging.MessagingTimeout, oslo_messaging.MessageUndeliverable)
_UNSENT = (oslo_messaging.MessageDeliveryFailure, KombuError, AMQPError, OSError)
"""Beside its own error the library lets through whatever its connection meets while it is made anew."""
_NAMESPACE = "kilonova"
_VERSION = "1.0"
_NOTICED = oslo_messaging.TransportOptions(at_least_once=True)
"""The broker says at once when nobody has ever listened, instead of leaving us to wait."""
_CLOSE_SECONDS = 1.0
_RETRIES = 2
"""Further tries to send while the broker is away: unlimited by default, whatever timeout a call has."""


class _Endpoint:
    target = oslo_messaging.Target(namespace=_NAMESPACE, version=_VERSION)

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    def deliver(self, context: Any, name: str, data: str) -> str:
        """One message in, one reply out; the context is what it is about, for logs."""
        before = logs.begin(**context)
        try:
            return codec.text({"result": self._handlers[name](codec.loads(data))})
        except Exception as error:  # every failure must reach the caller as a reply
            LOG.debug("%s failed", name, exc_info=True)
            return codec.text(wrap_error(error))
        finally:
            logs.end(before)


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
        """Raises BadConfiguration; connects only when first used."""
        try:
            self._transport = oslo_messaging.get_rpc_transport(complete(configuration.apart()), url=url)
        except (oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure) as error:
            raise BadConfiguration(reason=f"[DEFAULT] transport_url: {error}") from error
        self._reached = False
        self._clients: dict[Address, Any] = {}
        self._configuration = configuration
        self._url = url
        self._listeners: list[_Listener] = []
        self._lock = threading.Lock()

    def _client(self, address: Address) -> Any:
        known = self._clients.get(address)
        if known is None:
            target = oslo_messaging.Target(
                topic=address.topic, server=address.server, namespace=_NAMESPACE, version=_VERSION
            )
            known = self._clients[address] = oslo_messaging.get_rpc_client(self._transport, target)
        return known

    def call(self, address: Address, method: str, payload: Payload, *, timeout: float) -> Any:
        """Raises NoAnswer, BrokerAway."""
        client = self._client(address).prepare(timeout=timeout, retry=_RETRIES, transport_options=_NOTICED)

        def ask() -> Any:
            try:
                self._reach()
                reply = client.call(logs.facts(), "deliver", name=method, data=codec.text(payload))
            except _UNANSWERED as error:
                raise NoAnswer(topic=address.topic, server=address.server or "any", seconds=timeout) from error
            except _UNSENT as error:
                raise BrokerAway(reason=error) from error
            return unwrap(codec.loads(reply))

        return counted(address, method, ask)

    def _reach(self) -> None:
        """The library waits without end for its first connection for replies, so be sure that there is a broker."""
        if not self._reached:
            with self._transport._driver._get_connection(PURPOSE_SEND, _RETRIES):  # noqa: SLF001  # the reason is above
                self._reached = True

    def cast(self, address: Address, method: str, payload: Payload) -> None:
        """A broker that cannot be reached costs time, not the work: the journal's sweep finds it."""
        client = self._client(address).prepare(retry=_RETRIES)
        try:
            client.cast(logs.facts(), "deliver", name=method, data=codec.text(payload))
        except _UNSENT as error:
            LOG.warning("Could not send %s to %s: %s", method, address.topic, error)

    def serve(self, address: Address, handlers: Mapping[str, Handler], *, threads: int = 16) -> Listener:
        """Listen on the topic and on this server's own queue."""
        target = oslo_messaging.Target(topic=address.topic, server=address.server)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # naming the executor is deprecated, and the only way to be sure of it
            server = oslo_messaging.get_rpc_server(
                self._transport, target, [_Endpoint(dict(handlers))], executor="threading"
            )
        server.start(override_pool_size=threads)
        listener = _Listener(server)
        with self._lock:
            self._listeners.append(listener)
        return listener

    def check(self) -> None:
        """Log in to the brokers, one after the other, until one lets us in. Raises Unavailable."""
        asked = probe(self._configuration, self._url or self._configuration.oslo.transport_url)
        if all(answer.trouble for answer in asked):
            raise Unavailable("; ".join(f"broker {answer.host}: {answer.words}" for answer in asked))

    def close(self) -> None:
        """Stop every server and drop connections; calls that wait for an answer are given up with the process."""
        with self._lock:
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.stop()
        # The library waits for its reader of replies, and that for the next one, which a call in flight may never get.
        closing = threading.Thread(target=self._transport.cleanup, name="bus-close", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)
