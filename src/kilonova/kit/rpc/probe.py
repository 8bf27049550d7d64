"""Asks each broker of a ``transport_url`` by itself whether it lets us in, for ``kilonova doctor``.

oslo.messaging tries one after the other until one does; the library below it, amqp, tells them apart.
"""

import ssl
from dataclasses import dataclass
from typing import Any

import amqp
import amqp.exceptions

from kilonova.kit.options import BadConfiguration, Configuration
from kilonova.kit.rpc.library import complete, messaging

_SECONDS = 5
_PORT, _TLS_PORT = 5672, 5671


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one broker said."""

    host: str
    vhost: str
    trouble: str = ""
    """``closed``, ``refused``, ``vhost``, ``tls``, or nothing."""
    words: str = ""
    consumers: int = 0
    """How many listen to the queue that was asked about."""


def probe(configuration: Configuration, url: str, *, queue: str = "") -> list[Answer]:
    """One answer per broker of the URL, with the listeners of a queue. Raises BadConfiguration."""
    conf = complete(configuration.apart())
    try:
        parsed = messaging.TransportURL.parse(conf, url)
        messaging.get_rpc_transport(conf, url=url).cleanup()
    except (messaging.InvalidTransportURL, messaging.DriverLoadFailure) as error:
        raise BadConfiguration(reason=f"[DEFAULT] transport_url: {error}") from error
    vhost, secure = parsed.virtual_host or "/", _tls(conf.oslo_messaging_rabbit)
    return [_ask(host, vhost, queue, secure) for host in parsed.hosts]


def _tls(options: Any) -> dict[str, Any]:
    """Arguments of a TLS connection; empty for one without."""
    if not options.ssl:
        return {}
    found = {
        "ca_certs": options.ssl_ca_file or None,
        "certfile": options.ssl_cert_file or None,
        "keyfile": options.ssl_key_file or None,
    }
    return {
        **{k: v for k, v in found.items() if v},
        "cert_reqs": ssl.CERT_REQUIRED if options.ssl_ca_file else ssl.CERT_NONE,
    }


def _ask(host: Any, vhost: str, queue: str, secure: dict[str, Any]) -> Answer:
    place = f"{host.hostname}:{host.port or (_TLS_PORT if secure else _PORT)}"
    connection = amqp.Connection(
        host=place,
        userid=host.username,
        password=host.password,
        virtual_host=vhost,
        ssl=secure or False,
        connect_timeout=_SECONDS,
        read_timeout=_SECONDS,
    )
    try:
        connection.connect()
        return Answer(host=place, vhost=vhost, consumers=_consumers(connection, queue) if queue else 0)
    except amqp.exceptions.AccessRefused as error:
        return Answer(host=place, vhost=vhost, trouble="refused", words=str(error))
    except amqp.exceptions.NotAllowed as error:  # RabbitMQ's 530: the vhost is not there, or not this user's
        return Answer(host=place, vhost=vhost, trouble="vhost", words=str(error))
    except ssl.SSLError as error:
        return Answer(host=place, vhost=vhost, trouble="tls", words=str(error))
    except (OSError, amqp.exceptions.AMQPError) as error:
        return Answer(host=place, vhost=vhost, trouble="closed", words=str(error))
    finally:
        connection.collect()


def _consumers(connection: Any, queue: str) -> int:
    try:
        return int(connection.channel().queue_declare(queue, passive=True).consumer_count)
    except amqp.exceptions.NotFound:
        return 0
