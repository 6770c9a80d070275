"""Ray: tasks, or two actors that are given jobs in turn."""

import logging
import os
import shutil
import tempfile
import time

import ray
import ray.exceptions

import cluster
import jobs
from peers import base


class Actor:
    def run(self, function, argument):
        return jobs.ALL[function](argument)


class Peer(base.Peer):
    def __init__(self, variant):
        super().__init__(variant)
        self.settings = "ray.init(num_cpus=2, include_dashboard=False), " + (
            "two actors in turn, max_restarts=-1, max_task_retries=-1"
            if variant == "actors"
            else "one task for each job, max_retries=3 (the default)"
        )

    def start(self, workers):
        os.environ.update(RAY_USAGE_STATS_ENABLED="0", PYTHONPATH=cluster.HERE)
        # Sockets are in it, and their paths must be short.
        self._folder = tempfile.mkdtemp(prefix="ray-")
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=self._folder,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
        self._functions = {name: ray.remote(function) for name, function in jobs.ALL.items()}
        if self.variant == "actors":
            actor = ray.remote(max_restarts=-1, max_task_retries=-1)(Actor)
            self._actors = [actor.remote() for _ in range(workers)]

    def submit(self, function, arguments):
        if self.variant == "actors":
            actors, count = self._actors, len(self._actors)
            return [actors[index % count].run.remote(function, argument) for index, argument in enumerate(arguments)]
        remote = self._functions[function].remote
        return [remote(argument) for argument in arguments]

    def collect(self, handle):
        return ray.get(handle)

    def settle(self, handle, timeout):
        end = time.monotonic() + timeout
        states = []
        for reference in handle:
            try:
                ray.get(reference, timeout=max(0, end - time.monotonic()))
                states.append("ok")
            except ray.exceptions.GetTimeoutError:
                states.append("lost")
            except Exception:  # whatever it failed with
                states.append("failed")
        return states

    def stop(self):
        ray.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def versions(self):
        return {"ray": ray.__version__}
