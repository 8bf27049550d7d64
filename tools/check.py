"""All checks that need no running: linters, types, import contracts, the shape of the code. Tells every failure."""

import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
CHECKS = {
    "ruff check": [BIN / "ruff", "check", "-q", "--output-format", "concise", "src", "tests", "tools"],
    "ruff format": [BIN / "ruff", "format", "-q", "--check", "src", "tests", "tools"],
    "mypy": [BIN / "mypy"],
    "lint-imports": [BIN / "lint-imports", "--no-logo"],
    "shape": [sys.executable, "tools/shape.py"],
}


def main() -> int:
    failed: list[str] = []
    for name, command in CHECKS.items():
        begun = time.monotonic()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        verdict = "ok" if done.returncode == 0 else "FAILED"
        print(f"{name}: {verdict} ({time.monotonic() - begun:.1f} s)", flush=True)
        if done.returncode:
            failed.append(name)
            print((done.stdout + done.stderr).strip(), flush=True)
    if failed:
        print(f"make check: failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
