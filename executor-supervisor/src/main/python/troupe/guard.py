"""Kills what executors leave behind: ``python3 -I -S guard.py MARK [FOLDER…]``, started by the executor with a pipe as stdin.

The end of the pipe means that the executor is gone, however it went. Then every process that carries
TROUPE_EXECUTOR_MARK=MARK in its environment gets SIGKILL, until there is none.

A mark is PID-START-NAMESPACE-RANDOM: its executor's process, when that was started in ticks since boot, and its PID namespace, so
that a later process with the same number is not taken for it. At its own start the guard kills what carries the mark of an executor
that is gone, for when its guard was killed with it.

What executors have made in each FOLDER goes in the end, for MARK, and at its start, for those that are gone: troupe-secrets-MARK, and the
kernel's groups (cgroup) troupe-worker-MARK.WORKER with all their processes, wherever these may have hidden, and troupe-executor-MARK.
Only folders of the guard's own user count, and no links: some FOLDERs can be written to by everybody, and whoever could have another's
entry believed in there could have any process killed.
"""

import os
import shutil
import signal
import stat
import sys
import time

CLEAN_SCANS = 3
SECONDS_BETWEEN_SCANS = 0.05
LIMIT_SECONDS = 60
GROUP_SECONDS = 5


VARIABLE = b"TROUPE_EXECUTOR_MARK="
SECRETS = b"troupe-secrets-"
WORKER, EXECUTOR = b"troupe-worker-", b"troupe-executor-"


def mark_of(pid):
    """The mark that a process carries; None when it carries none, has ended, or is another user's."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            for variable in file.read().split(b"\0"):
                if variable.startswith(VARIABLE):
                    return variable[len(VARIABLE) :]
    except OSError:
        pass
    return None


def is_gone(mark):
    """Whether the executor of this mark is gone, as a zombie is; False for what is no mark, or of another PID namespace."""
    try:
        pid, start, namespace, _ = mark.decode().split("-", 3)
        if namespace != str(os.stat("/proc/self/ns/pid").st_ino):
            return False
        with open(f"/proc/{int(pid)}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return fields[0] in ("Z", "X") or fields[19] != start
    except (FileNotFoundError, ProcessLookupError):
        return True
    except (OSError, ValueError):
        return False


def kill_if(pid, doomed):
    """SIGKILL for a process with a doomed mark, and for no other that gets its number meanwhile; whether there was one."""
    if not hasattr(os, "pidfd_open"):
        return _kill_number(pid, doomed)
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except OSError:
        return _kill_number(pid, doomed)  # an old kernel
    try:
        mark = mark_of(pid)
        if mark is None or not doomed(mark):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _kill_number(pid, doomed):
    mark = mark_of(pid)
    if mark is None or not doomed(mark):
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
    return True


def sweep(doomed):
    """Kills all with a doomed mark; done when several scans in a row found none, as a fork may slip past one."""
    clean, deadline = 0, time.monotonic() + LIMIT_SECONDS
    while clean < CLEAN_SCANS and time.monotonic() < deadline:
        pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
        found = [pid for pid in pids if pid != os.getpid() and kill_if(pid, doomed)]
        clean = 0 if found else clean + 1
        time.sleep(SECONDS_BETWEEN_SCANS)


def remove_folders(folder, doomed):
    """Removes what this user's executors with a doomed mark have made there; what is not there, or another's, is left alone."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        kind = next((kind for kind in (SECRETS, WORKER, EXECUTOR) if name.startswith(kind)), None)
        if kind is None:
            continue
        mark = name[len(kind) :]
        if not doomed(mark.partition(b".")[0] if kind == WORKER else mark):
            continue
        path = os.path.join(folder, name)
        try:
            found = os.lstat(path)
        except OSError:
            continue  # the guard of another executor has removed it meanwhile
        if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
            continue
        if kind == SECRETS:
            shutil.rmtree(path, ignore_errors=True)
        elif kind == WORKER or not processes(path):
            remove_group(path)


def processes(group):
    """The processes in a group; those of other namespaces have no number here."""
    try:
        with open(os.path.join(group, b"cgroup.procs")) as file:
            return [int(line) for line in file if int(line) > 0]
    except (OSError, ValueError):
        return []


def remove_group(group):
    """Kills what is in a group and removes it, with all groups in it; gives up after some seconds."""
    deadline = time.monotonic() + GROUP_SECONDS
    while os.path.isdir(group) and time.monotonic() < deadline:
        for path, _, _ in os.walk(group, topdown=False):
            for pid in processes(path):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass  # it has ended meanwhile
            try:
                os.rmdir(path)
            except OSError:
                time.sleep(SECONDS_BETWEEN_SCANS)  # what was killed takes a moment to end


def main():
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    own, folders = os.fsencode(sys.argv[1]), [os.fsencode(folder) for folder in sys.argv[2:]]
    sweep(is_gone)
    for folder in folders:
        remove_folders(folder, is_gone)
    while True:
        if not os.read(0, 4096):
            break
    sweep(lambda mark: mark == own)
    for folder in folders:
        remove_folders(folder, lambda mark: mark == own)


if __name__ == "__main__":
    main()
