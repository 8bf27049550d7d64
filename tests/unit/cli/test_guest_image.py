from pathlib import Path

import pytest

from kilonova.cli import guest_image


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(guest_image.TOOLS, "no-such-tool", "its-package")
    monkeypatch.setitem(guest_image.FILES, Path("/nonexistent/mbr.bin"), "syslinux-common")
    with pytest.raises(guest_image.MissingTools) as caught:
        guest_image.check_tools()
    words = str(caught.value)
    assert "no-such-tool (package its-package)" in words
    assert "/nonexistent/mbr.bin (package syslinux-common)" in words
    assert "apt-get install" in words
