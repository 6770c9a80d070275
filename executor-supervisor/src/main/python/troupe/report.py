"""What a job tells of itself while it runs: how far it is, and that it is alive.

Both are written into memory that the executor reads when it likes. That costs about a microsecond, so call them as often as you
like. Outside of a worker they do nothing, so that functions can be called in tests as they are.
"""

import math
import struct
import threading

_CHANGES, _JOB, _FRACTION, _LENGTH, _BEATS = 5, 6, 7, 8, 9
_BEGUN = 0
#: Bytes of the words, behind which the text stands.
TEXT = 80
_FLOAT = struct.Struct("=d")

_lock = threading.Lock()
_find = None


def attach(memory):
    """Lets what is told go into this memory, as PROTOCOL.md describes the seat; one that is too short is left alone."""
    if len(memory) > TEXT:
        words, whole = memoryview(memory).cast("Q"), memoryview(memory)
        attach_places(lambda: (words, whole, words[_BEGUN]))


def attach_places(find):
    """``find`` tells where what the caller tells goes, as words and as bytes, and of which job it is; None for nowhere."""
    global _find
    _find = find


def progress(fraction=None, message=""):
    """Tells that the running job has done this part of its work, from 0 to 1, or None, and what it does, in one short line."""
    if fraction is not None:
        fraction = float(fraction)
        if not 0 <= fraction <= 1:
            raise ValueError(f"a part of the work is from 0 to 1, not {fraction}")
    text = str(message)
    place = _find and _find()
    if not place:
        return
    words, memory, job = place
    text = " ".join(text[:400].split()).encode("utf-8", "replace")
    room = len(memory) - TEXT
    if len(text) > room:
        text = text[:room].decode("utf-8", "ignore").encode()
    with _lock:
        words[_CHANGES] |= 1  # odd: being written
        words[_JOB] = job
        _FLOAT.pack_into(memory, 8 * _FRACTION, math.nan if fraction is None else fraction)
        words[_LENGTH] = len(text)
        memory[TEXT : TEXT + len(text)] = text
        words[_CHANGES] += 1
        words[_BEATS] += 1


def heartbeat():
    """Tells that the running job is alive, for a pool whose jobs have to (``job.heartbeat``); ``progress`` does that too."""
    place = _find and _find()
    if place:
        with _lock:
            place[0][_BEATS] += 1
