"""The jobs that are measured: plain functions of one argument that JSON can carry. Every peer runs exactly these."""

import os
import time


def noop(payload):
    return payload


def echo(payload):
    """As much back as came, but another object."""
    return payload[1:] + payload[:1]


def cpu(milliseconds):
    """Computes until this thread has used so much of a processor: contention cannot shorten it."""
    end = time.thread_time() + milliseconds / 1000
    total = 0
    while time.thread_time() < end:
        for number in range(200):
            total += number
    return total


def nap(order):
    """[index, milliseconds, log]: sleeps, and leaves a line before and after, so that repeats can be counted."""
    index, milliseconds, log = order
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b"S %d %d %.4f\n" % (index, os.getpid(), time.time()))
    time.sleep(milliseconds / 1000)
    os.write(file, b"E %d %d %.4f\n" % (index, os.getpid(), time.time()))
    os.close(file)
    return index


def whoami(milliseconds):
    time.sleep(milliseconds / 1000)
    return os.getpid()


def hold(path):
    """Keeps a worker until the file is there, three minutes at most."""
    end = time.time() + 180
    while not os.path.exists(path) and time.time() < end:
        time.sleep(0.01)
    return True


ALL = {function.__name__: function for function in (noop, echo, cpu, nap, whoami, hold)}
