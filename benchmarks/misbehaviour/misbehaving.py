"""Jobs that do to their worker what users' code does: each function is one way, and ``good`` is none."""

import gc
import os
import signal
import socket
import sys
import time


def good(value):
    print("good", value)
    return value


def crash(_):
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(_):
    os._exit(0)


def hang(_):
    time.sleep(600)


def deaf(_):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(600)


def leak(_):
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def daemon(_):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    os.wait()


def talk(megabytes):
    line = "x" * 1023 + "\n"
    for _ in range(megabytes << 10):
        sys.stdout.write(line)


def close_output(_):
    print("the last words")  # this opens again what the job before has closed
    sys.stdout.close()
    os.close(1)


def recurse(_):
    return recurse(_) + 1


def corrupt(_):
    for thing in gc.get_objects():
        if isinstance(thing, socket.socket):
            thing.sendall(b"\xff" * 64)
    time.sleep(600)


def fill_disk(_):
    with open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")


def bad_frame_later(_):
    os.closerange(3, 64)
