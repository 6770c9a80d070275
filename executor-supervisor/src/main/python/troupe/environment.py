"""Makes a pool's virtual environment, once for each machine and content: ``python3 -I -S environment.py``, started by the executor.

TROUPE_REQUIREMENTS names the requirements file, TROUPE_WHEELS a folder of wheels (empty: pip finds packages by itself),
TROUPE_ENVIRONMENTS the folder of all environments and TROUPE_ENVIRONMENTS_SIZE how many bytes they may have together; the path of
the environment is written to TROUPE_ANSWER.

An environment is named by the hash of what it is made of. Beside it lies NAME.lock, locked (fcntl) exclusively by who builds or
removes it and shared by the executors whose workers use it, so that the end of a process, however it comes, ends its lock. Only one
with the file COMPLETE in it is used; that file holds its size, and is touched with each use. Others are what a killed build has left.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys

COMPLETE = "troupe-complete"
CANNOT_BE_INSTALLED = 77
FIRST_FOR_OTHERS = (22, 3)  # that can install into another environment (--python)
PIP = ["--disable-pip-version-check", "--no-input", "--no-color"]


class Failed(Exception):
    """The environment cannot be made; the message is one line for people, or empty when pip has said it."""


def say(line):
    print(line, flush=True)


def name_of(requirements, wheels):
    """The hash of all that makes a difference to the content."""
    settings = sorted((key, value) for key, value in os.environ.items() if key.startswith("PIP_"))
    parts = [requirements.hex(), sys.version, os.path.realpath(sys.executable), platform.machine(), wheels, settings]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def lock(file, kind, waiting=""):
    """Waits for the lock, having said that it does; with nothing to say it does not wait. Whether it is had."""
    try:
        fcntl.lockf(file, kind | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        if not waiting:
            return False
    except PermissionError:
        if not waiting:
            return False
    say(waiting)
    fcntl.lockf(file, kind)
    return True


def is_complete(path):
    return os.path.isfile(os.path.join(path, COMPLETE))


def prepare(folder, requirements_file, wheels, most_bytes):
    """The path of the environment, which is complete now."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise Failed(
            f"environments cannot be kept in {folder}: {error.strerror}; set troupe.executor.environments.folder"
        ) from error
    with open(requirements_file, "rb") as file:
        requirements = file.read()
    path = os.path.join(folder, name_of(requirements, wheels))
    with open(path + ".lock", "a+b") as file:
        while True:
            lock(file, fcntl.LOCK_SH, "waiting for another worker that installs the same requirements")
            if is_complete(path):
                os.utime(os.path.join(path, COMPLETE))
                return path
            fcntl.lockf(file, fcntl.LOCK_UN)  # two that have it shared could wait for each other for ever
            lock(file, fcntl.LOCK_EX, "waiting for another worker that installs the same requirements")
            if not is_complete(path):
                build(path, requirements_file, wheels)
                make_room(folder, os.path.basename(path), most_bytes)
            fcntl.lockf(file, fcntl.LOCK_UN)


def build(path, requirements_file, wheels):
    shutil.rmtree(path, ignore_errors=True)
    pip = installer(path)
    offline = ["--no-index", "--find-links", wheels] if wheels else []
    run([*pip, "install", *PIP, "--progress-bar", "off", *offline, "-r", os.path.basename(requirements_file)], os.path.dirname(requirements_file))
    with open(os.path.join(path, COMPLETE), "w") as file:
        file.write(str(bytes_of(path)))


def installer(path):
    """Makes an empty environment, and says how pip is called for it: the machine's own pip is at hand sooner than another one."""
    say("making a virtual environment")
    python = os.path.join(path, "bin", "python")
    if machine_pip() >= FIRST_FOR_OTHERS:
        run([sys.executable, "-I", "-m", "venv", "--without-pip", path])
        return [sys.executable, "-I", "-m", "pip", "--python", python]
    made = subprocess.run([sys.executable, "-I", "-m", "venv", path], capture_output=True, text=True)
    if made.returncode:
        say((made.stdout + made.stderr).strip())
        raise Failed(f"{sys.executable} cannot make virtual environments: install python3-venv or pip on the agents")
    return [python, "-I", "-m", "pip"]


def machine_pip():
    """The version of the machine's own pip; none is less than any. Asked in another process, as this one may have no site-packages (-S)."""
    ask = "import pip; print(*pip.__version__.split('.')[:2])"
    own = subprocess.run([sys.executable, "-I", "-c", ask], capture_output=True, text=True)
    return tuple(int(part) for part in own.stdout.split() if part.isdigit())


def run(command, folder=None):
    if subprocess.run(command, cwd=folder).returncode:
        raise Failed("")


def bytes_of(path):
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                status = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            total += status.st_blocks * 512
    return total


def make_room(folder, kept, most_bytes):
    """Removes the environments that were used longest ago and that nobody uses now, until the rest fits; and what killed builds left."""
    entries = [name[: -len(".lock")] for name in os.listdir(folder) if name.endswith(".lock")]
    known = []
    for name in entries:
        marker = os.path.join(folder, name, COMPLETE)
        try:
            with open(marker) as file:
                known.append((os.stat(marker).st_mtime, int(file.read()), name))
        except (OSError, ValueError):
            if name != kept and os.path.isdir(os.path.join(folder, name)):
                remove(folder, name)
    total = sum(size for _, size, _ in known)
    for _, size, name in sorted(known):
        if total <= most_bytes:
            return
        if name != kept and remove(folder, name):
            say(f"removed an environment of {size >> 20} MiB that was not used lately")
            total -= size


def remove(folder, name):
    """Whether nobody uses or builds it, and it is gone."""
    path = os.path.join(folder, name)
    with open(path + ".lock", "a+b") as file:
        if not lock(file, fcntl.LOCK_EX):
            return False
        try:
            os.unlink(os.path.join(path, COMPLETE))
        except OSError:
            pass
        shutil.rmtree(path, ignore_errors=True)
        return True


def main():
    os.dup2(1, 2)  # one pipe, so that the last line of all is the last one that comes
    of = os.environ
    answer = of.pop("TROUPE_ANSWER")
    try:
        path = prepare(
            of["TROUPE_ENVIRONMENTS"], of["TROUPE_REQUIREMENTS"], of["TROUPE_WHEELS"], int(of["TROUPE_ENVIRONMENTS_SIZE"])
        )
    except Failed as failed:
        if str(failed):
            say(failed)
        return CANNOT_BE_INSTALLED
    with open(answer, "w") as file:
        file.write(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
