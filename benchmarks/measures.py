"""Measures one peer once, in a fresh process: python measures.py PEER MEASURE… prints a line of JSON for each figure.

The comparison calls it for each peer and repetition, so that nothing of one run is left for the next.
"""

import json
import os
import random
import signal
import sys
import threading
import time

import peers
import processes

WORKERS = 2
KIB = 1 << 10
MIB = 1 << 20
KILL_JOBS = 200
KILL_MILLISECONDS = 50
SETTLE_SECONDS = 60
#: Jobs of the efficiency measure by their milliseconds: one or two seconds, if nothing is lost.
CPU_JOBS = {1: 2000, 10: 400, 100: 40}


class MemoryPeak(threading.Thread):
    """The highest proportional memory of some processes, looked at twice a second until it is stopped."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self._pids = pids
        self._done = threading.Event()
        self._peak = 0

    def run(self):
        while not self._done.wait(0.5):
            self._peak = max(self._peak, processes.memory(self._pids)["pss"])

    def stop(self):
        self._done.set()
        self.join()
        return self._peak


class Session:
    """A started peer and what is measured of it."""

    def __init__(self, name, order):
        self._name = name
        self._order = order
        self._peer = peers.load(name)

    def tell(self, measure, value, unit, **more):
        line = {"peer": self._name, "measure": measure, "value": round(value, 4), "unit": unit, **more}
        print(json.dumps(line), flush=True)

    def run(self):
        names = self._order["measures"]
        self._peer.start(WORKERS)
        try:
            if self._peer.first("noop", 7) != 7:
                raise RuntimeError("the first job has a wrong result")
            if "start" in names:
                self.tell("start", time.time() - self._order["began"], "s")
            print(
                json.dumps({"peer": self._name, "settings": self._peer.settings, "versions": self._peer.versions()}),
                flush=True,
            )
            self._peer.worker_pids(WORKERS)  # all are warm before anything else is timed
            for name in names:
                if name != "start":
                    try:
                        getattr(self, name)()
                    except Exception as error:  # the other measures may still work
                        reason = f"{type(error).__name__}: {error}"[:300]
                        print(json.dumps({"peer": self._name, "measure": name, "error": reason}), flush=True)
        finally:
            self._peer.stop()

    # Rates: first so many jobs that a run takes as long as wished, then a run of these.

    def _timed(self, run, function, arguments, check):
        before = self._peer.succeeded()
        start = time.perf_counter()
        results = run(function, arguments)
        seconds = time.perf_counter() - start
        self._peer.audit(before, len(arguments))
        if len(results) != len(arguments) or not all(map(check, arguments, results)):
            raise RuntimeError(f"wrong results of {function}")
        return seconds

    def _rate(self, measure, run, function, make, check, first=200):
        seconds, wished = 0, self._order["seconds"]
        count = self._order["counts"].get(measure)
        if count is None:
            count = first
            while (seconds := self._timed(run, function, make(count), check)) < wished / 2:
                count = int(count * min(10, max(2, wished / max(seconds, 0.001))))
            count = int(count * wished / seconds) + 1
        # As much again, untimed: compilers and caches have settled by then.
        self._timed(run, function, make(count), check)
        seconds = self._timed(run, function, make(count), check)
        return count, seconds

    def noop(self):
        count, seconds = self._rate("noop", self._peer.run, "noop", lambda n: list(range(n)), _same, first=500)
        self.tell("noop", count / seconds, "jobs/s", jobs=count)

    def kib(self):
        texts = _texts(KIB, 256)
        count, seconds = self._rate("kib", self._peer.run, "echo", lambda n: _cycle(texts, n), _echoed)
        self.tell("kib", count / seconds, "jobs/s", jobs=count)

    def mib(self):
        texts = _texts(MIB, 16)
        count, seconds = self._rate("mib", self._peer.run_large, "echo", lambda n: _cycle(texts, n), _echoed, first=16)
        self.tell("mib", count * MIB / 1e6 / seconds, "MB/s each way", jobs=count)
        if self._peer.run_bytes:
            data = [text.encode() for text in texts]
            count, seconds = self._rate(
                "mib_bytes", self._peer.run_bytes, "echo", lambda n: _cycle(data, n), _echoed, first=16
            )
            self.tell("mib_bytes", count * MIB / 1e6 / seconds, "MB/s each way", jobs=count)

    def latency(self):
        wished = self._order["seconds"]
        self._calls(wished)  # compilers and caches settle
        times = sorted(self._calls(wished))
        self.tell("latency_p50", times[len(times) // 2], "ms", jobs=len(times))
        self.tell("latency_p99", times[int(len(times) * 0.99)], "ms", jobs=len(times))

    def _calls(self, seconds):
        """How long jobs take that are waited for one after the other, in milliseconds."""
        times = []
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            if self._peer.call("noop", len(times)) != len(times):
                raise RuntimeError("wrong results of noop")
            times.append((time.perf_counter() - start) * 1000)
        return times

    def cpu(self):
        for milliseconds, count in CPU_JOBS.items():
            count = max(10, int(count * min(1, self._order["seconds"] / 2)))
            self._timed(self._peer.run, "cpu", [milliseconds] * count, lambda *_: True)  # untimed, as for the rates
            seconds = self._timed(self._peer.run, "cpu", [milliseconds] * count, lambda *_: True)
            self.tell(f"cpu_{milliseconds}ms", count * milliseconds / 1000 / WORKERS / seconds, "", jobs=count)

    def memory(self):
        time.sleep(2)
        pids = self._peer.pids()
        figures = processes.memory(pids)
        self.tell("memory", figures["pss"], "MiB PSS", rss=figures["rss"], processes=len(pids))

    def kill(self):
        """One worker process gets SIGKILL in the middle of a job, two seconds into five seconds of work."""
        workers = self._peer.worker_pids(WORKERS)
        log = os.path.join(self._order["work"], f"nap.{os.getpid()}")
        start = time.time()
        handle = self._peer.submit("nap", [[index, KILL_MILLISECONDS, log] for index in range(KILL_JOBS)])
        time.sleep(max(0, start + 2 - time.time()))
        victim = _begun_just_now(log)
        killed = time.time()
        os.kill(victim, signal.SIGKILL)
        states = self._peer.settle(handle, SETTLE_SECONDS)
        seconds = time.time() - start
        time.sleep(0.3)  # a second run of a job may still be under way
        with open(log, encoding="ascii") as file:
            lines = [line.split() for line in file]
        ended = [line[1] for line in lines if line[0] == "E"]
        fresh = [float(line[3]) - killed for line in lines if line[0] == "S" and int(line[2]) not in workers]
        self.tell(
            "kill",
            seconds,
            "s until all were settled",
            ideal=KILL_JOBS * KILL_MILLISECONDS / 1000 / WORKERS,
            failed=states.count("failed"),
            lost=states.count("lost"),
            ran_twice=len(ended) - len(set(ended)),
            replaced_after=round(min(fresh), 3) if fresh else None,
        )

    def queue(self):
        self._queue("queue", self._order["queued"], self._peer.drained_share)

    def queue_million(self):
        self._queue("queue_million", 10 * self._order["queued"], 1)

    def _queue(self, measure, count, share):
        """Workers held, jobs queued, workers let go: how fast so large a share of them is done."""
        gate = os.path.join(self._order["work"], f"gate.{os.getpid()}.{measure}")
        pids = self._peer.pids()
        idle = processes.memory(pids)["pss"]
        peak = MemoryPeak(pids)
        peak.start()
        holding = self._peer.submit("hold", [gate] * WORKERS)
        time.sleep(0.3)
        arguments = list(range(count - WORKERS))  # those that hold the workers are jobs as well
        start = time.perf_counter()
        handle = self._peer.enqueue(arguments)
        submitted = time.perf_counter()
        full = processes.memory(pids)["pss"]
        with open(gate, "w", encoding="ascii"):
            released = time.perf_counter()
        drained = int(len(arguments) * share)
        results = self._peer.await_drained(handle, drained)
        if isinstance(handle, dict):
            seconds = handle["drained"] - released
        else:
            seconds = time.perf_counter() - released
        if list(results) != arguments[drained - len(results) : drained]:
            raise RuntimeError("wrong results")
        self._peer.collect(holding)
        self.tell(
            measure,
            drained / seconds,
            "jobs/s drained",
            jobs=len(arguments),
            submitted_per_second=round(len(arguments) / (submitted - start)),
            pss=[round(idle), round(full), round(peak.stop())],
        )


def _begun_just_now(log):
    """The process that has begun the job begun last, a moment ago."""
    while True:
        try:
            with open(log, encoding="ascii") as file:
                kind, _, pid, when = file.read().split("\n")[-2].split()
            if kind == "S" and time.time() - float(when) < 0.02:
                return int(pid)
        except (OSError, IndexError, ValueError):
            pass  # nothing has begun yet
        time.sleep(0.001)


def _same(argument, result):
    return argument == result


def _echoed(argument, result):
    return len(argument) == len(result) and argument[0] == result[-1] and argument[1:9] == result[:8]


def _texts(length, count):
    """So many different texts that do not compress well."""
    source = random.Random(1)
    parts = ["%064x" % source.getrandbits(256) for _ in range(64)]
    return ["".join(source.choice(parts) for _ in range(length // 64 + 1))[:length] for _ in range(count)]


def _cycle(values, count):
    return [values[index % len(values)] for index in range(count)]


if __name__ == "__main__":
    # For the client of each peer, as workers of Troupe do it: the C library keeps freed memory of up to twice as much from now on, instead
    # of giving it back page by page with each large argument and result.
    bytes(8 * MIB)
    Session(sys.argv[1], json.loads(sys.argv[2])).run()
