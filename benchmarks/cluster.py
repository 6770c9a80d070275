"""A local cluster of Troupe for one measurement, in a folder of its own, and lean connections to it."""

import json
import os
import socket
import subprocess
import time

import lean
import processes

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TROUPE = os.path.join(ROOT, "bin", "troupe")
DEADLINE = 120
WORKER_CPUS = 0.5
WORKER_MEM = 64
#: What an executor takes beside its workers (troupe.executor of reference.conf).
EXECUTOR_CPUS = 0.1
EXECUTOR_MEM = 256
JVMS = {"scheduler": b"io.troupe.scheduler.Main", "executor": b"io.troupe.executor.Main", "mesos": b"io.troupe.local.Main"}


def free_ports(count):
    """Ports that nothing listens on, below those that the system gives to clients."""
    first = int(os.environ.get("BENCHMARK_FIRST_PORT", "19500"))
    found = []
    for port in range(first, 32000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise SystemExit(f"benchmark: there are no {count} free ports from {first} on")


class Cluster:
    """A local cluster whose agents have room for so many workers each."""

    def __init__(self, folder, workers=2, settings=None):
        mesos, agent, api, management, artery = free_ports(25)[::5]
        self.folder = os.path.abspath(folder)
        self.workers = workers
        self.settings = settings
        self.url = f"http://127.0.0.1:{api}"
        self.address = ("127.0.0.1", api)
        self._ports = [
            *("--mesos-port", str(mesos), "--agent-port", str(agent), "--api-port", str(api)),
            *("--management-port", str(management), "--artery-port", str(artery)),
        ]

    def troupe(self, *arguments):
        done = subprocess.run(
            [TROUPE, *arguments],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TROUPE_URL": self.url},
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"benchmark: 'bin/troupe {' '.join(arguments)}' failed")
        return done.stdout.decode()

    def local(self, *arguments):
        return self.troupe("local", *arguments, "--dir", self.folder)

    def _size(self):
        cpus = self.workers * WORKER_CPUS + EXECUTOR_CPUS
        return ["--cpus", f"{cpus:.1f}", "--mem", str(self.workers * WORKER_MEM + EXECUTOR_MEM)]

    def up(self, agents=0):
        """Starts what does not run; agents are only added when it is Mesos that starts."""
        settings = ["--conf", self.settings] if self.settings else []
        self.local("up", "--agents", str(agents), *self._size(), *self._ports, *settings)

    def down(self):
        self.local("down")

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.down()

    def add_agent(self):
        return json.loads(self.local("add-agent", *self._size(), "--json"))

    def status(self):
        return json.loads(self.local("status", "--json"))

    def tree_workers(self):
        return json.loads(self.troupe("workers", "--json"))["workers"]

    def await_workers(self):
        """Returns when all its workers are ready."""
        deadline = time.monotonic() + DEADLINE
        while sum(worker["state"] in ("READY", "BUSY") for worker in self.tree_workers()) < self.workers:
            if time.monotonic() > deadline:
                raise SystemExit("benchmark: not all workers became ready in time")
            time.sleep(0.2)

    def apply(self, name, file, job, env=None):
        """Applies a pool of all its workers, which run the functions of a file; job and env are as in a pool file."""
        module = os.path.splitext(os.path.basename(file))[0]
        pool = {
            "name": name,
            "command": f"python3 -m troupe.worker {module}",
            "protocol": "frames",
            "files": [file],
            "env": env or {},
            "resources": {"cpus": WORKER_CPUS, "mem": f"{WORKER_MEM} MiB"},
            "size": self.workers,
            "job": job,
        }
        path = os.path.join(self.folder, f"{name}.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump(pool, out)
        self.troupe("pool", "apply", path)

    def map(self, pool, function, arguments):
        """Seconds that a map takes, sent and received at the same time, of a function that returns its argument."""
        start = time.perf_counter()
        with lean.Line(self.address) as line:
            answers = line.map(f"/v1/pools/{pool}/map?function={function}", arguments)
        seconds = time.perf_counter() - start
        if [answer.get("result") for answer in answers] != arguments:
            raise SystemExit("benchmark: a job of a map has a wrong result, or none")
        return seconds

    def store_mib(self):
        """The size of the store, if it is in a file."""
        file = os.path.join(self.folder, "scheduler", "store.mv.db")
        return os.path.getsize(file) >> 20 if os.path.exists(file) else 0

    def processes(self):
        """The pids of all that belongs to it: those with its folder in their environment, and all below them."""
        found = set(processes.with_environment("TROUPE_LOCAL", self.folder))
        for pid in list(found):
            found.update(processes.descendants(pid))
        return sorted(found)

    def jvms(self):
        """The pids of its processes of Java by what they are. To ask by a command would take processor time from the jobs."""
        found = {}
        for pid in self.processes():
            words = processes.command(pid).split(b"\0")
            for name, main in JVMS.items():
                if main in words and words[0].endswith(b"java"):
                    found[name] = pid
        return found
