"""Does the message broker let us in, and does anybody listen?"""

from collections.abc import Iterator

from kilonova.cli.doctor.contract import Finding, Patient, broken
from kilonova.kit.options import BadConfiguration
from kilonova.services.process import ProcessOptions

_FIXES = {
    "closed": "start the broker, or correct host and port in [DEFAULT] transport_url",
    "refused": "correct user and password in [DEFAULT] transport_url (rabbitmqctl add_user, change_password)",
    "vhost": "rabbitmqctl add_vhost VHOST; rabbitmqctl set_permissions -p VHOST USER '.*' '.*' '.*'",
    "tls": "make [oslo_messaging_rabbit] ssl and its certificates agree with the broker's listener",
}
_CONDUCTOR = "conductor"


def look(patient: Patient) -> Iterator[Finding]:
    """Each broker of ``transport_url``, and who listens there."""
    url = patient.configuration.section(ProcessOptions).transport_url
    if url is None or url.startswith("local:"):
        if patient.is_lab:
            yield Finding("Broker", "the cloud is one process and needs none")
        return  # the configuration's checks have said that it is missing
    from kilonova.kit.rpc.probe import probe  # noqa: PLC0415  # loads the broker's libraries

    try:
        answers = probe(patient.configuration, url, queue=_CONDUCTOR)
    except BadConfiguration as error:
        yield broken("Broker", str(error), "as in: transport_url = rabbit://USER:PASSWORD@HOST:5672/")
        return
    for answer in answers:
        name = f"Broker {answer.host}"
        if answer.trouble:
            yield broken(name, answer.words, _FIXES[answer.trouble])
        else:
            yield Finding(name, f"it lets us into vhost {answer.vhost!r}")
    listening = [answer.consumers for answer in answers if not answer.trouble]
    if listening and not max(listening):
        yield broken("Conductors", "nobody listens for conductors' work", "start nova-conductor")
    elif listening:
        yield Finding("Conductors", f"{max(listening)} listen")
