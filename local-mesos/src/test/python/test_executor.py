"""A Mesos executor in JSON over HTTP for tests; standard library only.

Runs every task until it is killed. Reconnects to its agent while MESOS_CHECKPOINT is 1. With the argument
"family" it also starts a child, and a grandchild with a session of its own whose parent has gone, which sleep.
Answers every message with the same bytes. Prints what happens.
"""

import base64
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import uuid

AGENT = os.environ["MESOS_AGENT_ENDPOINT"]
IDS = {
    "framework_id": {"value": os.environ["MESOS_FRAMEWORK_ID"]},
    "executor_id": {"value": os.environ["MESOS_EXECUTOR_ID"]},
}
unacknowledged = {}
tasks = {}


def say(text):
    print(text, flush=True)


def call(body):
    connection = http.client.HTTPConnection(AGENT, timeout=10)
    connection.request(
        "POST", "/api/v1/executor", json.dumps({**body, **IDS}), {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    text = response.read()
    connection.close()
    if response.status != 202:
        say("%s was answered %d %s" % (body["type"], response.status, text))


def update(task_id, state, message=""):
    key = base64.b64encode(uuid.uuid4().bytes).decode()
    status = {
        "task_id": task_id,
        "state": state,
        "source": "SOURCE_EXECUTOR",
        "executor_id": IDS["executor_id"],
        "uuid": key,
        "timestamp": time.time(),
        "message": message,
    }
    unacknowledged[key] = status
    try:
        call({"type": "UPDATE", "update": {"status": status}})
    except OSError as problem:
        say("kept for later: %s (%s)" % (state, problem))


def start_family():
    subprocess.Popen(["sleep", "1000"])
    # A shell that goes away at once and leaves a process with another session and another environment.
    subprocess.Popen(
        ["/bin/sh", "-c", "env -i setsid sleep 1001 & sleep 1.5"], stdin=subprocess.DEVNULL
    )


def records(response):
    while True:
        length = b""
        while not length.endswith(b"\n"):
            byte = response.read(1)
            if not byte:
                return
            length += byte
        yield json.loads(response.read(int(length)))


def handle(event):
    kind = event["type"]
    say(kind)
    if kind == "LAUNCH":
        task = event["launch"]["task"]
        tasks[task["task_id"]["value"]] = task
        update(task["task_id"], "TASK_RUNNING")
    elif kind == "KILL":
        tasks.pop(event["kill"]["task_id"]["value"], None)
        update(event["kill"]["task_id"], "TASK_KILLED", "killed as told")
    elif kind == "ACKNOWLEDGED":
        unacknowledged.pop(event["acknowledged"]["uuid"], None)
    elif kind == "MESSAGE":
        data = event["message"]["data"]
        if base64.b64decode(data) == b"exit":
            os._exit(7)
        call({"type": "MESSAGE", "message": {"data": data}})
    elif kind == "SHUTDOWN" and "stubborn" not in sys.argv:
        sys.exit(0)


def subscribe():
    connection = http.client.HTTPConnection(AGENT)
    body = {
        "type": "SUBSCRIBE",
        "subscribe": {
            "unacknowledged_tasks": [],
            "unacknowledged_updates": [{"status": status} for status in list(unacknowledged.values())],
        },
    }
    connection.request(
        "POST",
        "/api/v1/executor",
        json.dumps({**body, **IDS}),
        {"Content-Type": "application/json", "Accept": "application/json"},
    )
    response = connection.getresponse()
    if response.status != 200:
        say("SUBSCRIBE was answered %d %s" % (response.status, response.read()))
        return
    for event in records(response):
        handle(event)


if "family" in sys.argv:
    threading.Thread(target=start_family).start()
say("starts")
while True:
    try:
        subscribe()
    except (OSError, http.client.HTTPException) as problem:
        say("disconnected: %s" % problem)
    if os.environ["MESOS_CHECKPOINT"] != "1":
        sys.exit(1)
    time.sleep(0.2)
