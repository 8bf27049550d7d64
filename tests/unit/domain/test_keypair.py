from datetime import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from kilonova.domain import keypair

NOW = datetime(2026, 1, 1)  # noqa: DTZ001  # naive UTC is the convention
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKqnJdvPbIrxMWBOn6iFVvEVcNRyhoXVqP1VsFnGjXd a b c"
# The published sample of the API and its fingerprint.
RSA = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDx8nkQv/zgGgB4rMYmIf+6A4l6Rr+o/6lHBQdW5aYd44bd8JttDCE/F/pNRr0l"
    "RE+PiqSPO8nDPHw0010JeMH9gYgnnFlyY3/OcJ02RhIPyyxYpv9FhY+2YiUkpwFOcLImyrxEsYXpD/0d3ac30bNH6Sw9JD9UZHYcpSxsIbECHw=="
    " Generated-by-Nova"
)


def test_fingerprint_of_the_published_sample() -> None:
    assert keypair.imported("ssh", RSA).fingerprint == "1e:2c:9b:56:79:4b:45:77:f9:ca:7a:98:2c:b0:d5:3c"


def test_other_kinds_of_keys_and_comments_are_fine() -> None:
    assert len(keypair.imported("ssh", f"  {ED25519}\n").fingerprint.split(":")) == 16


@pytest.mark.parametrize(
    "key", ["", "ssh-rsa", "ssh-rsa AAAA", "nonsense x y", RSA.replace("ssh-rsa", "ssh-dss"), "ä ä"]
)
def test_bad_ssh_keys(key: str) -> None:
    with pytest.raises(keypair.InvalidKeypair, match="Keypair data is invalid"):
        keypair.imported("ssh", key)


def test_bad_certificates() -> None:
    with pytest.raises(keypair.InvalidKeypair):
        keypair.imported("x509", RSA)


def test_generated_ssh_keys_fit_together() -> None:
    made = keypair.generated("ssh", "u", NOW)
    assert made.private_key is not None
    private = serialization.load_pem_private_key(made.private_key.encode(), None)
    line = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert made.public_key.startswith(line.decode())
    assert made.fingerprint == keypair.ssh_fingerprint(made.public_key)


@pytest.mark.parametrize("user", ["u", "u" * 200])
def test_generated_certificates_name_the_user(user: str) -> None:
    made = keypair.generated("x509", user, NOW)
    certificate = x509.load_pem_x509_certificate(made.public_key.encode())
    (name,) = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert isinstance(name, x509.OtherName)
    assert name.value.endswith(f"{user}@localhost".encode())
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("a b_c-1", True, True), ("a@b.c", False, True), ("a/b", False, False), ("ä", False, False)],
)
def test_names(name: str, *, old: bool, new: bool) -> None:
    for dots_and_at, fine in ((False, old), (True, new)):
        try:
            keypair.check_name(name, dots_and_at=dots_and_at)
        except keypair.InvalidKeypair:
            assert not fine
        else:
            assert fine
