import pathlib
import signal
import struct
import sys
import tempfile
import unittest

import test_worker

from troupe import frames

MODULE = """
    import asyncio, collections, os, sys, threading, time
    import troupe
    events = collections.defaultdict(threading.Event)
    async_events = collections.defaultdict(asyncio.Event)

    def setup(): events["setup"].set()
    def wait(name):
        events[name].wait(60)
        return name
    def release(name): events[name].set()
    async def wait_async(name):
        print("waits", flush=True)
        await asyncio.wait_for(async_events[name].wait(), 60)
        return name
    async def release_async(name): async_events[name].set()
    async def where(_): return threading.get_ident()
    def echo(value): return value
    def fail(value): raise ValueError(value)
    def leave(_): sys.exit(3)
    async def leave_async(_): sys.exit(3)
    def busy(name):
        try:
            print("begun", name)
            while True: time.sleep(0.001)
        finally:
            print("cleaned up", name)
    async def busy_async(name):
        print("begun", name)
        try:
            await asyncio.sleep(60)
        finally:
            print("cleaned up", name)
    def big(size): return "x" * size
    def squares(count):
        for i in range(count): yield i * i
    async def squares_async(count):
        for i in range(count): yield i * i
    def tell(step):
        troupe.progress(step / 10, "step %d" % step)
        events["told"].wait(60)
        troupe.heartbeat()
    def say(name):
        for i in range(20):
            print(name, end=" ")
            time.sleep(0.001)
            print(i)
        print("the end of", name, end="")
    def teardown(): print("torn down", flush=True)
"""

ODD_MODULE = """
    import sys, threading
    events = {"a": threading.Event()}
    def wait(name): return events[name].wait(60)
    def release(name): events[name].set()
    def __getattr__(name):
        if name == "broken": raise RuntimeError("no such luck")
        if name == "leaving": sys.exit(3)
        if name == "endless":
            print("looks", flush=True)
            threading.Event().wait(60)
        raise AttributeError(name)
    def teardown(): print("torn down", flush=True)
"""


class CrewTest(unittest.TestCase):
    WIDTH = 3

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def connected(self, width=WIDTH, module=MODULE, **environment):
        worker = test_worker.Worker(self.folder, module=module, TROUPE_CONCURRENCY=str(width), **environment)
        self.addCleanup(worker.__exit__)
        (self.folder / "seat").write_bytes(bytes(256 * (1 + width)))
        self.hello = worker.connect()
        return worker

    def cancel(self, worker, ident):
        worker.connection.sendall(frames.frame(frames.CANCEL, frames.JSON, ident, b"", b""))

    def answers(self, worker, count):
        return {frame[2]: frame for frame in (worker.receive() for _ in range(count))}

    def begun(self):
        return int.from_bytes((self.folder / "seat").read_bytes()[:8], sys.byteorder)

    def test_it_says_how_many_jobs_it_runs_at_once(self):
        self.connected()
        self.assertEqual(3, self.hello["concurrency"])

    def test_jobs_run_at_once_up_to_its_width_and_end_in_any_order(self):
        worker = self.connected()
        for ident, name in enumerate(("a", "b"), 1):
            worker.send("wait", name, ident)
        worker.send("release", "b", 3)
        self.assertEqual({2, 3}, set(self.answers(worker, 2)))
        worker.send("wait", "c", 4)
        worker.send("wait", "d", 5)
        worker.send("release", "a", 6)  # has to wait itself
        worker.send("echo", 7, 7)
        while self.begun() != 5:
            pass
        self.cancel(worker, 6)  # of which nothing is known yet but that it is not wanted
        self.cancel(worker, 5)
        self.assertEqual(5, self.begun())
        worker.process.kill()

    def test_async_functions_run_at_once_on_one_loop_beside_those_in_threads(self):
        worker = self.connected()
        worker.send("wait_async", "a", 1)
        worker.send("wait", "b", 2)
        worker.send("release_async", "a", 3)
        self.assertEqual({1, 3}, set(self.answers(worker, 2)))
        worker.send("where", None, 4)
        worker.send("where", None, 5)
        self.assertEqual(1, len({frame[4] for frame in self.answers(worker, 2).values()}))
        worker.send("release", "b", 6)
        self.assertEqual({2, 6}, set(self.answers(worker, 2)))

    def test_many_quick_jobs_are_all_answered(self):
        worker = self.connected()
        for ident in range(1, 2001):
            worker.send("echo", ident, ident)
        self.assertEqual(
            {ident: str(ident).encode() for ident in range(1, 2001)},
            {ident: frame[4] for ident, frame in self.answers(worker, 2000).items()},
        )

    def test_what_a_generator_yields_is_a_list(self):
        worker = self.connected()
        self.assertEqual((frames.RESULT, "", [0, 1, 4]), worker.call("squares", 3))
        self.assertEqual((frames.RESULT, "", [0, 1, 4]), worker.call("squares_async", 3))

    def test_an_exception_or_an_exit_fails_its_job_only(self):
        worker = self.connected()
        body = worker.call("fail", 3)[2]
        self.assertEqual("ValueError", body["type"])
        self.assertIn("mine.py", body["traceback"][0])
        self.assertEqual("SystemExit", worker.call("leave", None)[2]["type"])
        self.assertEqual("SystemExit", worker.call("leave_async", None)[2]["type"])
        self.assertEqual("no-function", worker.call("nothing", None)[1])
        self.assertEqual((frames.RESULT, "", 4), worker.call("echo", 4))

    def test_what_an_attribute_of_the_module_raises_when_it_is_looked_up_fails_its_job_only(self):
        worker = self.connected(module=ODD_MODULE)
        worker.send("wait", "a", 9)
        kind, name, body = worker.call("broken", None)
        self.assertEqual((frames.ERROR, "raised", "RuntimeError"), (kind, name, body["type"]))
        self.assertEqual("no such luck", body["message"])
        self.assertIn("mine.py", body["traceback"][0])
        self.assertEqual("SystemExit", worker.call("leaving", None)[2]["type"])
        self.assertEqual("no-function", worker.call("nothing", None)[1])
        worker.send("release", "a", 10)
        self.assertEqual({9, 10}, set(self.answers(worker, 2)))

    def test_sigterm_ends_the_process_also_while_a_name_is_looked_up(self):
        worker = self.connected(module=ODD_MODULE)
        worker.send("endless", None, 1)
        self.assertEqual(b"looks\n", worker.printed())
        worker.process.send_signal(signal.SIGTERM)
        self.assertEqual(b"torn down\n", worker.printed())
        self.assertEqual(0, worker.process.wait(60))

    def test_a_job_in_a_thread_or_task_is_cancelled_and_the_others_run_on(self):
        worker = self.connected()
        for ident, function in enumerate(("busy", "busy_async"), 1):
            worker.send("wait", "x", 10 + ident)
            worker.send(function, function, ident)
            self.assertEqual(f"begun {function}\n".encode(), worker.printed())
            self.cancel(worker, ident)
            kind, _, answered, name, _ = worker.receive()
            self.assertEqual((frames.ERROR, ident, b"cancelled"), (kind, answered, name))
            self.assertEqual(f"cleaned up {function}\n".encode(), worker.printed())
            self.cancel(worker, ident)  # late: nothing happens
        worker.send("release", "x", 20)
        self.assertEqual({11, 12, 20}, set(self.answers(worker, 3)))

    def test_a_cancel_that_comes_when_its_job_ends_never_hits_another_one(self):
        worker = self.connected()
        expected = {}
        for ident in range(1, 3001, 2):
            worker.send("echo", ident, ident)
            self.cancel(worker, ident)
            worker.send("echo", ident + 1, ident + 1)
            expected[ident + 1] = frames.RESULT
        kinds = {ident: frame[0] for ident, frame in self.answers(worker, 3000).items()}
        self.assertEqual(expected, {ident: kind for ident, kind in kinds.items() if ident % 2 == 0})

    def test_a_job_that_is_cancelled_before_it_begins_is_not_run(self):
        worker = self.connected(width=2)
        worker.send("wait_async", "a", 1)
        worker.send("wait_async", "b", 2)
        worker.send("say", "never", 3)
        self.assertEqual([b"waits\n", b"waits\n"], [worker.printed(), worker.printed()])
        self.cancel(worker, 3)
        worker.connection.sendall(frames.frame(frames.CANCEL, frames.JSON, 99, b"", b""))  # nobody's
        self.cancel(worker, 1)
        self.assertEqual({1: b"cancelled", 3: b"cancelled"}, {k: v[3] for k, v in self.answers(worker, 2).items()})
        worker.send("release_async", "b", 4)
        self.assertEqual({2, 4}, set(self.answers(worker, 2)))

    def test_each_job_tells_how_far_it_is_in_a_place_of_its_own(self):
        worker = self.connected()
        worker.send("tell", 3, 1)
        worker.send("tell", 5, 2)

        def told():
            data = (self.folder / "seat").read_bytes()
            found = {}
            for start in (256, 512, 768):
                begun = struct.unpack_from("=Q", data, start)[0]
                changes, job, fraction, length, beats = struct.unpack_from("=QQdQQ", data, start + 40)
                text = data[start + 80 : start + 80 + length].decode()
                found[job] = (begun == job and changes % 2 == 0, fraction, text, beats)
            return found

        while not {1, 2} <= set(told()):
            pass
        self.assertEqual((True, 0.3, "step 3", 1), told()[1])
        self.assertEqual((True, 0.5, "step 5", 1), told()[2])
        worker.send("release", "told", 3)
        self.answers(worker, 3)
        self.assertEqual((False, 0.3, "step 3", 2), told()[1])

    def test_what_jobs_print_at_once_comes_in_whole_lines_with_the_job_that_printed_it(self):
        worker = self.connected()
        for ident, name in enumerate("abc", 1):
            worker.send("say", name, ident)
        self.answers(worker, 3)
        worker.connection.close()
        said, job = {}, 0
        for line in worker.process.stdout.read().decode().splitlines():
            if line.startswith("\0job "):
                job = int(line[5:])
            else:
                said.setdefault(job, []).append(line)
        self.assertEqual(["torn down"], said.pop(0))
        for ident, name in enumerate("abc", 1):
            self.assertEqual([f"{name} {i}" for i in range(20)] + [f"the end of {name}"], said[ident])

    def test_results_in_files_have_the_names_of_their_jobs(self):
        worker = self.connected(TROUPE_BLOBS=str(self.folder / "w"), TROUPE_INLINE_RESULT="10")
        for ident in (1, 2):
            worker.send("big", 20 + ident, ident)
        for ident, frame in self.answers(worker, 2).items():
            self.assertEqual(f"{self.folder}/w-{self.hello['pid']}-{ident}", frame[4].decode())
            self.assertEqual(22 + ident, pathlib.Path(frame[4].decode()).stat().st_size)

    def test_sigterm_runs_the_cleaning_up_of_all_jobs_which_are_not_answered(self):
        worker = self.connected()
        worker.send("busy", "a", 1)
        worker.send("busy_async", "b", 2)
        lines = {worker.printed(), worker.printed()}
        worker.process.send_signal(signal.SIGTERM)
        lines |= {worker.printed(), worker.printed()}
        self.assertEqual({b"begun a\n", b"begun b\n", b"cleaned up a\n", b"cleaned up b\n"}, lines)
        self.assertEqual(b"torn down\n", worker.printed())
        self.assertEqual(0, worker.process.wait(60))
        self.assertRaises(EOFError, worker.receive)

    def test_it_answers_what_it_was_sent_and_ends_when_told_to(self):
        worker = self.connected()
        worker.send("wait", "setup", 1)
        worker.connection.sendall(frames.frame(frames.SHUTDOWN, frames.JSON, 0, b"", b""))
        self.assertEqual(b'"setup"', worker.receive()[4])
        self.assertEqual(0, worker.process.wait(60))


if __name__ == "__main__":
    unittest.main()
