"""Frames between an executor and a worker's process: bytes to tuples and back. PROTOCOL.md is the contract."""

import struct

VERSION = 1

HELLO, JOB, RESULT, ERROR, SHUTDOWN, CANCEL, RETURNED = 1, 2, 3, 4, 5, 6, 7
JSON, BYTES = 0, 1
#: Added to the content type when the payload is the path of a file that holds it.
IN_FILE = 2

#: length of what follows the length itself, type, content type, length of the name, id
HEADER = struct.Struct(">IBBHQ")
LENGTH = struct.Struct(">I")

#: The largest frame of either side, unless TROUPE_MAX_FRAME says otherwise.
MAX_FRAME = 16 << 20


class MalformedFrame(Exception):
    """Bytes that are no frame, or one above the limit."""


def frame(kind, content, ident, name, payload):
    """The bytes of one frame; ``name`` and ``payload`` are bytes."""
    return (
        HEADER.pack(12 + len(name) + len(payload), kind, content, len(name), ident) + name + payload
    )


def frame_size(length, limit):
    """How many bytes the frame takes whose length field says ``length``."""
    size = length + 4
    if size > limit:
        raise MalformedFrame(f"a frame of {size} bytes is over the limit of {limit}")
    if size < 16:
        raise MalformedFrame(f"a frame of {size} bytes is shorter than its header")
    return size


def check(kind, content, name_length, size):
    """Raises MalformedFrame unless a frame with this header can be one of this version."""
    if not HELLO <= kind <= RETURNED:
        raise MalformedFrame(f"type {kind} is not one of protocol version {VERSION}")
    if content > IN_FILE + BYTES:
        raise MalformedFrame(f"content type {content} is neither JSON (0, in a file 2) nor bytes (1, 3)")
    if 16 + name_length > size:
        raise MalformedFrame(f"a name of {name_length} bytes is over its frame")


def decode(data, limit=MAX_FRAME):
    """The whole frames in ``data`` as (kind, content, id, name, payload), and the bytes left over."""
    found = []
    position = 0
    while len(data) - position >= 4:
        size = frame_size(LENGTH.unpack_from(data, position)[0], limit)
        if len(data) - position < size:
            break
        _, kind, content, name_length, ident = HEADER.unpack_from(data, position)
        check(kind, content, name_length, size)
        start = position + 16 + name_length
        found.append(
            (kind, content, ident, data[position + 16 : start], data[start : position + size])
        )
        position += size
    return found, data[position:]
