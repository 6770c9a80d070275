import itertools
import json
import pathlib
import random
import select
import sys
import tempfile
import unittest

import test_worker

from troupe import frames
from troupe.functions import Functions
from troupe.worker import Loop, Seat, Server

MODULE = """
    import os, time
    ran = []
    def note(value): ran.append(value)
    def noted(value): return ran
    def hold(path):
        print("holds", flush=True)
        while not os.path.exists(path): time.sleep(0.01)

    def quick(number): ran.append(number)
    def wait(number):
        ran.append(number)
        time.sleep(0.002)
    def compute(number):
        ran.append(number)
        sum(range(50_000))  # in C: no signal is heard meanwhile
    def large(value): ran.append(value[0])
    def wrong(number):
        ran.append(number)
        raise ValueError(number)
    async def later(number):
        import asyncio
        ran.append(number)
        await asyncio.sleep(0.001)
"""
QUICK = ("quick", "wait", "compute", "wrong", "later")


def job(ident, function, value):
    return frames.frame(frames.JOB, frames.JSON, ident, function.encode(), json.dumps(value).encode())


class RecallTest(unittest.TestCase):
    """The executor asks for jobs that wait behind a long one: a worker gives back those that it has not begun."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.end = pathlib.Path(folder.name) / "end"
        self.worker = test_worker.Worker(folder.name, module=MODULE)
        self.addCleanup(self.worker.__exit__)
        self.worker.connect()

    def hold(self, ident, *jobs):
        """Sends a job that runs until it is released, and others with it."""
        self.worker.connection.sendall(b"".join((job(ident, "hold", str(self.end)), *jobs)))
        self.assertEqual(b"holds\n", self.worker.printed())

    def release(self):
        self.end.touch()

    def answers(self, count):
        return [self.worker.receive()[::2][:2] for _ in range(count)]

    def assert_ran(self, numbers, ident):
        self.assertEqual((frames.RESULT, "", numbers), self.worker.call("noted", None, ident))

    def test_jobs_that_have_not_begun_are_given_back_and_not_run(self):
        self.worker.call("note", 1, 1)
        self.hold(2, job(3, "note", 3), job(4, "note", 4), job(5, "note", 5))
        self.worker.interrupt(recall=2, last=4)
        self.assertEqual((frames.RETURNED, frames.JSON, 4, b"", b""), self.worker.receive())
        self.release()
        self.assertEqual([(frames.RESULT, 2), (frames.RESULT, 5)], self.answers(2))
        self.assert_ran([1, 5], 6)

    def test_jobs_are_given_back_that_have_not_come_or_only_in_part(self):
        halves = job(3, "note", 3), job(4, "note", "x" * (3 << 20))
        self.hold(1, job(2, "note", 2), halves[0][:20])
        self.worker.interrupt(recall=1, last=5)
        self.assertEqual([(frames.RETURNED, 5)], self.answers(1))
        self.release()
        self.assertEqual([(frames.RESULT, 1)], self.answers(1))
        self.worker.connection.sendall(halves[0][20:] + halves[1][:-1])
        self.worker.connection.sendall(halves[1][-1:] + job(5, "note", 5))
        self.assert_ran([], 6)

    def test_a_file_with_the_payload_of_a_job_that_was_given_back_is_not_read(self):
        self.hold(1, frames.frame(frames.JOB, frames.JSON + frames.IN_FILE, 2, b"note", b"/gone by now"))
        self.worker.interrupt(recall=1, last=2)
        self.assertEqual([(frames.RETURNED, 2)], self.answers(1))
        self.release()
        self.assertEqual([(frames.RESULT, 1)], self.answers(1))
        self.assert_ran([], 3)

    def test_results_that_wait_go_before_the_jobs_that_are_given_back(self):
        self.release()
        self.worker.call("hold", str(self.end), 1)  # a quick function, as far as the worker can know
        self.worker.printed()
        self.end.unlink()
        self.worker.call("note", 2, 2)
        jobs = job(3, "note", 3), job(4, "note", 4), job(5, "hold", str(self.end)), job(6, "note", 6)
        self.worker.connection.sendall(b"".join(jobs))
        self.assertEqual(b"holds\n", self.worker.printed())
        self.worker.interrupt(recall=5, last=6)
        self.assertEqual([(frames.RESULT, 3), (frames.RESULT, 4), (frames.RETURNED, 6)], self.answers(3))
        self.release()
        self.assertEqual([(frames.RESULT, 5)], self.answers(1))

    def test_a_question_that_is_repeated_is_answered_once_and_one_for_more_again(self):
        self.hold(1, job(2, "note", 2), job(3, "note", 3))
        self.worker.interrupt(recall=1, last=2)
        self.assertEqual([(frames.RETURNED, 2)], self.answers(1))
        self.worker.interrupt()
        while not select.select([self.worker.connection], [], [], 0.02)[0]:
            self.worker.interrupt(last=3)  # another signal, which was just handled, may have swallowed the last one
        self.assertEqual([(frames.RETURNED, 3)], self.answers(1))
        self.worker.interrupt()
        self.release()
        self.assertEqual([(frames.RESULT, 1)], self.answers(1))
        self.assert_ran([], 4)

    def test_nothing_is_given_back_behind_a_job_that_does_not_run_any_more(self):
        self.worker.call("note", 1, 1)
        self.worker.interrupt(recall=1, last=3)
        self.hold(2, job(3, "note", 3))
        self.worker.interrupt()
        self.release()
        self.assertEqual([(frames.RESULT, 2), (frames.RESULT, 3)], self.answers(2))
        self.assert_ran([1, 3], 4)

    def test_whenever_it_is_asked_each_job_is_run_once_or_given_back(self):
        driver = Driver(self.worker)
        for seed in range(20):
            with self.subTest(seed=seed):
                self.assertEqual(*driver.drive(random.Random(seed), 200))


class Driver:
    """The executor of one worker: sends it jobs in batches, asks for them at random, and sends again what it gets back."""

    def __init__(self, worker):
        self.worker = worker
        self.ids = itertools.count(1)
        self.numbers = 0
        self.waiting = []
        self.sent = {}  # numbers of jobs that are not answered, by id, in the order in which they were sent

    def drive(self, chance, count):
        """Has so many more jobs run; the numbers of all so far, and those that have run."""
        self.waiting += range(self.numbers, self.numbers + count)
        self.numbers += count
        while self.waiting or self.sent:
            step = chance.random()
            if step < 0.3 and len(self.sent) < 50:
                self.send(chance)
            elif step < 0.6:
                self.recall(chance)
            self.receive(chance.choice((0, 0, 0.0005)))
        return list(range(self.numbers)), sorted(self.worker.call("noted", None, next(self.ids))[2])

    def send(self, chance):
        batch = []
        for _ in range(min(chance.randrange(1, 20), len(self.waiting))):
            number, ident = self.waiting.pop(0), next(self.ids)
            self.sent[ident] = number
            if chance.random() < 0.02:
                batch.append(job(ident, "large", [number, "x" * (300 << 10)]))
            else:
                batch.append(job(ident, chance.choice(QUICK), number))
        self.worker.connection.sendall(b"".join(batch))

    def recall(self, chance):
        begun = self.worker.word(0)
        behind = [ident for ident in self.sent if ident > begun]
        if behind:
            self.worker.interrupt(recall=begun, last=chance.choice(behind))

    def receive(self, patience):
        while self.worker.read or select.select([self.worker.connection], [], [], patience)[0]:
            kind, _, ident, _, _ = self.worker.receive()
            first, *behind = self.sent
            if kind == frames.RETURNED:
                back = [each for each in behind if each <= ident]
                assert ident in back, (ident, self.sent)
                self.waiting[:0] = [self.sent.pop(each) for each in back]
            else:
                assert ident == first, (ident, self.sent)
                del self.sent[ident]


class Wire:
    """A socket whose other side has sent these chunks; a signal comes whenever half of what is sent is sent."""

    def __init__(self, chunks, signal):
        self._chunks = list(chunks)
        self._signal = signal
        self.sent = b""

    def recv(self, _):
        return self._chunks.pop(0) if self._chunks else b""

    def sendall(self, data):
        half = len(data) // 2
        self.sent += data[:half]
        self._signal()
        self.sent += data[half:]


class Home:
    """What the jobs of a worker in this process call."""

    def __init__(self):
        self.ran = []

    def note(self, value):
        self.ran.append(value)

    def wrong(self, value):
        self.ran.append(value)
        raise ValueError(value)


class EveryStepTest(unittest.TestCase):
    """A signal comes before any one step of the loop that runs jobs."""

    JOBS = ("note", "note", "wrong", "missing", "note")

    def serve(self, chunks, step, last):
        """Asks for what is behind the job that was begun last, before this step; the frames that were sent, what ran, and how many steps there were."""
        taken = 0
        home, seat, events = Home(), Seat(None), Loop()
        wire = Wire(chunks, lambda: server.on_interrupt(None, None))
        server = Server(wire, Functions(home, "home", events.plain), seat, events)
        loop = Server.serve.__code__

        def trace(frame, event, _):
            nonlocal taken
            if frame.f_code is not loop:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                if taken == step:
                    seat.words[3], seat.words[4] = seat.words[0], last
                    server.on_interrupt(None, None)
                taken += 1
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            self.assertFalse(server.serve())
        finally:
            sys.settrace(before)
        found, rest = frames.decode(wire.sent)
        self.assertEqual(b"", rest)
        return found, home.ran, taken

    def each_step(self, chunks, last):
        given_back = set()
        for step in itertools.count():
            found, ran, steps = self.serve(chunks, step, last)
            if step >= steps:
                return given_back
            answered = [frame[2] for frame in found if frame[0] != frames.RETURNED]
            returned = [place for place, frame in enumerate(found) if frame[0] == frames.RETURNED]
            self.assertLessEqual(len(returned), 1, step)
            back = []
            for place in returned:
                self.assertEqual(last, found[place][2])
                back = list(range(place + 2, last + 1))  # the one after those that were answered before runs
                self.assertTrue(back)
            with self.subTest(step=step):
                self.assertEqual([each for each in range(1, len(self.JOBS) + 1) if each not in back], answered)
                self.assertEqual([each for each in answered if self.JOBS[each - 1] != "missing"], ran)
            given_back.add(len(back))

    def frames(self):
        return [job(ident, function, ident) for ident, function in enumerate(self.JOBS, 1)]

    def test_each_job_is_answered_or_given_back_and_never_both(self):
        self.assertEqual({0, 1, 2, 3}, self.each_step([b"".join(self.frames())], 4))

    def test_the_same_where_frames_come_one_by_one_or_in_halves(self):
        self.assertEqual({0, 2, 3, 4}, self.each_step(self.frames(), 5))
        stream = b"".join(self.frames())
        self.each_step([stream[start : start + 50] for start in range(0, len(stream), 50)], 5)
