"""Jobs of bin/benchmark queued."""

import os
import time

_notes = None


def setup():
    """A file for this process, in which each run of a job leaves its number."""
    global _notes
    _notes = os.open(
        os.path.join(os.environ["QUEUED_NOTES"], str(os.getpid())), os.O_WRONLY | os.O_APPEND | os.O_CREAT
    )


def note(number):
    os.write(_notes, b"%d\n" % number)
    return number


def hold(gate):
    """Keeps a worker until the file is there, ten minutes at most."""
    end = time.monotonic() + 600
    while not os.path.exists(gate) and time.monotonic() < end:
        time.sleep(0.005)
