"""A client that does not give up: python client.py ORDER submits jobs with keys until SIGTERM, and looks what becomes of them.

What was not answered is sent again with the same key. All that it is promised it tells the ledger.
"""

import collections
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import lean
from chaos import ledger

SUBMITTERS = 3
WATCHERS = 3
MOST_OPEN = 400
TIMEOUT = 20
LOOK_AGAIN_SECONDS = 0.3
LARGE = 100_000
STATES = {"JOB_FAILED": "FAILED", "JOB_DEAD": "DEAD", "JOB_CANCELLED": "CANCELLED"}
#: Answers that mean: not now.
LATER = {408, 429, 502, 503, 504}


class Line:
    """A connection that comes back by itself."""

    def __init__(self, address):
        self._address = address
        self._line = None

    def ask(self, method, path, body=b""):
        """Status and body; None when there was no answer."""
        try:
            if self._line is None:
                self._line = lean.Line(self._address, timeout=TIMEOUT)
            return self._line.ask(method, path, body)
        except (OSError, lean.Broken, ValueError):
            if self._line is not None:
                self._line.close()
            self._line = None
            return None


def outcome(answer):
    """State and run as an answer to /result says them; None when the job has not ended, or nobody can say now."""
    if answer is None or answer[0] in LATER or answer[0] == 202:
        return None
    status, body = answer
    if status == 200:
        return "SUCCEEDED", json.loads(body)["run"]
    if status == 404:
        return "MISSING", "-"
    if status == 409:
        return STATES.get(json.loads(body)["error"]["code"], "STRANGE"), "-"
    return f"ANSWER-{status}", "-"


class Client:
    def __init__(self, order):
        self._order = order
        self._address = ("127.0.0.1", order["port"])
        self._open = collections.deque()
        self._stopped = threading.Event()
        self._left = threading.Event()

    def _tell(self, *words):
        ledger.tell(self._order["ledger"], *words)

    def run(self):
        signal.signal(signal.SIGTERM, lambda *_: self._stopped.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        submitters = [threading.Thread(target=self._submit, args=(number,)) for number in range(SUBMITTERS)]
        watchers = [threading.Thread(target=self._watch, daemon=True) for _ in range(WATCHERS)]
        for thread in submitters + watchers:
            thread.start()
        for thread in submitters:
            thread.join()
        # The conductor waits for what is open, and ends this process when it has seen enough.
        self._left.set()
        for thread in watchers:
            thread.join()

    def _submit(self, number):
        chance = random.Random(f"{self._order['seed']} {self._order['name']} {number}")
        line = Line(self._address)
        count = 0
        while not self._stopped.is_set():
            if len(self._open) >= MOST_OPEN:
                self._stopped.wait(0.05)
                continue
            count += 1
            key = f"{self._order['name']}.{number}.{count}"
            ident = self._accepted(line, key, chance)
            if ident is None:
                return
            if chance.random() < 0.03:
                self._tell("cancel", key)
                line.ask("DELETE", f"/v1/jobs/{ident}")
            self._open.append((key, ident, 0.0))
            self._stopped.wait(chance.expovariate(1 / 0.03))

    def _accepted(self, line, key, chance):
        """Submits until the job is accepted; its id, or None when this client was stopped before."""
        function = "fail" if chance.random() < 0.05 else "work"
        attempts = 1 if chance.random() < 0.1 else self._order["attempts"]
        payload = {"key": key, "ms": int(chance.expovariate(1 / 60)), "ledger": self._order["ledger"]}
        if chance.random() < 0.03:
            payload["filling"] = "x" * LARGE
        body = json.dumps(payload).encode()
        path = f"/v1/pools/{self._order['pool']}/jobs?function={function}&id={key}&attempts={attempts}"
        self._tell("try", key, function, attempts)
        while not self._stopped.is_set():
            answer = line.ask("POST", path, body)
            if answer and answer[0] in (200, 202):
                ident = json.loads(answer[1])["id"]
                self._tell("accepted", key, ident)
                if chance.random() < 0.1:
                    # As a client does that did not get its answer.
                    answer = line.ask("POST", path, body)
                    if answer and answer[0] in (200, 202):
                        self._tell("accepted", key, json.loads(answer[1])["id"])
                return ident
            if answer and answer[0] not in LATER:
                self._tell("refused", key, answer[0], answer[1][:200].decode("utf-8", "replace").replace("\n", " "))
            self._stopped.wait(chance.uniform(0.05, 0.3))
        return None

    def _watch(self):
        line = Line(self._address)
        while True:
            try:
                key, ident, looked = self._open.popleft()
            except IndexError:
                if self._left.is_set():
                    return
                time.sleep(0.05)
                continue
            pause = looked + LOOK_AGAIN_SECONDS - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            seen = outcome(line.ask("GET", f"/v1/jobs/{ident}/result"))
            if seen is None:
                self._open.append((key, ident, time.monotonic()))
            else:
                self._tell("outcome", key, ident, *seen)


if __name__ == "__main__":
    Client(json.loads(sys.argv[1])).run()
