"""The jobs of the chaos run. Each run of a job tells the ledger that it begins and ends, whatever becomes of its result."""

import os
import socket
import time


def _tell(order, *words):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ledger:
        ledger.connect(order["ledger"])
        ledger.send(" ".join(words).encode())


def work(order):
    run = os.urandom(8).hex()
    _tell(order, "start", order["key"], run, str(os.getpid()), os.environ.get("TROUPE_WORKER", "-"))
    time.sleep(order["ms"] / 1000)
    _tell(order, "end", order["key"], run)
    return {"key": order["key"], "run": run, "filling": order.get("filling", "")}


def fail(order):
    run = os.urandom(8).hex()
    _tell(order, "start", order["key"], run, str(os.getpid()), os.environ.get("TROUPE_WORKER", "-"))
    raise ValueError("as ordered")
