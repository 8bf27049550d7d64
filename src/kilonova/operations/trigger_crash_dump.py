"""Making the guest write a crash dump. It changes nothing that the server's row says."""

from kilonova.operations.accepting import NoFields
from kilonova.operations.power import NotOnHost
from kilonova.operations.work import Outcome, Work


def run(work: Work, command: NoFields) -> Outcome:
    """The guest has got its interrupt; what it does with it is its own affair."""
    del command
    host = work.server()["host"]
    if not host:
        raise NotOnHost(uuid=work.uuid)
    arguments = {"uuid": work.uuid}
    work.step("host", lambda: work.tools.hosts.ask(host, "inject_nmi", arguments, operation=work.id), host=host)
    return Outcome(aside=True)
