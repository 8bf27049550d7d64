from pathlib import Path

from kilonova.cli.host.hypervisor import virtualization

WITH = "processor\t: 0\nflags\t\t: fpu vme vmx sse2\n"
WITHOUT = "processor\t: 0\nflags\t\t: fpu vme sse2\nbugs\t\t: vmx_like\n"


def test_no_processor_feature_means_emulation_whatever_dev_kvm_says(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(WITHOUT)
    (tmp_path / "kvm").touch()
    found = virtualization(tmp_path / "cpuinfo", tmp_path / "kvm")
    assert found.virt_type == "qemu"
    assert "neither vmx nor svm" in found.reason


def test_a_missing_device_is_named(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(WITH)
    found = virtualization(tmp_path / "cpuinfo", tmp_path / "kvm")
    assert found.virt_type == "qemu"
    assert f"{tmp_path}/kvm cannot be opened (No such file" in found.reason


def test_a_device_that_makes_no_machine_is_not_kvm(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(WITH)
    (tmp_path / "kvm").touch()
    found = virtualization(tmp_path / "cpuinfo", tmp_path / "kvm")
    assert found.virt_type == "qemu"
    assert "cannot make a virtual machine" in found.reason
