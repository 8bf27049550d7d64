"""What a process does at the moment: SIGUSR2 has it write the stack of each of its threads to its standard error.

The C library's handler writes them: that works, too, when the interpreter itself stands still.
"""

import faulthandler
import signal
import sys

SIGNAL = signal.SIGUSR2
"""The field's signal for "say what you are doing"."""


def by_signal() -> None:
    """From here on ``SIGNAL`` and a crash are answered with stacks, by a process that has a standard error."""
    output = sys.__stderr__
    if output is None or output.closed:
        return
    if not faulthandler.is_enabled():
        faulthandler.enable(output)
    faulthandler.register(SIGNAL, output, all_threads=True)


def tell() -> None:
    """Write the stacks now: of a process that is about to be ended because it does not end."""
    if sys.__stderr__ is not None and not sys.__stderr__.closed:
        faulthandler.dump_traceback(sys.__stderr__, all_threads=True)
