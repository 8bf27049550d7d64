"""Is what the files say complete, known, and free of contradictions?"""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from kilonova.agent.options import AgentOptions
from kilonova.cli.doctor.contract import Finding, Patient, broken, doubtful
from kilonova.console.options import ListenerOptions
from kilonova.hypervisor.libvirt.options import GuestDisplayOptions
from kilonova.kit.options import BadConfiguration
from kilonova.metadata.options import MetadataOptions
from kilonova.operations.options import ConductorOptions
from kilonova.services import known_options
from kilonova.services.process import ProcessOptions

_WANTED = (
    ("DEFAULT", "transport_url", "any", "rabbit://USER:PASSWORD@HOST:5672/"),
    ("api_database", "connection", "controller", "mysql+pymysql://nova:PASSWORD@HOST/nova_api"),
    ("database", "connection", "controller", "mysql+pymysql://nova:PASSWORD@HOST/nova"),
    ("DEFAULT", "compute_driver", "compute", "libvirt.LibvirtDriver"),
    ("DEFAULT", "my_ip", "compute", "the address by which other hosts reach this one"),
)
"""Section, option, whom it concerns, an example."""
_LOOPBACK = ("127.", "::1", "localhost")


def look(patient: Patient) -> Iterator[Finding]:
    """Files, values, unknown, missing and contradicting options."""
    yield from _files(patient)
    bad = list(_unreadable(patient))
    yield from bad or [Finding("Values", "every option that is set can be read")]
    yield from _unknown(patient)
    yield from _missing(patient)
    if not bad:
        yield from _contradictions(patient)


def _files(patient: Patient) -> Iterator[Finding]:
    files = patient.configuration.files
    if not files:
        yield broken(
            "Files", "no configuration was found", "name the file with --config-file, or make /etc/nova/nova.conf"
        )
    for file in files:
        open_to_all = Path(file).stat().st_mode & stat.S_IROTH
        if open_to_all and "password" in Path(file).read_text(errors="replace").lower():
            yield doubtful("Files", f"{file} has passwords and everybody may read it", f"chmod o-r {file}")
        else:
            yield Finding("Files", f"read {file}")


def _unreadable(patient: Patient) -> Iterator[Finding]:
    if patient.is_lab:
        import kilonova.services.all_in_one  # noqa: F401, PLC0415  # declares the lab's own sections
    for section in known_options.sections():
        try:
            patient.configuration.section(section)
        except BadConfiguration as error:
            yield broken("Values", str(error), "correct this option in the file")


def _unknown(patient: Patient) -> Iterator[Finding]:
    retired = known_options.retired(patient.configuration)
    unknown = known_options.unknown_options(patient.configuration)
    for option, words in retired:
        yield doubtful("Options", f"{option} is of an older release: {words}", "remove it from the file")
    for option in unknown:
        yield doubtful(
            "Options", f"{option} is not known and has no effect", "correct its name or section, or remove it"
        )
    if not retired and not unknown:
        yield Finding("Options", "all are known")


def _missing(patient: Patient) -> Iterator[Finding]:
    concerned = {"any"} | ({"controller"} if patient.controls else set()) | ({"compute"} if patient.hosts else set())
    missing = [row for row in _WANTED if row[2] in concerned and not patient.given(row[0], row[1])]
    for section, option, _, example in missing:
        yield broken("Options", f"[{section}] {option} is not set", f"set it, as in: {option} = {example}")
    if patient.controls and not _logs_in(patient):
        yield broken(
            "Options",
            "[keystone_authtoken] does not say how to log in",
            "set auth_type = password, auth_url, username, password, project_name and the domains there",
        )


def _logs_in(patient: Patient) -> bool:
    if patient.given("api", "auth_strategy") == "noauth2":
        return True
    return any(patient.given("keystone_authtoken", name) for name in ("auth_type", "auth_section", "auth_plugin"))


def _contradictions(patient: Patient) -> Iterator[Finding]:
    found = [*_of_times(patient), *_of_addresses(patient), *_of_secrets(patient), *_of_databases(patient)]
    yield from found or [Finding("Contradictions", "none")]


def _of_times(patient: Patient) -> Iterator[Finding]:
    report = patient.configuration.section(AgentOptions).report_interval
    down = patient.configuration.section(ConductorOptions).service_down_time
    if down <= report:
        yield broken(
            "Contradictions",
            f"hosts report every {report} s (report_interval) and count as down after {down} s (service_down_time)",
            f"set [DEFAULT] service_down_time to {report * 6} or so",
        )


def _of_addresses(patient: Patient) -> Iterator[Finding]:
    if not patient.hosts or patient.is_lab:
        return
    address = patient.configuration.section(ProcessOptions).my_ip
    if not _is_ours(address):
        yield broken("Contradictions", f"[DEFAULT] my_ip = {address} is no address of this machine", "correct my_ip")
    display = patient.configuration.section(GuestDisplayOptions)
    reached = display.server_proxyclient_address
    if display.enabled and reached.startswith(_LOOPBACK) and not address.startswith(_LOOPBACK):
        yield doubtful(
            "Contradictions",
            f"[vnc] server_proxyclient_address = {reached}: no console proxy on another machine reaches guests here",
            "set [vnc] server_proxyclient_address = $my_ip and server_listen = $my_ip",
        )


def _is_ours(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _of_secrets(patient: Patient) -> Iterator[Finding]:
    metadata = MetadataOptions.of(patient.configuration).proxy
    if patient.controls and metadata.service_metadata_proxy and not metadata.metadata_proxy_shared_secret:
        yield broken(
            "Contradictions",
            "[neutron] service_metadata_proxy without metadata_proxy_shared_secret: nobody could be believed",
            "set the secret that Neutron's metadata agent has in its metadata_agent.ini",
        )
    if patient.given("api", "auth_strategy") == "noauth2":
        yield doubtful(
            "Contradictions", "[api] auth_strategy = noauth2: anybody is an administrator", "set it to keystone"
        )
    listener = patient.configuration.section(ListenerOptions)
    if listener.ssl_only and not Path(listener.cert).is_file():
        yield broken(
            "Contradictions",
            f"[DEFAULT] ssl_only, but the certificate {listener.cert} is not there",
            "set [DEFAULT] cert and key to the console proxies' certificate and key",
        )


def _of_databases(patient: Patient) -> Iterator[Finding]:
    api, cell = patient.given("api_database", "connection"), patient.given("database", "connection")
    if patient.controls and api and api == cell:
        yield broken(
            "Contradictions",
            "[api_database] and [database] name the same database",
            "give each a database of its own: nova_api and nova",
        )
