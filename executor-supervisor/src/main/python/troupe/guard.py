"""Kills what an executor leaves behind: ``python3 -I -S guard.py MARK``, started by the executor with a pipe as stdin.

The end of the pipe means that the executor is gone, however it went. Then every process that carries
TROUPE_EXECUTOR_MARK=MARK in its environment gets SIGKILL, until there is none.
"""

import os
import signal
import sys
import time

CLEAN_SCANS = 3
SECONDS_BETWEEN_SCANS = 0.05
LIMIT_SECONDS = 60


def carriers(mark):
    """The living processes, other than this one, that carry the mark."""
    wanted = b"TROUPE_EXECUTOR_MARK=" + mark
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if wanted in file.read().split(b"\0"):
                        found.append(int(entry))
            except OSError:
                pass  # it ended, or is another user's
    return found


def sweep(mark):
    """Kills all carriers; done when several scans in a row found none, as a fork may slip past one."""
    clean, deadline = 0, time.monotonic() + LIMIT_SECONDS
    while clean < CLEAN_SCANS and time.monotonic() < deadline:
        found = carriers(mark)
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        clean = 0 if found else clean + 1
        time.sleep(SECONDS_BETWEEN_SCANS)


def main():
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    while True:
        if not os.read(0, 4096):
            break
    sweep(os.fsencode(sys.argv[1]))


if __name__ == "__main__":
    main()
