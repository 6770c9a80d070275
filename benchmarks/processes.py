"""What /proc tells about processes, and how those that a measurement has started are ended."""

import os
import signal
import time


def _stat(pid):
    """The fields of /proc/PID/stat that follow the name; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def parent(pid):
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def alive(pid):
    fields = _stat(pid)
    return bool(fields) and fields[0] != "Z"


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command(pid):
    """The words it was started with, in bytes, with NUL between them; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def with_environment(name, value):
    """The pids whose environment holds name=value, this process aside."""
    wanted = f"{name}={value}".encode()
    found = []
    for pid in pids():
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if wanted in file.read().split(b"\0") and pid != os.getpid():
                    found.append(pid)
        except OSError:
            pass  # gone, or not ours
    return found


def descendants(root):
    """The pids below a process, itself aside."""
    children = {}
    for pid in pids():
        children.setdefault(parent(pid), []).append(pid)
    found, open_ends = [], [root]
    while open_ends:
        below = children.get(open_ends.pop(), [])
        found += below
        open_ends += below
    return found


def memory(some):
    """Resident and proportional memory of processes in MiB, together."""
    figures = {"rss": 0, "pss": 0}
    for pid in some:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
                for line in lines:
                    name, _, rest = line.partition(":")
                    if name.lower() in figures:
                        figures[name.lower()] += int(rest.split()[0])
        except OSError:
            pass  # gone
    return {name: round(kib / 1024, 1) for name, kib in figures.items()}


def cpu_seconds(some):
    """What processes have used of the processors, by pid."""
    tick = os.sysconf("SC_CLK_TCK")
    used = {}
    for pid in some:
        fields = _stat(pid)
        if fields:
            used[pid] = (int(fields[11]) + int(fields[12])) / tick
    return used


def executor_of(pid):
    """The JVM that looks after a worker's process; 0 when there is none."""
    while pid > 1:
        pid = parent(pid)
        if b"io.troupe.executor.Main" in command(pid):
            return pid
    return 0


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end(process, grace=10):
    """Ends a subprocess.Popen and all that is below it: asked first, killed when the grace is over."""
    below = descendants(process.pid)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except Exception:  # subprocess.TimeoutExpired, or an impatient user
            process.kill()
            process.wait()
    until = time.monotonic() + grace
    while any(map(alive, below)) and time.monotonic() < until:
        time.sleep(0.05)
    for pid in below:
        if alive(pid):
            kill(pid)


def kill_session(process):
    """Kills a subprocess.Popen that leads a session, if it is alive, with all of its session and all that is below it."""
    below = descendants(process.pid)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # nothing is left of it
    for pid in below:
        kill(pid)
