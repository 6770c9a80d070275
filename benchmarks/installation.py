"""Gets what a comparison lacks: Python packages into a virtualenv under target/, servers from Debian's packages."""

import os
import pwd
import shutil
import subprocess
import sys
import venv

import cluster
import peers
import processes
import services

FOLDER = os.path.join(cluster.ROOT, "target", "benchmark")
VENV = os.path.join(FOLDER, "venv")
PYTHON = os.path.join(VENV, "bin", "python")
REQUIREMENTS = os.path.join(cluster.HERE, "requirements")


def say(line):
    print(f"benchmark: {line}", file=sys.stderr, flush=True)


def prepare(names):
    """Installs what the peers lack; returns those that can be measured. One line for each that cannot."""
    os.makedirs(FOLDER, exist_ok=True)
    missing = {}
    for needed in sorted({service for name in names for service in peers.SERVICES.get(name, ())}):
        missing[needed] = lacks_server(needed)
    for needed in sorted({peers.PACKAGES[name] for name in names if name in peers.PACKAGES}):
        missing[needed] = _lacks_packages(needed)
    if any(name.startswith("troupe") for name in names):
        # As bin/quickstart does, once for each build.
        say("letting Troupe parse its classes, once for each build")
        done = subprocess.run([cluster.TROUPE, "local", "train"], stdin=subprocess.DEVNULL, timeout=600, check=False)
        if done.returncode:
            raise SystemExit("benchmark: Troupe does not start: see the line above")
    able = []
    for name in names:
        needs = [*peers.SERVICES.get(name, ()), peers.PACKAGES.get(name)]
        why = next((missing[needed] for needed in needs if missing.get(needed)), None)
        if why:
            say(f"skipping {name}: {why}")
        else:
            able.append(name)
    return able


def _lacks_packages(name):
    """Why the Python packages of a peer cannot be had; None when they are there."""
    wanted = os.path.join(REQUIREMENTS, name + ".txt")
    done = os.path.join(VENV, name + ".installed")
    pinned = "".join(_text(os.path.join(REQUIREMENTS, file)) for file in (name + ".txt", "constraints.txt"))
    if os.path.exists(done) and _text(done) == pinned:
        return None
    log = os.path.join(FOLDER, f"pip-{name}.log")
    try:
        if not os.path.exists(PYTHON):
            venv.create(VENV, with_pip=True, symlinks=True)
        first = _text(wanted).split()[0]
        say(f"installing {first} into {os.path.relpath(VENV)} (log: {os.path.relpath(log)})")
        with open(log, "wb") as file:
            subprocess.run(
                [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--only-binary", ":all:", "-r", wanted],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                timeout=900,
                check=True,
            )
    except (OSError, subprocess.SubprocessError):
        return f"pip could not install {_text(wanted).split()[0]} for this Python (see {os.path.relpath(log)})"
    with open(done, "w", encoding="utf-8") as file:
        file.write(pinned)
    return None


def lacks_server(name):
    """Why a server cannot be had; None when it is there."""
    service = services.ALL[name](FOLDER)
    if service.installed():
        return None
    if not shutil.which("apt-get"):
        return f"{service.package} is not installed, and there is no apt-get"
    as_root = [] if os.getuid() == 0 else ["sudo", "--non-interactive"]
    if as_root and not shutil.which("sudo"):
        return f"{service.package} is not installed: run 'apt-get install {service.package}' as root"
    log = os.path.join(FOLDER, f"apt-{name}.log")
    say(f"installing {service.package} (log: {os.path.relpath(log)})")
    before = set(processes.pids())
    try:
        with open(log, "wb") as file:
            for words in (["update"], ["install", "--yes", "--no-install-recommends", service.package]):
                subprocess.run(
                    [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    timeout=900,
                    check=True,
                )
            _stop_own_service(service.package, as_root, before, file)
    except (OSError, subprocess.SubprocessError):
        return f"apt-get could not install {service.package} (see {os.path.relpath(log)})"
    return None if service.installed() else f"{service.package} brings no server that can be found"


def _stop_own_service(package, as_root, before, log):
    """Debian starts a server that it installs. Nobody asked for that one here."""
    if os.path.isdir("/run/systemd/system"):
        words = ["systemctl", "disable", "--now", package]
        subprocess.run([*as_root, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=60, check=False)
    users = set()
    for user in ("redis", "rabbitmq", "postgres"):
        try:
            users.add(pwd.getpwnam(user).pw_uid)
        except KeyError:
            pass  # not installed
    for pid in set(processes.pids()) - before:
        try:
            if os.stat(f"/proc/{pid}").st_uid in users:
                subprocess.run([*as_root, "kill", str(pid)], stderr=subprocess.DEVNULL, timeout=10, check=False)
        except OSError:
            pass  # gone


def _text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
