"""Functions of the pools that live_client.py uses; importable on both sides."""

import os
import time


class Odd(Exception):
    def __init__(self, text, number):
        super().__init__(text, number)
        self.number = number


def echo(value):
    return value


def double(value):
    return 2 * value


def noop(value):
    return None


def fail(value):
    raise ValueError("no", value)


def odd(value):
    raise Odd("odd", value)


def missing_key(value):
    return {}[value]


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def wait_for(path):
    """Whether there was a file to wait for."""
    while path and not os.path.exists(path):
        time.sleep(0.01)
    return bool(path)


def die(value):
    os._exit(9)


def steps(path):
    """Yields one value, and two more when there is a file."""
    yield 1
    while not os.path.exists(path):
        time.sleep(0.01)
    yield 2
    yield 3


def touch(path):
    """Leaves a file for each time it has begun."""
    with open(path, "a") as file:
        file.write("x")


def mark(paths):
    """Says that it has begun, waits long, and says whether it was ended by an exception."""
    begun, ended = paths
    open(begun, "w").close()
    try:
        time.sleep(600)
    except BaseException:
        open(ended, "w").close()
        raise


def add(left, right, *, factor=1):
    return (left + right) * factor
