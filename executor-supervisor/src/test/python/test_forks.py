import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import uuid

from troupe import frames

PACKAGES = pathlib.Path(__file__).resolve().parents[2] / "main/python"
MODULE = """
    import os, resource, sys
    imported_by = os.getpid()
    print("imported", flush=True)
    def setup(): print("set up", flush=True)
    def who(_):
        return {
            "pid": os.getpid(), "session": os.getsid(0), "imported_by": imported_by, "colour": os.environ["COLOUR"],
            "folder": os.getcwd(), "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0], "nice": os.nice(0),
            "troupe": sorted(name for name in os.environ if name.startswith("TROUPE")),
            "descriptors": len(os.listdir("/proc/self/fd")),
        }
    def leave(_): os._exit(7)
    def die(_): os.kill(os.getpid(), 11)
    def say(text): print(text)
"""
#: By signals it gets no further processes, and gets them again. The limit does not hold for root.
FULL_MODULE = """
    import os, resource, signal
    if os.geteuid() == 0: os.setresuid(65534, 65534, 65534)
    def limit(number, _):
        soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        resource.setrlimit(resource.RLIMIT_NPROC, (0 if number == signal.SIGUSR1 else hard, hard))
    signal.signal(signal.SIGUSR1, limit)
    signal.signal(signal.SIGUSR2, limit)
    def server(_): return os.getppid()
"""


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def eventually(holds):
    until = time.monotonic() + 30
    while not holds():
        if time.monotonic() > until:
            raise AssertionError("it never came so far")
        time.sleep(0.005)


class ForksTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(str(self.folder / "s"))
        self.listener.listen()
        self.listener.settimeout(60)
        self.server = None

    def environment(self, **more):
        mark = str(uuid.uuid4())
        return {**os.environ, "PYTHONPATH": str(PACKAGES), "TROUPE_WORKER_MARK": mark, "PYTHONUNBUFFERED": "1", **more}

    def start(self, command, **more):
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(**more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait(60)
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()

    def serve(self, module=MODULE):
        (self.folder / "mine.py").write_text(textwrap.dedent(module))
        self.server = self.start(
            [sys.executable, "-B", "-m", "troupe.worker", "mine"], TROUPE_FORKS=str(self.folder / "forks")
        )
        eventually((self.folder / "forks").exists)

    def fork(self, *before, **more):
        return self.start(
            [*before, sys.executable, "-I", "-S", "-B", str(PACKAGES / "troupe/forked.py"), str(self.folder / "forks")],
            TROUPE_SOCKET=str(self.folder / "s"),
            TROUPE_TOKEN="t0k3n",
            COLOUR="blue",
            **more,
        )

    @staticmethod
    def ignores_sigterm(pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("SigIgn:")[2].split()[0], 16) >> (signal.SIGTERM - 1) & 1

    def connect(self):
        connection, _ = self.listener.accept()
        self.addCleanup(connection.close)
        connection.settimeout(60)
        return connection, json.loads(frames.decode(connection.recv(65536))[0][0][4])["pid"]

    def call(self, connection, function, value=None):
        body = json.dumps(value).encode()
        connection.sendall(frames.frame(frames.JOB, frames.JSON, 1, function.encode(), body))
        return json.loads(frames.decode(connection.recv(65536))[0][0][4])

    def test_workers_are_forked_from_one_that_has_imported_the_module_and_have_what_started_ones_have(self):
        self.serve()
        stand_in = self.fork("prlimit", "--nofile=123:123", "nice", "-n", "2")
        connection, pid = self.connect()
        told = self.call(connection, "who")
        self.assertEqual((pid, pid, self.server.pid), (told["pid"], told["session"], told["imported_by"]))
        self.assertEqual(("blue", str(self.folder), 123), (told["colour"], told["folder"], told["files"]))
        self.assertEqual(os.nice(0) + 2, told["nice"])
        self.assertEqual(["TROUPE_WORKER_MARK"], told["troupe"])
        mark = [v for v in pathlib.Path(f"/proc/{stand_in.pid}/environ").read_bytes().split(b"\0") if b"MARK" in v]
        self.assertLessEqual(set(mark), set(pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")))
        self.call(connection, "say", "hello")
        self.assertEqual([b"set up\n", b"\0job 1\n", b"hello\n"], [stand_in.stdout.readline() for _ in range(3)])
        other = self.fork()
        connection, second = self.connect()
        self.assertEqual(told["descriptors"], self.call(connection, "who")["descriptors"])
        self.assertNotEqual(pid, second)
        os.kill(second, signal.SIGTERM)
        self.assertEqual(0, other.wait(60))

    def test_the_stand_in_ends_as_its_worker_does(self):
        self.serve()
        for function, code in (("leave", 7), ("die", -11)):
            stand_in = self.fork()
            connection, pid = self.connect()
            eventually(lambda: self.ignores_sigterm(stand_in.pid))
            stand_in.terminate()  # which is for the worker alone
            with self.assertRaises(IndexError):
                self.call(connection, function)
            self.assertEqual(code, stand_in.wait(60))
            self.assertFalse(lives(pid))

    def test_a_worker_ends_when_its_stand_in_is_killed(self):
        self.serve()
        stand_in = self.fork()
        _, pid = self.connect()
        stand_in.kill()
        eventually(lambda: not lives(pid))

    def processes_allowed(self):
        limits = pathlib.Path(f"/proc/{self.server.pid}/limits").read_bytes()
        return limits.partition(b"Max processes")[2].split()[0]

    def sleeps(self):
        """How often the server has begun to wait for something."""
        status = pathlib.Path(f"/proc/{self.server.pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def test_a_worker_and_its_stand_in_that_end_at_once_leave_the_server_and_the_other_workers_alone(self):
        self.serve()
        self.fork()
        other, _ = self.connect()
        stand_in = self.fork()
        _, pid = self.connect()
        descriptors = pathlib.Path(f"/proc/{self.server.pid}/fd")
        before = len(list(descriptors.iterdir()))
        slow = socket.socket(socket.AF_UNIX)  # for which the server waits, so that it sees in one round what happens meanwhile
        self.addCleanup(slow.close)
        slow.connect(str(self.folder / "forks"))
        eventually(lambda: len(list(descriptors.iterdir())) > before)
        slept = self.sleeps()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not lives(pid) and self.sleeps() > slept)  # so it has got SIGCHLD
        stand_in.kill()
        stand_in.wait(60)
        slow.close()
        self.fork()
        _, third = self.connect()
        self.assertTrue(lives(third))
        self.assertEqual(self.server.pid, self.call(other, "who")["imported_by"])

    def test_when_no_process_can_be_forked_who_came_is_told_and_the_server_and_its_workers_go_on(self):
        self.serve(FULL_MODULE)
        self.folder.chmod(0o755)
        (self.folder / "s").chmod(0o777)  # also for another user than root
        self.fork()
        connection, _ = self.connect()
        self.assertEqual(self.server.pid, self.call(connection, "server"))
        self.server.send_signal(signal.SIGUSR1)
        eventually(lambda: self.processes_allowed() == b"0")
        stand_in = self.fork()
        self.assertEqual(75, stand_in.wait(60))
        # To its end, which comes only when the server has closed what it was handed.
        self.assertEqual(b"troupe.worker: cannot fork: Resource temporarily unavailable\n", stand_in.stderr.read())
        self.assertEqual(self.server.pid, self.call(connection, "server"))
        self.server.send_signal(signal.SIGUSR2)
        eventually(lambda: self.processes_allowed() != b"0")
        self.fork()
        self.assertEqual(self.server.pid, self.call(self.connect()[0], "server"))

    def test_workers_end_with_their_server_and_their_stand_ins_say_that_they_have_lost_it(self):
        self.serve()
        stand_in = self.fork()
        _, pid = self.connect()
        self.server.kill()
        self.assertEqual(75, stand_in.wait(60))
        eventually(lambda: not lives(pid))

    def test_the_server_ends_when_the_executor_is_gone(self):
        self.serve()
        stand_in = self.fork()
        _, pid = self.connect()
        self.server.stdin.close()
        self.assertEqual(0, self.server.wait(60))
        self.assertEqual(75, stand_in.wait(60))
        eventually(lambda: not lives(pid))

    def test_a_module_that_does_not_import_is_told_to_each_worker_with_its_traceback(self):
        self.serve("import no_such_module")
        for stand_in in [self.fork(), self.fork()]:
            self.assertEqual(78, stand_in.wait(60))
            text = stand_in.stderr.read().decode()
            self.assertIn("Traceback", text)
            self.assertRegex(
                text.splitlines()[-1],
                r"^troupe.worker: module mine cannot be imported: "
                r"ModuleNotFoundError: No module named 'no_such_module' \(.*mine.py:1\)$",
            )
        self.assertEqual(78, self.server.wait(60))

    def test_a_module_that_starts_threads_is_refused_with_one_line(self):
        self.serve("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()")
        stand_in = self.fork()
        self.assertEqual(78, stand_in.wait(60))
        self.assertEqual(
            b"troupe.worker: module mine starts threads when it is imported, and a process with threads cannot be forked"
            b" safely: start them in setup(), or leave out preload\n",
            stand_in.stderr.read(),
        )


if __name__ == "__main__":
    unittest.main()
