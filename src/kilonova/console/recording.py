"""What went through a console session, written as noVNC's recorded sessions are (``[DEFAULT] record``)."""

import json
import time
from pathlib import Path
from typing import Self


class Recording:
    """A script that sets ``VNC_frame_data``; a frame: ``{`` to the browser or ``}`` from it, milliseconds, bytes."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        # What users type is in it, passwords too.
        path.touch(mode=0o600, exist_ok=False)
        self._file = path.open("w")
        self._file.write("var VNC_frame_data = [\n")
        self._began = time.monotonic()

    @classmethod
    def named(cls, prefix: str, session: str) -> Self:
        """``prefix.session``. Raises OSError."""
        return cls(Path(f"{prefix}.{session}"))

    def to_browser(self, data: bytes) -> None:
        """The guest says something."""
        self._frame("{", data)

    def from_browser(self, data: bytes) -> None:
        """The user does something."""
        self._frame("}", data)

    def _frame(self, mark: str, data: bytes) -> None:
        milliseconds = int((time.monotonic() - self._began) * 1000)
        self._file.write(json.dumps(f"{mark}{milliseconds}{mark}{data.decode('latin-1')}") + ",\n")

    def close(self) -> None:
        """The session is over."""
        self._file.write('"EOF"];\n')
        self._file.close()
