"""What a job tells of itself while it runs: how far it is, and that it is alive.

Both are written into memory that the executor reads when it likes. That costs about a microsecond, so call them as often as you
like. Outside of a worker they do nothing, so that functions can be called in tests as they are.
"""

import math
import struct
import threading

_CHANGES, _JOB, _FRACTION, _LENGTH, _BEATS = 3, 4, 5, 6, 7
_BEGUN = 0
_TEXT = 64
_FLOAT = struct.Struct("=d")

_lock = threading.Lock()
_words = None
_bytes = None


def attach(memory):
    """Lets what is told go into this memory, as PROTOCOL.md describes the seat; one that is too short is left alone."""
    global _words, _bytes
    if len(memory) > _TEXT:
        _words, _bytes = memoryview(memory).cast("Q"), memoryview(memory)


def progress(fraction=None, message=""):
    """Tells that the running job has done this part of its work, from 0 to 1, or None, and what it does, in one short line."""
    if fraction is not None:
        fraction = float(fraction)
        if not 0 <= fraction <= 1:
            raise ValueError(f"a part of the work is from 0 to 1, not {fraction}")
    text = str(message)
    if _words is None:
        return
    text = " ".join(text[:400].split()).encode("utf-8", "replace")
    room = len(_bytes) - _TEXT
    if len(text) > room:
        text = text[:room].decode("utf-8", "ignore").encode()
    with _lock:
        _words[_CHANGES] |= 1  # odd: being written
        _words[_JOB] = _words[_BEGUN]
        _FLOAT.pack_into(_bytes, 8 * _FRACTION, math.nan if fraction is None else fraction)
        _words[_LENGTH] = len(text)
        _bytes[_TEXT : _TEXT + len(text)] = text
        _words[_CHANGES] += 1
        _words[_BEATS] += 1


def heartbeat():
    """Tells that the running job is alive, for a pool whose jobs have to (``job.heartbeat``); ``progress`` does that too."""
    if _words is not None:
        with _lock:
            _words[_BEATS] += 1
