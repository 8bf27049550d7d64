import json
import stat
from pathlib import Path

import pytest

from kilonova.console.recording import Recording


def test_a_record_is_a_script_with_the_frames_of_both_sides(tmp_path: Path) -> None:
    record = Recording.named(str(tmp_path / "console"), "guest.1")
    record.to_browser(b"RFB\xff\n")
    record.from_browser(b"\x01")
    record.close()
    path = tmp_path / "console.guest.1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text().removeprefix("var VNC_frame_data = ").rstrip().removesuffix(";")
    seen, typed, end = json.loads(text)
    assert (seen[0], seen.split("{", 2)[2]) == ("{", "RFB\xff\n")
    assert (typed[0], typed.split("}", 2)[2], end) == ("}", "\x01", "EOF")


def test_an_older_record_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "c.1").touch()
    with pytest.raises(FileExistsError):
        Recording.named(str(tmp_path / "c"), "1")
