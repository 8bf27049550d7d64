"""Key pairs: generating, checking and fingerprinting keys."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kilonova.kit.errors import Conflict, Invalid, NotFound

SSH = "ssh"
X509 = "x509"
_BITS = 2048
_DAYS = 3650
_COMMENT = "Generated-by-Nova"
"""Tools that clean up generated keys look for it."""
_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""Microsoft's user principal name: what WinRM maps a certificate to a user by."""


class KeypairNotFound(NotFound):
    """The user has no key pair of this name."""

    template = "Keypair {name} not found for user {user_id}"


class KeypairExists(Conflict):
    """The user has a key pair of this name."""

    template = "Key pair '{name}' already exists."


class InvalidKeypair(Invalid):
    """The name or the key cannot be used."""

    template = "Keypair data is invalid: {reason}"


class KeypairMarkerNotFound(Invalid):
    """The marker of a list is no key pair of the user (400)."""

    template = "marker [{marker}] not found"


@dataclass(frozen=True, kw_only=True)
class Key:
    """A public key with its fingerprint, and the private key if it was made here."""

    type: str
    public_key: str
    fingerprint: str
    private_key: str | None = None


_SAFE = re.compile(r"[a-zA-Z0-9 _-]+")
_SAFE_FROM_2_92 = re.compile(r"[a-zA-Z0-9 _\-@.]+")


def check_name(name: str, *, dots_and_at: bool) -> None:
    """Raises InvalidKeypair for characters that names may not have."""
    form = _SAFE_FROM_2_92 if dots_and_at else _SAFE
    if form.fullmatch(name) is None:
        raise InvalidKeypair(reason=f"Keypair name contains unsafe characters: {name!r}")


def imported(kind: str, public_key: str) -> Key:
    """A key someone brought. Raises InvalidKeypair."""
    fingerprint = {SSH: ssh_fingerprint, X509: x509_fingerprint}[kind](public_key)
    return Key(type=kind, public_key=public_key, fingerprint=fingerprint)


def generated(kind: str, user_id: str, now: datetime) -> Key:
    """A new key; takes some tenths of a second."""
    maker: Callable[[], Key] = _ssh if kind == SSH else lambda: _x509(user_id, now)
    return maker()


def ssh_fingerprint(public_key: str) -> str:
    """MD5 of the key's blob, in pairs of hex digits with colons. Raises InvalidKeypair."""
    parts = public_key.split(None, 2)
    try:
        serialization.load_ssh_public_key(public_key.strip().encode())
        blob = base64.b64decode(parts[1].encode(), validate=True)
    except (ValueError, IndexError, binascii.Error, UnsupportedAlgorithm):
        raise InvalidKeypair(reason="failed to generate fingerprint: this is no SSH public key") from None
    return _colons(hashlib.md5(blob, usedforsecurity=False).hexdigest())


def x509_fingerprint(certificate: str) -> str:
    """SHA-1 of the certificate, in pairs of hex digits with colons. Raises InvalidKeypair."""
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidKeypair(reason="failed to generate X509 fingerprint: this is no PEM certificate") from None
    return _colons(found.fingerprint(hashes.SHA1()).hex())  # noqa: S303  # the form clients have always been shown


def _colons(digest: str) -> str:
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def _private() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return key, text.decode()


def _ssh() -> Key:
    key, private = _private()
    line = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    public = f"{line.decode()} {_COMMENT}\n"
    return Key(type=SSH, public_key=public, fingerprint=ssh_fingerprint(public), private_key=private)


def _x509(user_id: str, now: datetime) -> Key:
    """A certificate that Windows' remote management accepts from its user."""
    key, private = _private()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    principal = f"{user_id}@localhost".encode()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.OtherName(_UPN, _utf8_string(principal))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return Key(type=X509, public_key=public, fingerprint=x509_fingerprint(public), private_key=private)


def _utf8_string(text: bytes) -> bytes:
    """DER of a UTF8String (X.690: tag 12, then the length)."""
    size = len(text)
    if size < 0x80:  # noqa: PLR2004  # the short form ends here
        return bytes((0x0C, size)) + text
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x0C, 0x80 | len(length))) + length + text
