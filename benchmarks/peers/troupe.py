"""Troupe as a user has it: bin/troupe local up, a pool of two workers, its HTTP API."""

import json
import os
import platform
import threading
import time

import cluster
import lean
import processes
from peers import base

POOL = "benchmark"
JOBS = os.path.join(cluster.HERE, "jobs.py")
#: Connections that hand over queued jobs at the same time, and those for large bytes.
SUBMITTERS = 4
SUBMIT_BATCH = 50
LARGE = 4
#: So many jobs of each map are looked at one by one.
AUDITED = 50


class Running:
    """A map on its way: its answers, or what went wrong."""

    def __init__(self, address, path, arguments):
        self.count = len(arguments)
        self._answers = None
        self._error = None
        self._thread = threading.Thread(target=self._run, args=(address, path, arguments), daemon=True)
        self._thread.start()

    def _run(self, address, path, arguments):
        try:
            with lean.Line(address) as line:
                self._answers = line.map(path, arguments)
        except Exception as error:  # told to whoever waits
            self._error = error

    def answers(self, timeout=None):
        """One for each job; None when they have not all come in time."""
        self._thread.join(timeout)
        if self._error:
            raise self._error
        return self._answers


class Peer(base.Peer):
    drained_share = 1

    def __init__(self, variant):
        super().__init__(variant)
        self._last = []
        self.settings = (
            "bin/troupe local up, one agent, a pool of two workers; POST …/map; "
            + {
                "memory": "durability = memory",
                "store": "durability = store in the H2 file (the default)",
                "postgres": "durability = store in PostgreSQL",
            }[variant]
        )
        self._durability = "memory" if variant == "memory" else "store"

    def start(self, workers):
        self._cluster = cluster.Cluster(os.path.join(self.work, "troupe"), workers, self._scheduler_settings())
        self._cluster.up(agents=1)
        self._cluster.apply(POOL, JOBS, {"timeout": "200s", "attempts": 3, "durability": self._durability})
        self._line = lean.Line(self._cluster.address)

    def first(self, function, argument):
        return json.loads(self._cluster.troupe("job", "run", POOL, function, json.dumps(argument)))

    def _scheduler_settings(self):
        """The scheduler's own configuration file, where it needs one."""
        if self.variant != "postgres":
            return None
        path = os.path.join(self.work, "scheduler.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"troupe.store.url = {json.dumps(os.environ['BENCHMARK_POSTGRES_URL'])}\n")
        return path

    def _ask(self, method, path, body, content="application/json"):
        status, answer = self._line.ask(method, path, body, content)
        if status not in (200, 201, 202, 204):
            raise lean.Refused(status, answer)
        return answer

    @staticmethod
    def _map_path(function):
        return f"/v1/pools/{POOL}/map?function={function}"

    @staticmethod
    def _wait_path(function):
        return f"/v1/pools/{POOL}/jobs?function={function}&wait=100s"

    def submit(self, function, arguments):
        return Running(self._cluster.address, self._map_path(function), arguments)

    def run(self, function, arguments):
        answers = self._line.map(self._map_path(function), arguments)
        self._last = answers[-AUDITED:]
        return self._results(answers)

    def succeeded(self):
        self._last = []  # what was run before is no part of the batch that begins
        return self._pool()["succeeded"]

    def audit(self, before, count):
        """Each job counts once; the last ones of a map are looked at, too."""
        counted = self._pool()["succeeded"] - before
        if counted != count:
            raise RuntimeError(f"{count} jobs were sent, and the pool counted {counted}")
        for answer in self._last:
            job = self._line.get(f"/v1/jobs/{answer['id']}")
            if (job["state"], job["attempt"]) != ("SUCCEEDED", 1):
                raise RuntimeError(f"not a job that has succeeded at its first attempt: {job}")

    def collect(self, handle):
        return self._results(handle.answers())

    @staticmethod
    def _results(answers):
        if len({answer["id"] for answer in answers}) != len(answers):
            raise RuntimeError("two jobs of a map have the same id")
        try:
            return [answer["result"] for answer in answers]
        except KeyError:
            failed = next(answer for answer in answers if "result" not in answer)
            raise RuntimeError(f"a job failed: {failed}") from None

    def settle(self, handle, timeout):
        answers = handle.answers(timeout)
        if answers is None:
            return ["lost"] * handle.count
        return ["ok" if "result" in answer else "failed" for answer in answers]

    def call(self, function, argument):
        return json.loads(self._ask("POST", self._wait_path(function), json.dumps(argument).encode()))

    def run_bytes(self, function, arguments):
        """Over some connections at the same time, each job waited for."""
        results = [None] * len(arguments)

        def work(line, first):
            for index in range(first, len(arguments), LARGE):
                status, body = line.ask("POST", self._wait_path(function), arguments[index], "application/octet-stream")
                if status != 200:
                    raise lean.Refused(status, body)
                results[index] = body

        lean.in_threads(self._cluster.address, work, LARGE)
        return results

    # A map hands over no more than the scheduler lets it have under way, so queued jobs are sent one by one.

    def enqueue(self, arguments):
        path = f"/v1/pools/{POOL}/jobs?function=noop"
        before = self._pool()["succeeded"]
        ids = [None] * len(arguments)

        def work(line, number):
            for start in range(number * SUBMIT_BATCH, len(arguments), SUBMITTERS * SUBMIT_BATCH):
                batch = arguments[start : start + SUBMIT_BATCH]
                said = line.submit(path, [json.dumps(argument).encode() for argument in batch])
                ids[start : start + len(batch)] = [json.loads(answer)["id"] for answer in said]

        lean.in_threads(self._cluster.address, work, SUBMITTERS)
        if len(set(ids)) != len(arguments):
            raise RuntimeError("two jobs have the same id")
        return {"before": before, "ids": ids, "arguments": arguments}

    def await_drained(self, handle, count):
        """Returns nothing: a scheduler forgets results when there are many. The last thousand of all are looked at."""
        goal = handle["before"] + count
        self._await_succeeded(goal)
        handle["drained"] = time.perf_counter()
        self._await_succeeded(handle["before"] + len(handle["ids"]))
        for index in range(max(0, len(handle["ids"]) - 1000), len(handle["ids"])):
            result = self._line.get(f"/v1/jobs/{handle['ids'][index]}/result")
            if result != handle["arguments"][index]:
                raise RuntimeError("wrong results")
        return []

    def _await_succeeded(self, goal):
        deadline = time.monotonic() + 280
        while (done := self._pool()["succeeded"]) < goal:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{goal - done} jobs did not end in time")
            time.sleep(0.02)

    def _pool(self):
        return self._line.get(f"/v1/pools/{POOL}")

    def pids(self):
        found = set(self._cluster.processes())
        for broker in os.environ.get("BENCHMARK_BROKERS", "").split():
            found |= {int(broker), *processes.descendants(int(broker))}
        return sorted(found)

    def scheduler_pid(self):
        return self._cluster.status()["scheduler"]["pid"]

    def stop(self):
        self._line.close()
        self._cluster.down()

    def versions(self):
        info = self._line.get("/v1/info")
        return {"troupe": info.get("version", ""), "worker python": platform.python_version()}
