"""Dask distributed: a scheduler and two workers as processes of their own, as on a cluster."""

import logging
import os
import sys
import time

import distributed

import cluster
import jobs
from peers import base

COMMAND = os.path.join(os.path.dirname(sys.executable), "dask")


class Peer(base.Peer):
    settings = (
        "dask scheduler, dask worker --nworkers 2 --nthreads 1 with nannies, no dashboard; "
        "client.map(pure=False) and gather; 1 MiB: client.scatter first"
    )

    def start(self, workers):
        logging.getLogger("distributed").setLevel(logging.ERROR)
        (port,) = cluster.free_ports(1)
        address = f"tcp://127.0.0.1:{port}"
        environment = {"PYTHONPATH": cluster.HERE}
        scheduler = [COMMAND, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        self.spawn(scheduler, "dask-scheduler.log", environment)
        worker = [COMMAND, "worker", address, "--host", "127.0.0.1", "--no-dashboard"]
        worker += ["--nworkers", str(workers), "--nthreads", "1", "--local-directory", self.work]
        self.spawn(worker, "dask-worker.log", environment)
        self._client = distributed.Client(address, timeout=30)
        self._client.wait_for_workers(workers, timeout=60)

    def submit(self, function, arguments):
        return self._client.map(jobs.ALL[function], arguments, pure=False)

    def collect(self, handle):
        return self._client.gather(handle)

    def call(self, function, argument):
        return self._client.submit(jobs.ALL[function], argument, pure=False).result()

    def run_large(self, function, arguments):
        return self.collect(self.submit(function, self._client.scatter(arguments, hash=False)))

    def settle(self, handle, timeout):
        end = time.monotonic() + timeout
        states = []
        for future in handle:
            try:
                future.result(timeout=max(0.01, end - time.monotonic()))
                states.append("ok")
            except distributed.TimeoutError:
                states.append("lost")
            except Exception:  # whatever it failed with
                states.append("failed")
        return states

    def stop(self):
        self._client.close()
        self.end_spawned()

    def versions(self):
        return {"distributed": distributed.__version__}
