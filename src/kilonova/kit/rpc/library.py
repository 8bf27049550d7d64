"""oslo.messaging, loaded once for all modules here and kept from eventlet."""

import warnings
from typing import Any

from oslo_config import cfg

from kilonova.kit.threads_only import without_eventlet

without_eventlet()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # oslo.messaging uses helpers of oslo.utils that are deprecated
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    import oslo_messaging
    from amqp.exceptions import AMQPError
    from kombu.exceptions import KombuError
    from oslo_messaging._drivers import amqpdriver
    from oslo_messaging._drivers.common import PURPOSE_SEND

messaging = oslo_messaging
__all__ = ["PURPOSE_SEND", "AMQPError", "KombuError", "complete", "messaging"]

# After each message the library's consumers wake in 1, 2, 4 … ms to send acknowledgements that other threads left for
# them. Those are notifications' alone: calls and casts are acknowledged where they arrive. A dozen wakings cost more
# than the message (4 of 7 ms of processor time a call, measured), so the first one waits as long as the last.
amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN = 1.0


def complete(conf: Any) -> Any:
    """Tracing and metrics want options in the transport's configuration, but register them on the global one alone."""
    for name, group in cfg.CONF._groups.items():  # noqa: SLF001  # oslo.config lists registered options nowhere else
        if name.startswith("oslo_messaging"):
            conf.register_opts([known["opt"] for known in group._opts.values()], group=name)  # noqa: SLF001  # the same
    return conf
