"""The client against a live cluster with the pools `named` (live_functions) and `calls` (troupe.calls), two workers each.

What the standard library promises of an executor is tested as it is promised.
"""

import asyncio
import concurrent.futures as futures
import importlib.util
import itertools
import operator
import pathlib
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import live_functions
import troupe

SOON = 60


def eventually(holds):
    end = time.monotonic() + SOON
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("waited too long")
        time.sleep(0.02)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class ClientTest(Folder):
    def setUp(self):
        super().setUp()
        self.client = troupe.Client()
        self.addCleanup(self.client.close)

    def test_a_value_comes_back_as_it_went(self):
        for value in (None, 1, 2.5, "ü\n\ud800", [1, [2]], {"a": {"b": None}}, True, b"\x00\xff"):
            self.assertEqual(value, self.client.submit("named", "echo", value).result(SOON))

    def test_an_exception_of_a_builtin_type_is_raised_with_its_arguments_and_its_traceback(self):
        future = self.client.submit("named", "fail", 3)
        with self.assertRaises(ValueError) as caught:
            future.result(SOON)
        self.assertEqual(("no", 3), caught.exception.args)
        self.assertIn("live_functions.py", str(caught.exception.__cause__))
        with self.assertRaisesRegex(KeyError, "^'k'$"):
            self.client.submit("named", "missing_key", "k").result(SOON)

    def test_an_exception_that_can_be_imported_is_raised_as_what_it_is(self):
        with self.assertRaises(live_functions.Odd) as caught:
            self.client.submit("named", "odd", 7).result(SOON)
        self.assertEqual(7, caught.exception.number)

    def test_what_is_no_exception_of_the_function_is_a_job_error_with_the_cause(self):
        future = self.client.submit("named", "die", None, attempts=1)
        with self.assertRaises(troupe.JobError) as caught:
            future.result(SOON)
        self.assertEqual("JOB_DEAD", caught.exception.code)
        self.assertEqual(9, caught.exception.cause["exitCode"])
        self.assertEqual(future.job_id, caught.exception.job)

    def test_a_timeout_of_a_job_is_a_job_error(self):
        with self.assertRaises(troupe.JobError) as caught:
            self.client.submit("named", "sleep", 60, timeout=0.2, attempts=1).result(SOON)
        self.assertEqual("TIMEOUT", caught.exception.kind)

    def test_a_refusal_is_one_line(self):
        with self.assertRaisesRegex(troupe.Refused, "There is no pool 'nobody'") as caught:
            self.client.submit("nobody", "echo", 1).result(SOON)
        self.assertEqual(("POOL_NOT_FOUND", 404), (caught.exception.code, caught.exception.status))
        with self.assertRaisesRegex(troupe.Refused, "There is no job 'none'"):
            self.client.status("none")
        with self.assertRaisesRegex(LookupError, "no public function 'nothing'"):
            self.client.submit("named", "nothing", 1).result(SOON)
        with self.assertRaises(TypeError):
            self.client.submit("named", "echo", object())

    def test_the_same_key_is_the_same_job(self):
        first = self.client.submit("named", "touch", str(self.folder / "f"), key=str(self.folder))
        second = self.client.submit("named", "touch", str(self.folder / "f"), key=str(self.folder))
        first.result(SOON), second.result(SOON)
        self.assertEqual(first.job_id, second.job_id)
        self.assertEqual("x", (self.folder / "f").read_text())

    def test_a_job_is_found_by_its_id_and_retried(self):
        future = self.client.submit("named", "fail", 1)
        self.assertIsInstance(future.exception(SOON), ValueError)
        self.assertEqual("FAILED", self.client.status(future.job_id)["state"])
        self.assertIsInstance(self.client.retry(future.job_id).exception(SOON), ValueError)
        with self.assertRaises(ValueError):
            self.client.result(future.job_id, SOON)

    def test_a_running_job_is_cancelled_and_its_function_hears_of_it(self):
        begun, ended = self.folder / "begun", self.folder / "ended"
        future = self.client.submit("named", "mark", [str(begun), str(ended)])
        eventually(begun.exists)
        eventually(future.running)
        self.assertFalse(future.done())
        self.assertTrue(future.cancel())
        self.assertTrue(future.cancelled() and future.done())
        self.assertTrue(future.cancel())
        eventually(ended.exists)
        with self.assertRaises(futures.CancelledError):
            future.result(SOON)
        ended = self.client.submit("named", "echo", 1)
        ended.result(SOON)
        self.assertFalse(ended.cancel())
        self.assertFalse(self.client.cancel(ended.job_id))

    def test_what_a_generator_yields_comes_while_it_runs(self):
        go = self.folder / "go"
        with self.client.stream("named", "steps", str(go)) as stream:
            self.assertEqual(1, next(stream))
            self.assertFalse(stream.future.done())
            go.touch()
            self.assertEqual([2, 3], list(stream))
            self.assertEqual([1, 2, 3], stream.future.result(SOON))

    def test_many_jobs_are_waited_for_on_one_connection(self):
        jobs = [self.client.submit("named", "double", i) for i in range(1000)]
        self.assertEqual([2 * i for i in range(1000)], [job.result(SOON) for job in jobs])

    def test_a_job_that_turns_out_long_keeps_none_waiting_that_was_sent_behind_it(self):
        list(self.client.map("named", "wait_for", [None] * 1000))  # quick, as far as anybody can know
        end = self.folder / "end"
        jobs = [self.client.submit("named", "wait_for", str(end) if i == 300 else None) for i in range(1000)]
        long = jobs.pop(300)
        self.assertEqual(set(), futures.wait(jobs, SOON).not_done)
        self.assertFalse(long.done())
        end.touch()
        self.assertTrue(long.result(SOON))
        self.assertEqual([1] * len(jobs), [self.client.status(job.job_id)["attempt"] for job in jobs])

    def test_a_map_gives_ten_thousand_results_in_order(self):
        self.assertEqual(
            [2 * i for i in range(10_000)], list(self.client.map("named", "double", range(10_000)))
        )

    def test_a_map_out_of_order_gives_each_result_once(self):
        results = self.client.map("named", "double", range(1000), ordered=False)
        self.assertEqual({2 * i for i in range(1000)}, set(results))

    def test_a_map_reads_no_further_than_it_may(self):
        read = []
        results = self.client.map("named", "echo", (read.append(i) or i for i in itertools.count()), buffersize=10)
        self.assertEqual(list(range(25)), list(itertools.islice(results, 25)))
        self.assertLessEqual(len(read), 25 + 10 + 1)
        results.close()
        self.assertEqual([], list(results))

    def test_a_map_may_feed_on_its_own_results(self):
        seen = []

        def numbers():
            yield 1
            while len(seen) < 20:
                while not seen:
                    time.sleep(0.001)
                yield seen[-1] + 1 if len(seen) < 20 else 0
                size = len(seen)
                while len(seen) == size and size < 20:
                    time.sleep(0.001)

        for value in itertools.islice(self.client.map("named", "echo", numbers()), 10):
            seen.append(value)
        self.assertEqual(10, len(seen))
        seen.extend(range(20))

    def test_a_map_raises_what_its_input_raises(self):
        def inputs():
            yield 1
            raise RuntimeError("no more")

        with self.assertRaisesRegex(RuntimeError, "no more"):
            list(self.client.map("named", "echo", inputs()))
        with self.assertRaises(TypeError):
            list(self.client.map("named", "echo", [object()]))

    def test_a_map_raises_at_the_place_of_the_failure_and_ends(self):
        with self.assertRaises(troupe.Refused):
            list(self.client.map("nobody", "echo", [1]))
        results = self.client.map("named", "fail", [1, 2])
        with self.assertRaises(ValueError):
            next(results)
        self.assertEqual([], list(results))

    def test_an_unanswered_address_is_said_at_once(self):
        with troupe.Client("http://127.0.0.1:1") as nobody:
            with self.assertRaisesRegex(ConnectionError, "no scheduler answers at http://127.0.0.1:1 .*TROUPE_URL"):
                nobody.submit("named", "echo", 1).result(SOON)
            with self.assertRaisesRegex(ConnectionError, "no scheduler answers"):
                list(nobody.map("named", "echo", [1]))
            with self.assertRaisesRegex(ConnectionError, "no scheduler answers"):
                nobody.pools()
        with self.assertRaisesRegex(ValueError, "'nowhere' is not an address"):
            troupe.Client("nowhere")


class NamedExecutorTest(Folder):
    def setUp(self):
        super().setUp()
        with troupe.Client() as client:  # what the test before has left running ends by itself
            eventually(lambda: client.pool("named")["active"] == 0)
        self.executor = troupe.PoolExecutor("named")
        self.addCleanup(self.executor.shutdown, False, cancel_futures=True)

    def test_map_calls_by_name(self):
        self.assertEqual([0, 2, 4], list(self.executor.map("double", range(3))))
        with self.assertRaisesRegex(TypeError, "takes one argument"):
            self.executor.submit("double", 1, 2)

    def test_all_calls_of_a_map_run_though_nobody_asks_for_results(self):
        with troupe.PoolExecutor("named") as executor:
            executor.map("touch", [str(self.folder / str(i)) for i in range(20)])
        self.assertEqual(20, len(list(self.folder.iterdir())))

    def test_wait_for_the_first_that_completes(self):
        slow, quick = self.executor.submit("sleep", 60), self.executor.submit("sleep", 0.1)
        done, left = futures.wait([slow, quick], timeout=SOON, return_when=futures.FIRST_COMPLETED)
        self.assertEqual(({quick}, {slow}), (done, left))
        self.assertTrue(slow.cancel())

    def test_wait_for_the_first_exception(self):
        slow, bad = self.executor.submit("sleep", 60), self.executor.submit("fail", 1)
        done, left = futures.wait([slow, bad], timeout=SOON, return_when=futures.FIRST_EXCEPTION)
        self.assertEqual(({bad}, {slow}), (done, left))
        self.assertTrue(slow.cancel())

    def test_wait_for_all_with_a_timeout(self):
        slow, quick = self.executor.submit("sleep", 60), self.executor.submit("sleep", 0)
        self.assertEqual(0, quick.result(SOON))
        done, left = futures.wait([slow, quick], timeout=0.1)
        self.assertEqual(({quick}, {slow}), (done, left))
        self.assertTrue(slow.cancel())
        done, left = futures.wait([slow, quick], timeout=SOON)
        self.assertEqual(set(), left)

    def test_as_completed_gives_each_once_in_the_order_of_their_ends(self):
        slow, quick = self.executor.submit("sleep", 1), self.executor.submit("sleep", 0)
        self.assertEqual([quick, slow], list(futures.as_completed([slow, quick, quick], SOON)))
        with self.assertRaises(futures.TimeoutError):
            list(futures.as_completed([self.executor.submit("sleep", 60)], timeout=0))

    def test_as_completed_gives_what_was_cancelled(self):
        slow = self.executor.submit("sleep", 60)
        threading.Timer(0.2, slow.cancel).start()
        self.assertEqual([slow], list(futures.as_completed([slow], SOON)))

    def test_callbacks_are_called_with_the_future(self):
        called = futures.Future()
        future = self.executor.submit("echo", 5)
        future.add_done_callback(called.set_result)
        self.assertIs(future, called.result(SOON))

    def test_result_has_a_timeout(self):
        slow = self.executor.submit("sleep", 60)
        for ask in (slow.result, slow.exception):
            with self.assertRaises(futures.TimeoutError):
                ask(timeout=0.1)
        slow.cancel()

    def test_an_event_loop_can_await_it(self):
        async def main():
            loop = asyncio.get_running_loop()
            first = loop.run_in_executor(self.executor, "double", 4)
            return await asyncio.gather(first, asyncio.wrap_future(self.executor.submit("double", 5)))

        self.assertEqual([8, 10], asyncio.run(main()))

    def test_nothing_is_taken_after_shutdown(self):
        with troupe.PoolExecutor("named") as executor:
            future = executor.submit("sleep", 0.2)
        self.assertEqual(0.2, future.result(0))
        for schedule in (executor.submit, executor.map):
            with self.assertRaisesRegex(RuntimeError, "after shutdown"):
                schedule("echo", [1])
        executor.shutdown()

    def test_shutdown_can_cancel_what_has_not_started(self):
        executor = troupe.PoolExecutor("named")
        jobs = [executor.submit("sleep", 0.5) for _ in range(20)]
        jobs[0].result(SOON)
        executor.shutdown(cancel_futures=True)
        self.assertTrue(all(job.done() for job in jobs))
        self.assertGreaterEqual(sum(job.cancelled() for job in jobs), 10)

    def test_a_map_has_a_timeout(self):
        results = self.executor.map("sleep", [0, 60], timeout=3)
        self.assertEqual(0, next(results))
        with self.assertRaises(futures.TimeoutError):
            next(results)

    def test_what_was_submitted_is_sent_though_the_program_ends(self):
        path = self.folder / "f"
        program = "import sys, troupe; troupe.PoolExecutor('named').submit('touch', sys.argv[1])"
        subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=SOON)
        eventually(path.exists)

    def test_a_client_that_is_killed_leaves_nothing_of_its_map_running(self):
        begun, ended = self.folder / "begun", self.folder / "ended"
        program = (
            "import sys, troupe; list(troupe.Client().map('named', 'mark', [sys.argv[1:3]] + [sys.argv[3:]] * 50))"
        )
        second = [str(self.folder / name) for name in ("begun2", "ended2")]
        client = subprocess.Popen([sys.executable, "-c", program, str(begun), str(ended), *second])
        eventually(begun.exists)
        client.send_signal(signal.SIGKILL)
        client.wait(SOON)
        eventually(ended.exists)
        with troupe.Client() as other:
            eventually(lambda: (other.pool("named")["queued"], other.pool("named")["active"]) == (0, 0))


class CallsExecutorTest(unittest.TestCase):
    def setUp(self):
        self.executor = troupe.PoolExecutor("calls")
        self.addCleanup(self.executor.shutdown, False, cancel_futures=True)

    def test_submit(self):
        self.assertEqual(256, self.executor.submit(pow, 2, 8).result(SOON))
        self.assertEqual(9, self.executor.submit(live_functions.add, 1, 2, factor=3).result(SOON))

    def test_map(self):
        self.assertEqual(list(map(pow, range(10), range(10))), list(self.executor.map(pow, range(10), range(10))))
        self.assertEqual([], list(self.executor.map(pow, [], [])))

    def test_map_raises_in_its_turn(self):
        results = self.executor.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
        self.assertEqual([(0, 1), (0, 1)], [next(results), next(results)])
        with self.assertRaises(ZeroDivisionError):
            next(results)
        with self.assertRaises(StopIteration):
            next(results)

    def test_what_json_cannot_say_goes_and_comes(self):
        for value in ({1, 2}, b"\x00", (1, 2), 1j, {(1, 2): None}):
            self.assertEqual(value, self.executor.submit(live_functions.echo, value).result(SOON))

    def test_an_exception_has_the_remote_traceback_as_its_cause(self):
        error = self.executor.submit(live_functions.odd, 4).exception(SOON)
        self.assertIsInstance(error, live_functions.Odd)
        self.assertIn("live_functions.py", str(error.__cause__))

    def test_a_result_that_cannot_be_pickled_is_an_exception(self):
        error = self.executor.submit(operator.methodcaller("__iter__"), [1].__class__.__subclasses__).exception(SOON)
        self.assertIsInstance(error, (TypeError, AttributeError, pickle.PicklingError))

    @unittest.skipUnless(importlib.util.find_spec("cloudpickle"), "cloudpickle is not installed")
    def test_a_function_that_cannot_be_imported_goes_by_value(self):
        offset = 10
        self.assertEqual([10, 11], list(self.executor.map(lambda x: x + offset, range(2))))

    @unittest.skipIf(importlib.util.find_spec("cloudpickle"), "cloudpickle is installed")
    def test_a_function_that_cannot_be_imported_needs_cloudpickle(self):
        with self.assertRaisesRegex(TypeError, "install cloudpickle here and on the workers"):
            self.executor.submit(lambda: 1)


if __name__ == "__main__":
    unittest.main()
