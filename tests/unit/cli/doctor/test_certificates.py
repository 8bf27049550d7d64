"""Certificates made here, fresh and old."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kilonova.cli.doctor import certificates
from kilonova.cli.doctor.contract import Patient, Role
from kilonova.cli.upgrade_check import Result
from kilonova.kit.options import from_mapping

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def make(folder: Path, name: str, days: int) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(certificate), str(private)


def look(section: dict[str, str]) -> list[tuple[Result, str]]:
    patient = Patient(from_mapping({"neutron": section}), Role.ALL, now=lambda: NOW)
    return [(found.result, found.words) for found in certificates.look(patient)]


def test_fresh_old_and_soon_old(tmp_path: Path) -> None:
    fresh, key = make(tmp_path, "fresh", 365)
    old, _ = make(tmp_path, "old", -2)
    soon, _ = make(tmp_path, "soon", 10)
    assert look({}) == [(Result.SUCCESS, "the configuration names none")]
    assert look({"certfile": fresh, "keyfile": key}) == [(Result.SUCCESS, f"{fresh} is valid until 2027-06-01")]
    assert look({"cafile": old}) == [(Result.FAILURE, f"{old} expired on 2026-05-30")]
    assert look({"cafile": soon}) == [(Result.WARNING, f"{soon} expires in 10 days, on 2026-06-11")]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"cafile": "/none.pem"}, "/none.pem cannot be read: No such file"),
        ({"cafile": __file__}, "is no PEM certificate"),
        ({"keyfile": "/none.key"}, "/none.key cannot be read: No such file"),
        ({"keyfile": __file__}, "has no key that can be used"),
        ({"keyfile": "other"}, "is not the key of"),
        ({"endpoint_override": "https://127.0.0.1:1/"}, "127.0.0.1:1 shows no certificate"),
    ],
)
def test_files_that_are_of_no_use(tmp_path: Path, broken: dict[str, str], words: str) -> None:
    fresh, key = make(tmp_path, "fresh", 365)
    if broken.get("keyfile") == "other":
        broken = {"keyfile": make(tmp_path, "other", 365)[1]}
    whole = {"certfile": fresh, "keyfile": key}
    [found] = [line for line in look(whole | broken) if line[0]]
    assert words in found[1]
