"""concurrent.futures.ProcessPoolExecutor: one machine, no broker, no network; keeps nothing."""

import concurrent.futures as futures
import platform
import time

import jobs
from peers import base


class Peer(base.Peer):
    drained_share = 1
    settings = "ProcessPoolExecutor(max_workers=2), one submit() for each job"

    def start(self, workers):
        self._executor = futures.ProcessPoolExecutor(max_workers=workers)

    def submit(self, function, arguments):
        handles = []
        for argument in arguments:
            try:
                handles.append(self._executor.submit(jobs.ALL[function], argument))
            except futures.process.BrokenProcessPool as broken:
                failed = futures.Future()
                failed.set_exception(broken)
                handles.append(failed)
        return handles

    def collect(self, handle):
        return [future.result() for future in handle]

    def settle(self, handle, timeout):
        end = time.monotonic() + timeout
        states = []
        for future in handle:
            try:
                future.result(max(0, end - time.monotonic()))
                states.append("ok")
            except futures.TimeoutError:
                states.append("lost")
            except Exception:  # whatever it failed with
                states.append("failed")
        return states

    def stop(self):
        self._executor.shutdown(wait=True, cancel_futures=True)

    def versions(self):
        return {"python": platform.python_version()}
