"""Does this machine's clock agree with the database's and Keystone's? Leases, tokens and heartbeats compare them."""

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime

from keystoneauth1.exceptions import ClientException

from kilonova.cli.doctor.contract import Finding, Patient, broken, doubtful
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError
from kilonova.kit.sessions import Sessions
from kilonova.operations.options import ConductorOptions

_DOUBTFUL_SECONDS = 3.0
_FIX = "run a time service on both machines (chrony; timedatectl set-ntp true)"


def look(patient: Patient) -> Iterator[Finding]:
    """Against the database and Keystone, as far as they answer."""
    clocks = [("the database's", _of_database), ("Keystone's", _of_keystone)]
    for whose, ask in clocks[0 if patient.controls else 1 :]:
        try:
            before = patient.now()
            theirs = ask(patient)
            ours = before + (patient.now() - before) / 2
        except (KilonovaError, ClientException, OSError, ValueError):
            continue  # what does not answer has been told of by its own checks
        if theirs is not None:
            yield _compared(patient, whose, (ours - theirs).total_seconds())


def _of_database(patient: Patient) -> datetime | None:
    options = patient.configuration.section(DatabaseOptions, "api_database")
    database = Database(options)
    try:
        return database.now()
    finally:
        database.dispose()


def _of_keystone(patient: Patient) -> datetime | None:
    """From the Date header, which has whole seconds."""
    sessions = Sessions(patient.configuration)
    credentials = sessions.credentials("keystone_authtoken", ("placement", "glance"))
    url = getattr(credentials.plugin, "auth_url", None) if credentials else None
    if url is None:
        return None
    session = sessions.session(sessions.options(credentials.section if credentials else "keystone_authtoken"))
    header = session.get(url, authenticated=False).headers.get("Date")
    return parsedate_to_datetime(header) if header else None


def _compared(patient: Patient, whose: str, skew: float) -> Finding:
    words = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} {whose}"
    limit = patient.configuration.section(ConductorOptions).service_down_time / 2
    if abs(skew) >= limit:
        return broken("Clock", f"{words}: services look dead that are alive, and tokens too old", _FIX)
    if abs(skew) >= _DOUBTFUL_SECONDS:
        return doubtful("Clock", words, _FIX)
    return Finding("Clock", f"agrees with {whose} within {max(abs(skew), 0.1):.1f} s")
