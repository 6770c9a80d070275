"""Celery on Redis, and on RabbitMQ with its reliable settings; results in Redis both times."""

import os
import sys
import time

import celery
import celery.exceptions
import celery.result

import cluster
from peers import base

#: For a result that is lost on its way nobody waits longer.
COLLECT_SECONDS = 120
COMMAND = os.path.join(os.path.dirname(sys.executable), "celery")


class Peer(base.Peer):
    def __init__(self, variant):
        super().__init__(variant)
        self.settings = "celery worker -c 2 (prefork), group().get(), JSON, results in Redis" + (
            "; durable queue, persistent messages, publisher confirms, acks_late, reject_on_worker_lost"
            if variant == "rabbit"
            else "; otherwise its defaults"
        )

    def start(self, workers):
        redis = f"redis://127.0.0.1:{os.environ['BENCHMARK_REDIS_PORT']}"
        rabbit = f"amqp://guest:guest@127.0.0.1:{os.environ.get('BENCHMARK_RABBIT_PORT')}//"
        os.environ["BENCHMARK_CELERY_BROKER"] = rabbit if self.variant == "rabbit" else redis + "/0"
        os.environ["BENCHMARK_CELERY_RESULTS"] = redis + "/1"
        self.spawn(
            [COMMAND, "-A", "peers.celery_app", "worker", "-c", str(workers), "--loglevel", "WARNING"],
            "celery.log",
            {"PYTHONPATH": cluster.HERE, "C_FORCE_ROOT": "1"},
        )
        from peers import celery_app  # reads the environment

        self._app, self._tasks = celery_app.app, celery_app.TASKS

    def submit(self, function, arguments):
        task = self._tasks[function]
        return celery.group(task.s(argument) for argument in arguments).apply_async()

    def collect(self, handle):
        return handle.get(timeout=COLLECT_SECONDS)

    def call(self, function, argument):
        return self._tasks[function].delay(argument).get(timeout=COLLECT_SECONDS)

    def part(self, handle, start, end):
        return celery.result.ResultSet(handle.results[start:end])

    def settle(self, handle, timeout):
        end = time.monotonic() + timeout
        states = []
        for result in handle.results:
            try:
                result.get(timeout=max(0.01, end - time.monotonic()), propagate=False)
                states.append("ok" if result.state == "SUCCESS" else "failed")
            except celery.exceptions.TimeoutError:
                states.append("lost")
        return states

    def stop(self):
        self._app.control.purge()
        self.end_spawned()
        self._app.control.purge()
        self._app.backend.client.flushdb()
        self._app.close()

    def versions(self):
        return {"celery": celery.__version__}
