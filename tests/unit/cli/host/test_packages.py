import pytest

from kilonova.cli import guest_image
from kilonova.cli.host import packages


def test_what_dpkg_does_not_list_as_installed_is_absent() -> None:
    listing = "novnc installed\nqemu-utils config-files\nlibvirt-daemon not-installed\n"
    assert packages.absent(["qemu-utils", "novnc", "libvirt-daemon", "mtools"], listing) == [
        "qemu-utils",
        "libvirt-daemon",
        "mtools",
    ]


def test_progress_is_told_in_steps_and_other_lines_are_left_for_the_log() -> None:
    told: list[str] = []
    progress = packages.Progress(told.append)
    lines = [f"pmstatus:qemu-utils:{percent}.5:Unpacking" for percent in range(0, 100, 4)]
    assert all(progress.heard(line) for line in lines)
    assert told == [f"installing packages: {step} %" for step in (20, 40, 60, 80)]
    assert progress.heard("dlstatus:3:41.2:Retrieving")
    assert told[-1] == "downloading packages: 40 %"
    assert not progress.heard("Setting up qemu-utils (1:7.2) ...")
    assert progress.heard("pmstatus:odd:not a number:x")


def test_the_guest_images_tools_are_part_of_what_is_installed() -> None:
    assert set(guest_image.PACKAGES) <= set(packages.RUN)


def test_only_the_named_releases_count_as_tested() -> None:
    assert packages.Distribution("debian", "12", "Debian 12").tested
    assert not packages.Distribution("debian", "11", "Debian 11").tested


def test_missing_programs_are_named_with_their_packages() -> None:
    packages.check_programs({"sh": "dash"})
    with pytest.raises(packages.MissingPrograms, match=r"no-such \(package one\), nor-this \(package two\)") as caught:
        packages.check_programs({"no-such": "one", "sh": "dash", "nor-this": "two"})
    assert "apt-get install --reinstall one two" in str(caught.value)
