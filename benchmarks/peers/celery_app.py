"""The Celery application that workers and client share; the environment says with which broker."""

import os

from celery import Celery

import jobs

BROKER = os.environ["BENCHMARK_CELERY_BROKER"]

app = Celery("benchmark", broker=BROKER, backend=os.environ["BENCHMARK_CELERY_RESULTS"])
app.conf.broker_connection_retry_on_startup = True
if BROKER.startswith("amqp"):
    # What its manual advises where no job may be lost.
    app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)
    app.conf.broker_transport_options = {"confirm_publish": True}

TASKS = {name: app.task(function, name=name) for name, function in jobs.ALL.items()}
