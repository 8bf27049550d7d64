"""Certificates for tests: an authority, and what it signs."""

import datetime as dt
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = dt.timedelta(days=1)


class Authority:
    """Writes PEM files into ``folder``: its own certificate as ``ca``, and those it signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        made = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        uses = [name == "key_cert_sign" for name in _USES]
        made = made.add_extension(x509.KeyUsage(**dict(zip(_USES, uses, strict=True))), True)
        self.ca = self._write("ca-cert.pem", made.sign(self._key, hashes.SHA256()))

    def sign(self, role: str, *names: str) -> tuple[Path, Path]:
        """Certificate and key of a ``server`` or ``client``, as ``ROLE-cert.pem`` and ``ROLE-key.pem``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else role)])
        use = ExtendedKeyUsageOID.SERVER_AUTH if role.startswith("server") else ExtendedKeyUsageOID.CLIENT_AUTH
        uses = [name in {"digital_signature", "key_encipherment"} for name in _USES]
        made = self._builder(subject, key)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        made = made.add_extension(x509.KeyUsage(**dict(zip(_USES, uses, strict=True))), True)
        made = made.add_extension(x509.ExtendedKeyUsage([use]), False)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self._folder / f"{role}-key.pem"
        path.write_bytes(secret)
        return self._write(f"{role}-cert.pem", made.sign(self._key, hashes.SHA256())), path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - _DAY,
            not_valid_after=now + _DAY,
        ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
