import json
import math
import os
import pathlib
import platform
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import unittest

from troupe import frames

#: Those of the seat that are written, each by one side.
WORDS = ("begun", "cancel", "flush", "recall", "last", "changes", "job", "fraction", "length", "beats")
PACKAGES = pathlib.Path(__file__).resolve().parents[2] / "main/python"

MODULE = """
    import os, resource, sys, time
    calls = []

    def echo(value): return value
    def fail(value): raise ValueError("bad: %s" % value)
    def leave(value): sys.exit(3)
    def say(value): print("said", value)
    def nan(value): return float("nan")
    def big(value): return "x" * value
    def pid(value): return os.getpid()
    def wait(value):
        try:
            print("waiting", flush=True)
            time.sleep(60)
        finally:
            print("cleaned up", flush=True)
    def sleep(value): time.sleep(value)
    def stdin(value): return sys.stdin.read()
    def environment(value): return [k for k in os.environ if k.startswith("TROUPE_")]
    def faults(value): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    def _private(value): return 1
    not_a_function = 3
    class Odd(Exception): pass
    def odd(value): raise Odd("a", 1, [None])
    def unsayable(value): raise ValueError(object())
"""

ASYNC = """
    import asyncio
    seen = []
    async def setup(): seen.append("setup")
    async def teardown(): print("teardown", seen, flush=True)
    async def later(value):
        await asyncio.sleep(0)
        seen.append(value)
        return value + 1
    async def broken(value): raise KeyError(value)
    async def wait(value):
        try:
            print("waiting", flush=True)
            await asyncio.sleep(60)
        finally:
            print("cleaned up", flush=True)
    async def countdown(value):
        for i in range(value):
            await asyncio.sleep(0)
            yield value - i
    def squares(value):
        for i in range(value): yield i * i
    def breaks(value):
        yield 1
        raise ValueError("half-way")
"""

CLASS = """
    import functools
    class Adder:
        def setup(self): self.more = 10
        def add(self, value): return value + self.more
        async def add_later(self, value): return value + self.more
        twice = functools.partial(max, 2)
        def teardown(self): raise RuntimeError("no way down")
    class Broken:
        def setup(self): raise OSError(2, "no database")
"""


class Worker:
    """A real worker process at the other end of a real socket."""

    def __init__(self, folder, module=MODULE, served="mine", **environment):
        self.folder = pathlib.Path(folder)
        (self.folder / "mine.py").write_text(textwrap.dedent(module))
        (self.folder / "seat").write_bytes(bytes(256))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.folder / "s"))
        self.listener.listen()
        self.listener.settimeout(60)
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-m", "troupe.worker", served],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": str(PACKAGES),
                "TROUPE_SOCKET": str(self.folder / "s"),
                "TROUPE_TOKEN": "t0k3n",
                "TROUPE_SEAT": str(self.folder / "seat"),
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.connection = None
        self.rest = b""
        self.read = []

    def connect(self):
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(60)
        return json.loads(self.receive()[4])

    def send(self, function, value, ident=1):
        self.connection.sendall(
            frames.frame(frames.JOB, frames.JSON, ident, function.encode(), json.dumps(value).encode())
        )

    def receive(self):
        while not self.read:
            data = self.connection.recv(65536)
            if not data:
                raise EOFError("the worker closed its socket")
            self.read, self.rest = frames.decode(self.rest + data)
        return self.read.pop(0)

    def call(self, function, value, ident=1):
        self.send(function, value, ident)
        kind, _, answered, name, payload = self.receive()
        assert answered == ident, (answered, ident)
        return (kind, name.decode(), json.loads(payload))

    def word(self, number):
        """What stands in a word of its seat."""
        return struct.unpack_from("=Q", (self.folder / "seat").read_bytes(), 8 * number)[0]

    def interrupt(self, **words):
        """SIGINT, after these words of its seat have been written: ``cancel=5`` for the job that is to be ended."""
        with open(self.folder / "seat", "r+b", buffering=0) as seat:
            for name, value in words.items():
                seat.seek(8 * WORDS.index(name))
                seat.write(value.to_bytes(8, sys.byteorder))
        self.process.send_signal(signal.SIGINT)

    def printed(self):
        """The next line on its standard output that is no mark."""
        while (line := self.process.stdout.readline()).startswith(b"\0job "):
            pass
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()
        self.process.wait(60)
        self.listener.close()
        if self.connection:
            self.connection.close()


class WorkerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def worker(self, **options):
        worker = Worker(self.folder, **options)
        self.addCleanup(worker.__exit__)
        return worker

    def connected(self, **options):
        worker = self.worker(**options)
        worker.connect()
        return worker

    def test_a_payload_in_a_file_is_read_and_a_large_result_is_written_to_one(self):
        with tempfile.TemporaryDirectory() as folder:
            worker = Worker(folder, TROUPE_BLOBS=folder + "/w", TROUPE_INLINE_RESULT="1000")
            hello = worker.connect()
            payload = pathlib.Path(folder) / "in-1"
            payload.write_bytes(b"x" * 5000)
            worker.connection.sendall(
                frames.frame(frames.JOB, frames.BYTES + frames.IN_FILE, 1, b"echo", str(payload).encode())
            )
            kind, content, _, _, body = worker.receive()
            self.assertEqual((kind, content), (frames.RESULT, frames.BYTES + frames.IN_FILE))
            self.assertEqual(body.decode(), f"{folder}/w-{hello['pid']}-1")
            self.assertEqual(pathlib.Path(body.decode()).read_bytes(), b"x" * 5000)
            worker.send("echo", "y" * 998, 2)
            self.assertEqual(worker.receive()[1], frames.JSON)
            worker.connection.sendall(
                frames.frame(frames.JOB, frames.JSON + frames.IN_FILE, 3, b"echo", b"/nowhere")
            )
            kind, _, _, name, body = worker.receive()
            self.assertEqual((kind, name), (frames.ERROR, b"raised"))
            self.assertIn(b"/nowhere", body)
            worker.connection.close()
            worker.process.communicate(timeout=60)

    def test_long_texts_arrive_as_they_are_whether_they_need_escapes_or_not(self):
        worker = self.connected()
        long = "x" * (20 << 10)
        texts = [long, long + '"', long + "\\", "\n" + long, long + "\x1f", long + "\x7f", "é" + long, long + "\ud800"]
        payloads = [json.dumps(text) + space for text in texts for space in ("", " ")]
        for ident, payload in enumerate(payloads, 1):
            worker.connection.sendall(frames.frame(frames.JOB, frames.JSON, ident, b"echo", payload.encode()))
            kind, content, _, _, body = worker.receive()
            self.assertEqual((frames.RESULT, frames.JSON), (kind, content))
            self.assertEqual(json.loads(payload), json.loads(body.decode("utf-8", "surrogatepass")))

    @unittest.skipUnless(platform.libc_ver()[0] == "glibc", "other C libraries have habits of their own")
    def test_memory_that_a_large_payload_has_taken_is_at_hand_for_the_next(self):
        worker = self.connected()
        rounds, text = 50, "x" * (1 << 20)
        before = None
        for number in range(2 * rounds):
            if number == rounds:
                before = worker.call("faults", None)[2]
            worker.call("echo", text)
        pages = len(text) // resource.getpagesize()
        self.assertLess(worker.call("faults", None)[2] - before, rounds * pages // 4)

    def test_it_says_who_it_is(self):
        worker = self.worker()
        hello = worker.connect()
        self.assertEqual(1, hello["protocol"])
        self.assertEqual(worker.process.pid, hello["pid"])
        self.assertEqual("t0k3n", hello["token"])

    def test_a_function_gets_the_value_and_its_return_value_comes_back(self):
        worker = self.connected()
        for value in (None, 1, 2.5, "ü\n", [1, [2]], {"a": {"b": None}}, True):
            self.assertEqual((frames.RESULT, "", value), worker.call("echo", value))

    def test_bytes_go_and_come_as_they_are(self):
        worker = self.connected()
        worker.connection.sendall(
            frames.frame(frames.JOB, frames.BYTES, 7, b"echo", b"\x00\xff")
        )
        self.assertEqual((frames.RESULT, frames.BYTES, 7, b"", b"\x00\xff"), worker.receive())

    def test_pipelined_jobs_are_answered_in_order(self):
        worker = self.connected()
        for ident in range(1, 501):
            worker.send("echo", ident, ident)
        self.assertEqual(
            [(ident, str(ident).encode()) for ident in range(1, 501)],
            [(f[2], f[4]) for f in (worker.receive() for _ in range(500))],
        )

    def test_a_payload_larger_than_a_receive_arrives_whole(self):
        worker = self.connected()
        value = "y" * (3 << 20)
        self.assertEqual((frames.RESULT, "", value), worker.call("echo", value))

    def test_an_exception_fails_its_job_only(self):
        worker = self.connected()
        kind, name, body = worker.call("fail", 3)
        self.assertEqual((frames.ERROR, "raised"), (kind, name))
        self.assertEqual(("ValueError", "bad: 3"), (body["type"], body["message"]))
        self.assertIn("mine.py", body["traceback"][0])
        self.assertNotIn("troupe/worker.py", "".join(body["traceback"]))
        self.assertEqual((frames.RESULT, "", 4), worker.call("echo", 4))

    def test_an_exception_tells_its_class_and_what_it_was_made_with(self):
        worker = self.connected()
        body = worker.call("odd", None)[2]
        self.assertEqual(("Odd", "mine", ["a", 1, [None]]), (body["type"], body["module"], body["args"]))
        body = worker.call("unsayable", None)[2]
        self.assertEqual(("ValueError", "builtins", False), (body["type"], body["module"], "args" in body))

    def test_async_functions_share_one_loop_and_may_be_set_up_and_torn_down(self):
        worker = self.connected(module=ASYNC)
        self.assertEqual((frames.RESULT, "", 2), worker.call("later", 1))
        self.assertEqual((frames.RESULT, "", 3), worker.call("later", 2))
        kind, name, body = worker.call("broken", "k")
        self.assertEqual((frames.ERROR, "raised", "KeyError"), (kind, name, body["type"]))
        worker.connection.sendall(frames.frame(frames.SHUTDOWN, frames.JSON, 0, b"", b""))
        self.assertEqual(b"teardown ['setup', 1, 2]\n", worker.printed())
        self.assertEqual(0, worker.process.wait(60))

    def test_teardown_is_called_on_sigterm_too(self):
        worker = self.connected(module=ASYNC)
        worker.process.send_signal(signal.SIGTERM)
        self.assertEqual(b"teardown ['setup']\n", worker.printed())
        self.assertEqual(0, worker.process.wait(60))

    def test_setup_and_teardown_are_no_jobs(self):
        worker = self.connected(module=ASYNC)
        for function in ("setup", "teardown"):
            self.assertEqual("no-function", worker.call(function, None)[1])

    def test_an_async_function_is_cancelled_and_the_next_one_runs(self):
        worker = self.connected(module=ASYNC)
        worker.send("wait", None, 5)
        worker.printed()
        worker.interrupt(cancel=5)
        kind, _, ident, name, _ = worker.receive()
        self.assertEqual((frames.ERROR, 5, b"cancelled"), (kind, ident, name))
        self.assertEqual(b"cleaned up\n", worker.printed())
        self.assertEqual((frames.RESULT, "", 2), worker.call("later", 1, 6))

    def test_what_a_generator_yields_is_a_list(self):
        worker = self.connected(module=ASYNC)
        self.assertEqual((frames.RESULT, "", [0, 1, 4]), worker.call("squares", 3))
        self.assertEqual((frames.RESULT, "", [2, 1]), worker.call("countdown", 2))
        self.assertEqual("half-way", worker.call("breaks", 2)[2]["message"])

    def test_what_a_generator_has_yielded_stands_in_a_file_while_it_runs(self):
        blobs = str(pathlib.Path(self.folder) / "w")
        worker = self.connected(
            TROUPE_BLOBS=blobs,
            TROUPE_INLINE_RESULT="1000",
            module="""
            def look(path):
                yield "ü"
                yield open(path, encoding="utf-8").read()
            def breaks(path):
                yield 1
                raise ValueError("half-way")
            def unsayable(path):
                yield object()
            """,
        )
        self.assertEqual((frames.RESULT, "", ["ü", '"ü"\n']), worker.call("look", blobs + "-parts-7", 7))
        self.assertEqual("half-way", worker.call("breaks", None, 8)[2]["message"])
        self.assertEqual("TypeError", worker.call("unsayable", None, 9)[2]["type"])
        self.assertEqual([], list(pathlib.Path(self.folder).glob("w-parts-*")))

    def test_the_methods_of_a_class_are_functions(self):
        worker = self.connected(module=CLASS, served="mine:Adder")
        self.assertEqual((frames.RESULT, "", 11), worker.call("add", 1))
        self.assertEqual((frames.RESULT, "", 12), worker.call("add_later", 2))
        self.assertEqual((frames.RESULT, "", 3), worker.call("twice", 3))
        self.assertEqual("module mine:Adder has no public function 'more'", worker.call("more", 1)[2]["message"])
        worker.connection.sendall(frames.frame(frames.SHUTDOWN, frames.JSON, 0, b"", b""))
        self.assertEqual(0, worker.process.wait(60))
        self.assertIn(b"teardown() failed: RuntimeError: no way down", worker.process.stderr.read())

    def test_a_setup_that_fails_is_told_apart_from_a_module_that_does_not_import(self):
        worker = self.worker(module=CLASS, served="mine:Broken")
        self.assertEqual(75, worker.process.wait(60))
        self.assertIn(b"setup() of mine:Broken failed: FileNotFoundError: ", worker.process.stderr.read())

    def test_a_function_that_calls_exit_fails_its_job_only(self):
        worker = self.connected()
        self.assertEqual("SystemExit", worker.call("leave", None)[2]["type"])
        self.assertEqual((frames.RESULT, "", 4), worker.call("echo", 4))

    def test_what_is_no_public_function_is_named(self):
        worker = self.connected()
        for function in ("missing", "_private", "not_a_function", "__import__"):
            kind, name, body = worker.call(function, None)
            self.assertEqual((frames.ERROR, "no-function"), (kind, name))
            self.assertEqual(f"module mine has no public function {function!r}", body["message"])

    def test_a_payload_that_is_no_json_fails_its_job_only(self):
        worker = self.connected()
        for payload in (b"{", b"", b"\xff", b"1 2"):
            worker.connection.sendall(frames.frame(frames.JOB, frames.JSON, 1, b"echo", payload))
            self.assertEqual(frames.ERROR, worker.receive()[0])
        worker.connection.sendall(frames.frame(frames.JOB, frames.JSON, 1, b"echo", b" [1 ] \n"))
        self.assertEqual(b"[1]", worker.receive()[4])

    def test_a_result_that_json_cannot_hold_or_that_is_too_large_fails_its_job_only(self):
        worker = self.connected(TROUPE_MAX_RESULT="1000")
        self.assertEqual("ValueError", worker.call("nan", None)[2]["type"])
        self.assertIn("1002 bytes is over the limit of 1000", worker.call("big", 1000)[2]["message"])
        self.assertEqual((frames.RESULT, "", "x" * 998), worker.call("big", 998))

    def test_what_it_prints_does_not_disturb_the_protocol_and_comes_at_once(self):
        worker = self.connected()
        self.assertEqual((frames.RESULT, "", None), worker.call("say", "hello"))
        self.assertEqual(b"said hello\n", worker.printed())

    def test_a_quick_result_does_not_wait_for_a_slow_job_behind_it(self):
        worker = self.connected()
        worker.send("echo", 1, 1)
        worker.send("wait", None, 2)
        self.assertEqual(1, worker.receive()[2])

    def test_only_the_job_that_was_named_is_cancelled(self):
        worker = self.connected()
        worker.send("wait", None, 5)
        worker.printed()
        self.assertEqual(5, worker.word(0))
        worker.interrupt()  # no word names a job: nothing happens
        worker.interrupt(cancel=5)
        kind, _, ident, name, _ = worker.receive()
        self.assertEqual((frames.ERROR, 5, b"cancelled"), (kind, ident, name))
        self.assertEqual(b"cleaned up\n", worker.printed())
        worker.interrupt()  # late: the job is over
        self.assertEqual((frames.RESULT, "", 4), worker.call("echo", 4, 6))

    def test_a_cancelled_job_that_cleans_up_is_not_cancelled_again_by_a_signal_for_something_else(self):
        worker = self.connected(
            module="""
            import os, time
            def clean_up(path):
                try:
                    print("begins", flush=True)
                    time.sleep(60)
                finally:
                    print("cleans up", flush=True)
                    while not os.path.exists(path): time.sleep(0.01)
                    open(path, "w").write("cleaned up")
            """
        )
        done = pathlib.Path(self.folder) / "done"
        worker.send("clean_up", str(done), 5)
        worker.printed()
        worker.interrupt(cancel=5)
        self.assertEqual(b"cleans up\n", worker.printed())
        worker.interrupt()
        done.touch()
        self.assertEqual((frames.ERROR, frames.JSON, 5, b"cancelled"), worker.receive()[:4])
        self.assertEqual("cleaned up", done.read_text())

    def test_results_that_wait_behind_a_job_that_turned_out_slow_are_sent_when_the_executor_asks(self):
        worker = self.connected()
        worker.call("sleep", 0)  # a quick function, as far as the worker can know
        worker.connection.sendall(
            b"".join(
                frames.frame(frames.JOB, frames.JSON, ident, b"sleep", payload)
                for ident, payload in ((2, b"0"), (3, b"0"), (4, b"60"))
            )
        )
        while worker.word(0) != 4:
            pass
        worker.interrupt(flush=4)
        self.assertEqual([2, 3], [worker.receive()[2] for _ in range(2)])
        self.assertIsNone(worker.process.poll())

    def test_a_job_says_how_far_it_is_in_the_seat(self):
        worker = self.connected(
            module="""
            import troupe
            def far(message): troupe.progress(0.4, message)
            def where(message): troupe.progress(message=message)
            def wrong(value): troupe.progress(value)
            def alive(value): troupe.heartbeat()
            """
        )

        def told():
            data = (worker.folder / "seat").read_bytes()
            changes, job, fraction, length, beats = struct.unpack_from("=QQdQQ", data, 40)
            return changes % 2, job, fraction, data[80 : 80 + length].decode(), beats

        worker.call("far", "reading\n x", 7)
        self.assertEqual((0, 7, 0.4, "reading x", 1), told())
        worker.call("where", "ü" * 500, 8)
        self.assertEqual((0, 8, "ü" * 88, 2), (told()[0], told()[1], told()[3], told()[4]))
        self.assertTrue(math.isnan(told()[2]))
        worker.call("alive", None, 9)
        self.assertEqual(3, told()[4])
        self.assertEqual("ValueError", worker.call("wrong", 1.5, 10)[2]["type"])

    def test_outside_of_a_worker_what_a_job_tells_goes_nowhere(self):
        code = "import troupe; troupe.progress(0.5, 'x'); troupe.heartbeat()"
        subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(PACKAGES)}, check=True)

    def test_it_marks_which_job_prints_what_and_when_that_is_over(self):
        worker = self.connected(
            module="""
            import os, sys
            def say(text): print(text)
            def half(text): sys.stdout.write(text)
            def raw(text): os.write(1, text.encode())
            def quiet(text): pass
            """
        )
        for ident, (function, text) in enumerate(
            [("say", "a"), ("quiet", ""), ("half", "b"), ("raw", "c\n"), ("say", "d\ne")], 1
        ):
            worker.call(function, text, ident)
        worker.connection.close()
        self.assertEqual(
            b"\0job 1\na\n\0job 0\n\0job 3\nb\n\0job 0\nc\n\0job 5\nd\ne\n\0job 0\n",
            worker.process.stdout.read(),
        )

    def test_a_job_that_closes_its_output_does_not_take_it_from_the_next_one(self):
        worker = self.connected(
            module="""
            import os, sys
            def close(_): sys.stdout.close()
            def close_hard(_): os.close(1)
            def say(text): print(text)
            """
        )
        for function in ("close", "close_hard"):
            worker.call(function, None)
            self.assertEqual(frames.RESULT, worker.call("say", function)[0])
            self.assertEqual(function.encode() + b"\n", worker.printed())

    def test_it_ends_with_code_75_when_the_socket_is_closed_without_a_word(self):
        worker = self.connected()
        worker.connection.close()
        self.assertEqual(75, worker.process.wait(60))

    def test_it_writes_down_where_its_threads_are_whatever_they_do(self):
        worker = self.connected(
            TROUPE_STACKS=str(pathlib.Path(self.folder) / "stacks"),
            module="""
            import signal, time
            def stuck(value):
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
                print("stuck", flush=True)
                while True: time.sleep(60)
            """,
        )
        worker.send("stuck", None)
        self.assertEqual(b"stuck\n", worker.printed())
        for time in (1, 2):
            (worker.folder / "stacks").write_bytes(b"")
            worker.process.send_signal(signal.SIGQUIT)
            text = ""
            while "troupe/worker.py" not in text:
                text = (worker.folder / "stacks").read_text()
            self.assertIn("in stuck", text)
        self.assertIsNone(worker.process.poll())

    def test_it_answers_what_it_was_sent_and_ends_with_code_0_when_told_to(self):
        worker = self.connected()
        worker.send("echo", 1)
        worker.connection.sendall(frames.frame(frames.SHUTDOWN, frames.JSON, 0, b"", b""))
        self.assertEqual(b"1", worker.receive()[4])
        self.assertEqual(0, worker.process.wait(60))

    def test_sigterm_runs_the_cleaning_up_of_the_running_job(self):
        worker = self.connected()
        worker.send("wait", None)
        worker.printed()
        worker.process.terminate()
        self.assertEqual(b"cleaned up\n", worker.printed())
        self.assertEqual(0, worker.process.wait(60))

    def test_what_is_no_frame_ends_it_with_a_code_and_one_line(self):
        worker = self.connected()
        worker.connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(76, worker.process.wait(60))
        self.assertEqual(
            b"troupe.worker: the executor sent what is no frame: "
            b"a frame of 1195725860 bytes is over the limit of 16777216\n",
            worker.process.stderr.read(),
        )

    def test_a_module_that_does_not_import_ends_it_with_a_code_and_a_last_line_that_says_why(self):
        worker = self.worker(module="import no_such_module")
        self.assertEqual(78, worker.process.wait(60))
        last = worker.process.stderr.read().decode().splitlines()[-1]
        self.assertRegex(
            last,
            r"^troupe.worker: module mine cannot be imported: "
            r"ModuleNotFoundError: No module named 'no_such_module' \(.*mine.py:1\)$",
        )

    def test_user_code_sees_an_empty_stdin_and_no_token(self):
        worker = self.connected()
        self.assertEqual((frames.RESULT, "", ""), worker.call("stdin", None))
        self.assertEqual((frames.RESULT, "", []), worker.call("environment", None))

    def test_wrong_usage_is_one_line(self):
        for arguments in ([], ["a", "b"], ["--help"]):
            process = subprocess.run(
                [sys.executable, "-B", "-m", "troupe.worker", *arguments],
                env={**os.environ, "PYTHONPATH": str(PACKAGES)},
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )
            self.assertEqual(64, process.returncode)
            self.assertEqual(1, process.stderr.count(b"\n"))


if __name__ == "__main__":
    unittest.main()
