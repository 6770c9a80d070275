"""What the measures ask of every peer."""

import os
import subprocess

import cluster
import processes


class Peer:
    """A system with two worker processes and the jobs of jobs.py. A fresh process uses one of these once."""

    #: How it is set up, for the report.
    settings = ""

    #: How much of the queue measure is waited for. All of it would take a slow peer many minutes.
    drained_share = 0.2

    def __init__(self, variant):
        self.variant = variant
        self.work = os.environ["BENCHMARK_WORK"]
        self._spawned = []

    # To be provided

    def start(self, workers):
        """From nothing to where jobs are taken; brokers run already."""
        raise NotImplementedError

    def submit(self, function, arguments):
        """Hands over one job for each argument in the natural batch call; returns what collect needs."""
        raise NotImplementedError

    def collect(self, handle):
        """All results in order; raises when a job failed."""
        raise NotImplementedError

    def settle(self, handle, timeout):
        """For each job "ok", "failed" or "lost", the latter when its end is not known after so many seconds."""
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def versions(self):
        """What was measured, by name."""
        return {}

    # May be overridden

    def run(self, function, arguments):
        return self.collect(self.submit(function, arguments))

    def call(self, function, argument):
        """One job, waited for."""
        return self.run(function, [argument])[0]

    def first(self, function, argument):
        """The first job of all, in the way that a user who has just started would take."""
        return self.call(function, argument)

    def run_large(self, function, arguments):
        """A batch with large arguments, where the peer's manual knows a better way than run."""
        return self.run(function, arguments)

    #: run_bytes(function, arguments): large arguments as bytes, where that is not the same as text.
    run_bytes = None

    def succeeded(self):
        """How many jobs have succeeded so far, where the peer knows; told to audit after the next batch."""
        return None

    def audit(self, before, count):
        """Raises unless the last batch was so many jobs of their own. Not timed."""

    def part(self, handle, start, end):
        """The handle of some of the jobs."""
        return handle[start:end]

    def enqueue(self, arguments):
        """Queues a no-op for each argument while the workers are held."""
        return self.submit("noop", arguments)

    def await_drained(self, handle, count):
        """Waits until the first so many of the queue are done; returns the results, of the last of them at least, if it can."""
        return self.collect(self.part(handle, 0, count))

    def pids(self):
        """All processes of the system but for this one, its client."""
        brokers = [int(pid) for pid in os.environ.get("BENCHMARK_BROKERS", "").split()]
        found = set(processes.descendants(os.getpid()))
        for broker in brokers:
            found |= {broker, *processes.descendants(broker)}
        return sorted(found)

    def worker_pids(self, workers):
        """The worker processes, as they say themselves."""
        return sorted(set(self.run("whoami", [30] * (workers * 6))))

    # Helpers

    def spawn(self, words, log, environment=None):
        path = os.path.join(self.work, log)
        with open(path, "ab") as file:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=cluster.HERE,
                env={**os.environ, **(environment or {})},
            )
        self._spawned.append(process)
        return process

    def end_spawned(self):
        for process in reversed(self._spawned):
            processes.end(process)
        self._spawned.clear()
