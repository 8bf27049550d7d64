"""Certificates and keys that the configuration names, and those of the URLs in it: readable, matching, not outdated."""

import re
import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from kilonova.cli.doctor.contract import Finding, Patient, broken, doubtful

_CERTIFICATES = re.compile(r"^(cafile|certfile|cert|ssl_ca_file|ssl_cert_file|\w+_ca_certs|\w+_client_cert)$")
_PAIRS = {
    "certfile": "keyfile",
    "cert": "key",
    "ssl_cert_file": "ssl_key_file",
    "vencrypt_client_cert": "vencrypt_client_key",
}
"""The option of a certificate → that of its key."""
_PKI = Path("/etc/pki/qemu")
"""Where QEMU looks for what native TLS of live migrations needs (``default_tls_x509_cert_dir``)."""
_SOON_DAYS = 30
_SECONDS = 5


def look(patient: Patient) -> Iterator[Finding]:
    """Files, pairs, and what servers show."""
    found = [*_named(patient), *_migrations(patient), *_served(patient)]
    yield from found or [Finding("Certificates", "the configuration names none")]


def _named(patient: Patient) -> Iterator[Finding]:
    for section in patient.configuration.groups():
        for option in patient.configuration.values(section):
            path = patient.given(section, option)
            if path and _CERTIFICATES.match(option):
                yield from _file(patient, f"[{section}] {option}", Path(path))
                key = patient.given(section, _PAIRS.get(option, ""))
                if option in _PAIRS:
                    yield from _key(f"[{section}] {_PAIRS[option]}", Path(path), Path(key or path))


def _migrations(patient: Patient) -> Iterator[Finding]:
    if patient.hosts and patient.given("libvirt", "live_migration_with_native_tls") in {"true", "True", "1"}:
        for name in ("ca-cert.pem", "server-cert.pem", "client-cert.pem"):
            yield from _file(patient, "[libvirt] live_migration_with_native_tls", _PKI / name)


def _file(patient: Patient, what: str, path: Path) -> Iterator[Finding]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        yield broken(what, f"{path} cannot be read: {error.strerror}", f"put the certificate there, or correct {what}")
    except ValueError:
        yield broken(what, f"{path} is no PEM certificate", f"put one there, or correct {what}")
    else:
        yield _judged(patient, what, str(path), found)


def _judged(patient: Patient, what: str, where: str, found: list[x509.Certificate]) -> Finding:
    """By the certificate that ends first."""
    ends: datetime = min(certificate.not_valid_after_utc for certificate in found)
    left = (ends - patient.now()).days
    if left < 0:
        return broken(what, f"{where} expired on {ends:%Y-%m-%d}", "renew it and restart what serves it")
    if left < _SOON_DAYS:
        return doubtful(what, f"{where} expires in {left} days, on {ends:%Y-%m-%d}", "renew it")
    return Finding(what, f"{where} is valid until {ends:%Y-%m-%d}")


def _key(what: str, certificate: Path, path: Path) -> Iterator[Finding]:
    try:
        key = load_pem_private_key(path.read_bytes(), None)
        public = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    except OSError as error:
        if error.filename == str(path) and path != certificate:
            yield broken(what, f"{path} cannot be read: {error.strerror}", "let the services' user read it")
        return  # the certificate itself has been told of
    except (ValueError, TypeError):
        yield broken(what, f"{path} has no key that can be used without a password", f"correct {what}")
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != public.public_bytes(*form):
        yield broken(what, f"{path} is not the key of {certificate}", "put certificate and key together that belong so")


def _served(patient: Patient) -> Iterator[Finding]:
    """What the TLS services of the URLs in the files show."""
    urls = {
        (section, option, str(value))
        for section in patient.configuration.groups()
        for option, value in patient.configuration.values(section).items()
        if str(value).startswith("https://")
    }
    seen: set[str] = set()
    for section, option, value in sorted(urls):
        place = urlsplit(value)
        if place.hostname is None or place.netloc in seen:
            continue
        seen.add(place.netloc)
        what = f"[{section}] {option}"
        try:
            pem = ssl.get_server_certificate((place.hostname, place.port or 443), timeout=_SECONDS)
        except (OSError, ValueError) as error:
            yield doubtful(what, f"{place.netloc} shows no certificate: {error}", f"start it, or correct {what}")
        else:
            yield _judged(patient, what, place.netloc, [x509.load_pem_x509_certificate(pem.encode())])
