"""The ledger: a process that writes down, in one file and one order, what clients and jobs tell it. Nobody kills it.

python ledger.py SOCKET FILE writes "SECONDS WORDS…" for each datagram until SIGTERM, and all that had come before it.
"""

import os
import signal
import socket
import sys
import time


def tell(path, *words):
    """One line for the ledger; returns when it has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.connect(path)
        line.send(" ".join(map(str, words)).encode())


def main(path, name):
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    began = time.monotonic()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as box, open(name, "a", encoding="utf-8") as file:
        box.bind(path)
        box.settimeout(0.2)
        print("ready", flush=True)
        while True:
            try:
                words = box.recv(4096).decode()
            except socket.timeout:
                file.flush()
                if ended:
                    break
                continue
            file.write(f"{time.monotonic() - began:.4f} {words}\n")
    os.unlink(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
