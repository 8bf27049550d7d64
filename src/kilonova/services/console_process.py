"""A console proxy as a process of its own. Tokens are redeemed over the bus; a proxy opens no database."""

from collections.abc import Callable, Mapping

from kilonova.console.proxy import ConsoleProxy
from kilonova.console.target import Redeem
from kilonova.kit.monitoring import Check
from kilonova.kit.options import Configuration
from kilonova.services.process import ProcessOptions, bus_of
from kilonova.services.redeem import redeemer


class ConsoleProcess:
    """The proxy that ``make`` gives, with a bus of its own."""

    def __init__(self, configuration: Configuration, make: Callable[[Redeem], ConsoleProxy]) -> None:
        self._bus = bus_of(configuration, configuration.section(ProcessOptions))
        self._proxy = make(redeemer(self._bus))

    @property
    def checks(self) -> Mapping[str, Check]:
        return {"broker": self._bus.check}

    def start(self) -> None:
        self._proxy.start()

    def stop(self) -> None:
        self._proxy.stop()
        self._bus.close()
