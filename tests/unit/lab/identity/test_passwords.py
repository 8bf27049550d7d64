from kilonova.lab.identity import passwords


def test_only_the_right_password_fits() -> None:
    stored = passwords.hash_password("sesame")
    assert passwords.verify("sesame", stored)
    assert not passwords.verify("Sesame", stored)


def test_equal_passwords_have_different_hashes_that_do_not_contain_them() -> None:
    first, second = passwords.hash_password("sesame"), passwords.hash_password("sesame")
    assert first != second
    assert "sesame" not in first


def test_nothing_fits_a_user_without_password() -> None:
    assert not passwords.verify("", None)


def test_hashes_of_another_cost_still_verify() -> None:
    # scrypt of "sesame" with N=2^4, r=1, p=1 and salt "salt": what another release may have written.
    stored = "scrypt$4$1$1$c2FsdA==$6HOOaEYPxRYYTnxmU87YPiy+Oln7Jw2AC3G/epOBAFs="
    assert passwords.verify("sesame", stored)
    assert not passwords.verify("wrong", stored)
