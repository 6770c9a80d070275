"""Troupe beside Ray, Dask, Celery and ProcessPoolExecutor in one run: interleaved, repeated, in fresh processes."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import cluster
import installation
import peers
import processes
import services

#: In the order in which they are taken; each with the seconds that one repetition of it may take at most.
MEASURES = {
    "start": 120,
    "memory": 30,
    "noop": 120,
    "latency": 90,
    "kib": 90,
    "mib": 120,
    "cpu": 60,
    "kill": 90,
    "queue": 280,
    "queue_million": 290,
}
#: Taken once, because they take long, and the last by those alone that can hold so much.
ONCE = {"queue", "queue_million"}
MILLION = {"troupe", "troupe-store", "troupe-postgres", "executor"}
#: Other ways to use a peer, which differ only in some measures.
WAYS = {
    "ray-actors": {"noop", "latency", "kib"},
    "troupe-python": {"noop", "latency", "kib"},
    "troupe-java": {"noop", "kib"},
}


class Comparison:
    def __init__(self, options, tell):
        self._options = options
        self._tell = tell
        self._work = os.path.abspath(options.dir)
        self._counts = {}

    def run(self, names):
        """Yields the lines that the measured processes print."""
        os.makedirs(self._work, exist_ok=True)
        for repetition in range(1, self._options.repetitions + 1):
            for name in names:
                measures = [measure for measure in self._options.only if _applies(measure, name, repetition)]
                if measures:
                    self._tell(f"{name}, {repetition} of {self._options.repetitions}: {', '.join(measures)}")
                    for line in self._once(name, measures):
                        yield {**line, "repetition": repetition}

    def _once(self, name, measures):
        with contextlib.ExitStack() as stack:
            environment, pids = {"BENCHMARK_WORK": self._work}, []
            try:
                for needed in peers.SERVICES.get(name, ()):
                    service = stack.enter_context(services.ALL[needed](self._work))
                    environment.update(service.environment())
                    pids += service.pids()
            except services.Unavailable as why:
                return [{"peer": name, "measure": "start", "error": str(why)}]
            environment["BENCHMARK_BROKERS"] = " ".join(map(str, pids))
            try:
                return self._client(name, measures, environment)
            finally:
                if name.startswith("troupe"):
                    self._clear()

    def _client(self, name, measures, environment):
        order = {
            "began": time.time(),
            "measures": measures,
            "seconds": self._options.seconds,
            "queued": self._options.queued,
            "counts": self._counts.get(name, {}),
            "work": self._work,
        }
        python = installation.PYTHON if name in peers.PACKAGES else sys.executable
        with open(os.path.join(self._work, "clients.log"), "ab") as log:
            client = subprocess.Popen(
                [python, "-B", os.path.join(cluster.HERE, "measures.py"), name, json.dumps(order)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        limit = 60 + sum(MEASURES[measure] for measure in measures)
        try:
            output, _ = client.communicate(timeout=limit)
            why = f"its client ended with {client.returncode}: {self._last_words()} (see {self._work}/clients.log)"
        except subprocess.TimeoutExpired:
            processes.kill_session(client)
            output, _ = client.communicate()
            why = f"not done after {limit} s"
        except BaseException:
            processes.end(client)
            processes.kill_session(client)  # what it started meanwhile and left to others
            raise
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        if client.returncode:
            lines.append({"peer": name, "measure": "run", "error": why})
        for line in lines:
            if "error" in line:
                self._tell(f"{name}, {line['measure']}: {line['error']}")
            if "jobs" in line and line["measure"] in ("noop", "kib", "mib", "mib_bytes"):
                self._counts.setdefault(name, {})[line["measure"]] = line["jobs"]
        return lines

    def _last_words(self):
        with open(os.path.join(self._work, "clients.log"), encoding="utf-8", errors="replace") as log:
            return ([line.strip() for line in log if line.strip()] or ["no word"])[-1][:200]

    def _clear(self):
        """Nothing of a cluster stays, whatever became of its client: the next one starts from nothing."""
        folder = os.path.join(self._work, "troupe")
        if processes.with_environment("TROUPE_LOCAL", folder):
            subprocess.run(
                [cluster.TROUPE, "local", "down", "--dir", folder],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                timeout=120,
                check=False,
            )
        if os.path.isdir(os.path.join(folder, "log")):
            logs = os.path.join(self._work, "troupe-logs")
            shutil.rmtree(logs, ignore_errors=True)
            shutil.move(os.path.join(folder, "log"), logs)
        shutil.rmtree(folder, ignore_errors=True)


def _applies(measure, name, repetition):
    if measure not in WAYS.get(name, MEASURES):
        return False
    if measure == "queue_million" and name not in MILLION:
        return False
    return measure not in ONCE or repetition == 1
