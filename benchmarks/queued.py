"""Many durable jobs queued, the scheduler killed and started again: how soon the first is served, how fast all are drained.

Each run of a job leaves its number in a file of its worker; in the end these files say which of the jobs, all of which were
accepted, have not run, and which have run twice. Exit code 1 when one is missing, the first one took longer than five seconds,
or they are drained at less than 0.9 times the rate of a map of as many such jobs, sent to a scheduler that was killed and started
again just so: Java compiles while it works, and the first hundred thousand jobs of a process take the longest. The rate of a map
that comes to a scheduler which has had hundreds of thousands is told beside.
"""

import collections
import glob
import json
import os
import shutil
import signal
import threading
import time

import cluster as local
import lean
import processes

POOL = "queued"
JOBS = os.path.join(local.HERE, "queued_jobs.py")
WORKERS = 2
CONNECTIONS = 4
PIPELINED = 500
FIRST_WITHIN = 5
SHARE = 0.9
#: Jobs of a map without a start before.
MAPPED = 200_000
POLL = 0.02


def add_options(parser):
    parser.add_argument("--jobs", type=int, default=1_000_000, help="how many are queued (default: %(default)s)")
    parser.add_argument("--conf", help="settings of the scheduler, such as those of PostgreSQL")
    parser.add_argument("--dir", default=".troupe/queued", help="where its state is (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON in the last line")


def run(options):
    """Measures and prints; 1 when what must be reached is not."""
    figures = Queued(options).measure()
    first, drained = figures["first_seconds"], figures["drained_per_second"]
    mapped, warm = figures["map_per_second"], figures["warm_map_per_second"]
    memory, store = (" → ".join(str(mib) for mib in figures[name]) for name in ("scheduler_mib", "store_mib"))
    print(f"{figures['jobs']:,} durable jobs queued, the scheduler killed and started again:")
    print(f"  accepted                      {figures['accepted_per_second']:,} jobs/s")
    print(f"  start to first job served     {first:.1f} s")
    print(f"  drained                       {drained:,} jobs/s, {drained / mapped:.2f} × a map of such jobs ({mapped:,} jobs/s)")
    print(f"  a map without a start before  {warm:,} jobs/s, of which drained {drained / warm:.2f}")
    print(f"  scheduler, resident           {memory} MiB (at first, queued, started again, highest)")
    print(f"  file of the store             {store} MiB (queued, drained)")
    print(f"  never run {figures['missing']}, run twice {figures['twice']}")
    if options.json:
        print(json.dumps(figures, separators=(",", ":")))
    return int(bool(figures["missing"]) or first > FIRST_WITHIN or drained < SHARE * mapped)


class Queued:
    def __init__(self, options):
        self._options = options
        self._folder = os.path.abspath(options.dir)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._notes = os.path.join(self._folder, "notes")
        os.makedirs(self._notes)
        self._gate = os.path.join(self._folder, "gate")
        self._cluster = local.Cluster(self._folder, WORKERS, options.conf)

    def measure(self):
        with self._cluster:
            return self._measure()

    def _measure(self):
        count = self._options.jobs
        job = {"timeout": "700s", "attempts": 3, "durability": "store"}
        self._cluster.apply(POOL, JOBS, job, {"QUEUED_NOTES": self._notes})
        self._cluster.add_agent()
        self._cluster.await_workers()
        self._line = lean.Line(self._cluster.address)
        rates = [self._map(count)]
        pid = self._scheduler()
        memory = [self._memory(pid)]
        for _ in range(WORKERS):
            self._ask("POST", self._path("jobs", "hold"), json.dumps(self._gate).encode(), 202)
        self._await(lambda: self._pool()["active"] == WORKERS, "the workers do not hold")
        start = time.perf_counter()
        self._submit(count)
        accepted = count / (time.perf_counter() - start)
        memory.append(self._memory(pid))
        store = [self._cluster.store_mib()]

        before = self._succeeded()
        self._kill(pid)
        with open(self._gate, "w", encoding="ascii"):
            start = time.perf_counter()
        starting = threading.Thread(target=self._cluster.up)
        starting.start()
        self._await(lambda: self._succeeded() > before, "no job was served")
        served, queued = time.perf_counter(), self._left()
        first = served - start
        pid = self._scheduler()
        memory.append(self._memory(pid))
        drained, highest = self._drain(pid, served, queued)
        starting.join()
        memory.append(highest)
        store.append(self._cluster.store_mib())
        runs = self._runs()
        rates.append(self._map(count))
        self._kill(pid)
        self._cluster.up()
        mapped = self._map_after_first(count)
        return {
            "jobs": count,
            "accepted_per_second": round(accepted),
            "first_seconds": round(first, 2),
            "drained_per_second": round(drained),
            "map_per_second": round(mapped),
            "warm_map_per_second": round(max(rates)),
            "scheduler_mib": memory,
            "store_mib": store,
            "missing": sum(number not in runs for number in range(count)),
            "twice": sum(times > 1 for times in runs.values()),
        }

    @staticmethod
    def _await(condition, otherwise):
        deadline = time.monotonic() + local.DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                raise SystemExit(f"benchmark: {otherwise}")
            time.sleep(POLL)

    def _ask(self, method, path, body, wanted):
        status, answer = self._line.ask(method, path, body)
        if status != wanted:
            raise lean.Refused(status, answer)
        return answer

    def _pool(self):
        return self._line.get(f"/v1/pools/{POOL}")

    @staticmethod
    def _path(what, function):
        return f"/v1/pools/{POOL}/{what}?function={function}"

    def _map(self, count):
        """Jobs/s of a map, after a shorter one."""
        count = min(count, MAPPED)
        self._mapped(count // 4)
        return self._mapped(count)

    def _map_after_first(self, count):
        """Jobs/s of a map, timed from when a single job has been served, as those are that are drained."""
        self._mapped(1)
        return self._mapped(count)

    def _mapped(self, count):
        """Jobs/s; their numbers are below 0."""
        return count / self._cluster.map(POOL, "note", [-1] * count)

    def _kill(self, pid):
        os.kill(pid, signal.SIGKILL)
        self._await(lambda: not processes.alive(pid), "the scheduler does not die")

    def _submit(self, count):
        """Each job for itself, over some connections; returns when all are accepted."""
        path = self._path("jobs", "note")

        def work(line, connection):
            for first in range(connection * PIPELINED, count, CONNECTIONS * PIPELINED):
                line.submit(path, [b"%d" % number for number in range(first, min(first + PIPELINED, count))])

        lean.in_threads(self._cluster.address, work, CONNECTIONS)

    def _drain(self, pid, start, queued):
        """Jobs/s since then until none of so many is left, and the most memory that the scheduler took meanwhile.

        Little is asked for: a command would take processor time from the jobs.
        """
        left, changed, highest, looked = queued, time.perf_counter(), self._memory(pid), start
        while left:
            time.sleep(5 * POLL)
            now = self._left()
            if time.perf_counter() > looked + 1:  # it holds the process up for some milliseconds
                highest, looked = max(highest, self._memory(pid)), time.perf_counter()
            if now != left:
                left, changed = now, time.perf_counter()
            elif time.perf_counter() - changed > local.DEADLINE:
                raise SystemExit(f"benchmark: {left} jobs do not end")
        return queued / (changed - start), max(highest, self._memory(pid))

    def _left(self):
        pool = self._pool()
        return pool["queued"] + pool["active"]

    def _succeeded(self):
        """As the scheduler tells it; -1 when there is none."""
        try:
            return self._pool()["succeeded"]
        except (OSError, lean.Broken, lean.Refused):
            try:
                self._line = lean.Line(self._cluster.address)
            except OSError:
                pass  # it is asked again
            return -1

    def _numbers(self):
        for file in glob.glob(os.path.join(self._notes, "*")):
            with open(file, encoding="ascii") as notes:
                # The last line may be half written.
                yield from (int(line) for line in notes if line.endswith("\n"))

    def _runs(self):
        """How often each queued job has run."""
        return collections.Counter(number for number in self._numbers() if number >= 0)

    def _scheduler(self):
        """Its pid."""
        pid = self._cluster.jvms().get("scheduler")
        if pid:
            return pid
        raise SystemExit("benchmark: there is no scheduler")

    @staticmethod
    def _memory(pid):
        return round(processes.memory([pid])["rss"])
