"""Redis, RabbitMQ and PostgreSQL for one measurement: on 127.0.0.1, in a folder of their own, ended by process id."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

import cluster
import processes

START_SECONDS = 60


class Unavailable(Exception):
    """The service cannot be had; the text says why."""


class Service:
    """A server that runs while the block is entered."""

    package = ""

    def __init__(self, work):
        self.folder = os.path.join(work, type(self).__name__.lower())
        self._processes = []

    def _command(self):
        """The path of the server's program; None when it is not installed."""
        raise NotImplementedError

    def _start(self, command):
        raise NotImplementedError

    def environment(self):
        """What its users are told."""
        return {}

    def installed(self):
        return self._command() is not None

    def __enter__(self):
        command = self._command()
        if command is None:
            raise Unavailable(f"{self.package} is not installed")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        try:
            self._start(command)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            processes.end(process, grace=30)
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self):
        return [process.pid for process in self._processes]

    def _spawn(self, words, environment=None, log=None):
        with open(log or self.folder + ".log", "ab") as file:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        self._processes.append(process)
        return process

    def _await_port(self, port):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._processes[-1].poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Unavailable(f"{self.package} does not start: see {self.folder}.log")


class Redis(Service):
    """As Debian sets it up: snapshots, no append-only file."""

    package = "redis-server"

    def _command(self):
        return shutil.which("redis-server")

    def _start(self, command):
        (self.port,) = cluster.free_ports(1)
        words = [command, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder]
        # Results go to clients by its channels, and one that is 32 MiB behind would be cut off and wait for ever.
        words += ["--client-output-buffer-limit", "pubsub 0 0 0"]
        self._spawn([*words, "--save", "3600 1 300 100 60 10000", "--appendonly", "no"])
        self._await_port(self.port)

    def environment(self):
        return {"BENCHMARK_REDIS_PORT": str(self.port)}


class Rabbit(Service):
    """As Debian sets it up, with a port mapper of its own."""

    package = "rabbitmq-server"
    _SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    def _command(self):
        return self._SERVER if os.access(self._SERVER, os.X_OK) else None

    def _start(self, command):
        mapper, self.port, distribution = cluster.free_ports(11)[::5]
        environment = {
            "HOME": self.folder,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper),
            "RABBITMQ_NODENAME": "benchmark@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": self.folder + "/mnesia",
            "RABBITMQ_LOG_BASE": self.folder + "/log",
            "RABBITMQ_CONFIG_FILE": self.folder + "/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder + "/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._spawn(["epmd", "-address", "127.0.0.1", "-port", str(mapper)], environment)
        self._await_port(mapper)
        self._spawn([command], environment)
        self._await_port(self.port)

    def environment(self):
        return {"BENCHMARK_RABBIT_PORT": str(self.port)}


class Postgres(Service):
    """As Debian sets it up, synchronous commits and all; runs as the user postgres where this process is root."""

    package = "postgresql"

    def __init__(self, work):
        super().__init__(work)
        # Another user could not pass through the folders above the work folder.
        self._log = self.folder + ".log"
        self.folder = os.path.join(tempfile.gettempdir(), f"benchmark-postgres.{os.getpid()}")

    @staticmethod
    def _bin():
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[4]))
        return os.path.dirname(found[-1]) if found else None

    def _command(self):
        return self._bin() and os.path.join(self._bin(), "postgres")

    @staticmethod
    def _as_user():
        if os.getuid() != 0:
            return []
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups"]

    def _start(self, command):
        (self.port,) = cluster.free_ports(1)
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.data = os.path.join(self.folder, "data")
        done = subprocess.run(
            [*self._as_user(), self._bin() + "/initdb", "-D", self.data, "-U", "troupe", "-A", "trust", "-E", "UTF8"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"initdb failed: {done.stdout.decode(errors='replace').strip().splitlines()[-1]}")
        self.run()

    def run(self):
        """Starts the server on the data that is there."""
        words = [self._command(), "-D", self.data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self.folder]
        self._spawn([*self._as_user(), *words], log=self._log)
        self._await_port(self.port)

    def kill(self):
        """SIGKILL for the server and all its processes."""
        (process,) = self._processes
        for pid in [process.pid, *processes.descendants(process.pid)]:
            processes.kill(pid)
        process.wait()
        self._processes.clear()

    def environment(self):
        return {"BENCHMARK_POSTGRES_URL": f"jdbc:postgresql://127.0.0.1:{self.port}/postgres?user=troupe"}


ALL = {"redis": Redis, "rabbit": Rabbit, "postgres": Postgres}
