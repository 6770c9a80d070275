"""A Mesos scheduler in JSON over HTTP, written from the Mesos documentation alone; standard library only.

Usage: minimal_scheduler.py HOST:PORT COMMAND [SECONDS]

Subscribes, launches COMMAND as one command task on the first offer, acknowledges every update, prints each
state on a line of its own, then what the task wrote to its standard output (fetched from the agent), and tears
the framework down. Exits with 0 if the task finished, 1 if it ended otherwise, 2 if it did not end in time.
"""

import base64
import http.client
import json
import sys
import time
import urllib.parse


def records(response):
    """The records of a RecordIO stream: a length in decimal, a line feed, that many bytes."""
    while True:
        length = b""
        while not length.endswith(b"\n"):
            byte = response.read(1)
            if not byte:
                return
            length += byte
        yield json.loads(response.read(int(length)))


class Scheduler:
    def __init__(self, master, command):
        self.master = master
        self.command = command
        self.stream_id = None
        self.framework_id = None
        self.launched = False
        self.agent = None
        self.container = None

    def call(self, body):
        body["framework_id"] = self.framework_id
        connection = http.client.HTTPConnection(self.master, timeout=20)
        connection.request(
            "POST",
            "/api/v1/scheduler",
            json.dumps(body),
            {"Content-Type": "application/json", "Mesos-Stream-Id": self.stream_id},
        )
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.status not in (200, 202):
            raise SystemExit("%s was answered %d %s" % (body["type"], response.status, text))

    def launch(self, offer):
        self.launched = True
        self.agent = offer["url"]["address"]
        task = {
            "name": "minimal",
            "task_id": {"value": "minimal-1"},
            "agent_id": offer["agent_id"],
            "command": {"shell": True, "value": self.command},
            "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 32}},
            ],
        }
        self.call(
            {
                "type": "ACCEPT",
                "accept": {
                    "offer_ids": [offer["id"]],
                    "operations": [{"type": "LAUNCH", "launch": {"task_infos": [task]}}],
                    "filters": {"refuse_seconds": 5.0},
                },
            }
        )

    def offered(self, offers):
        for offer in offers:
            if self.launched:
                self.call({"type": "DECLINE", "decline": {"offer_ids": [offer["id"]]}})
            else:
                self.launch(offer)

    def updated(self, status):
        """Acknowledges the update; the state if it is the task's last."""
        print(status["state"], flush=True)
        if "uuid" in status:
            assert len(base64.b64decode(status["uuid"])) == 16
            self.call(
                {
                    "type": "ACKNOWLEDGE",
                    "acknowledge": {
                        "agent_id": status["agent_id"],
                        "task_id": status["task_id"],
                        "uuid": status["uuid"],
                    },
                }
            )
        last = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR")
        return status["state"] if status["state"] in last else None

    def agent_get(self, path):
        connection = http.client.HTTPConnection(self.agent["ip"], self.agent["port"], timeout=20)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert response.status == 200, (path, response.status, body)
        return json.loads(body)

    def standard_output(self):
        state = self.agent_get("/slave(1)/state")
        for framework in state["frameworks"] + state["completed_frameworks"]:
            for executor in framework["executors"] + framework["completed_executors"]:
                if executor["id"] == "minimal-1":
                    path = urllib.parse.quote(executor["directory"] + "/stdout")
                    return self.agent_get("/files/read?path=%s&offset=0" % path)["data"]
        raise SystemExit("the agent does not know the executor")

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        connection = http.client.HTTPConnection(self.master, timeout=seconds)
        connection.request(
            "POST",
            "/api/v1/scheduler",
            json.dumps(
                {
                    "type": "SUBSCRIBE",
                    "subscribe": {"framework_info": {"user": "root", "name": "minimal"}},
                }
            ),
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        stream = connection.getresponse()
        assert stream.status == 200, (stream.status, stream.read())
        self.stream_id = stream.getheader("Mesos-Stream-Id")
        for event in records(stream):
            if time.monotonic() > deadline:
                return 2
            if event["type"] == "SUBSCRIBED":
                self.framework_id = event["subscribed"]["framework_id"]
            elif event["type"] == "OFFERS":
                self.offered(event["offers"]["offers"])
            elif event["type"] == "ERROR":
                raise SystemExit(event["error"]["message"])
            elif event["type"] == "UPDATE":
                last = self.updated(event["update"]["status"])
                if last:
                    print(self.standard_output(), end="", flush=True)
                    self.call({"type": "TEARDOWN"})
                    return 0 if last == "TASK_FINISHED" else 1
        return 2


if __name__ == "__main__":
    limit = float(sys.argv[3]) if len(sys.argv) > 3 else 60.0
    sys.exit(Scheduler(sys.argv[1], sys.argv[2]).run(limit))
