import subprocess
import sys


def test_no_eventlet_comes_in_afterwards() -> None:
    code = (
        "import sys; sys.modules.pop('eventlet', None)\n"
        "from kilonova.kit.threads_only import without_eventlet\n"
        "without_eventlet()\n"
        "try:\n    import eventlet\nexcept ImportError:\n    print('absent')\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True, env={"PYTHONPATH": "src"}
    )
    assert done.stdout == "absent\n"
