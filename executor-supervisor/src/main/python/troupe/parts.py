"""What a generator yields: the list that is its job's result, and on the way there a file, for who does not want to wait."""

import os

_path = None
_write = None


def attach(path, write):
    """``path()`` is where the parts of the running job go, or None; ``write`` makes JSON of a value."""
    global _path, _write
    _path, _write = path, write


class _File:
    """One line of JSON for each part, there as soon as it is yielded; nothing without a place for it."""

    def __init__(self):
        path = _path and _path()
        self._path = path
        self._file = None

    def add(self, item):
        if self._path is None:
            return
        line = memoryview((_write(item) + "\n").encode("utf-8", "surrogatepass"))
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            while line:
                line = line[os.write(self._file, line) :]
        except OSError:  # no room: who reads gets the rest with the result
            self.close()
            self._path = None

    def close(self):
        if self._file is not None:
            os.close(self._file)
            os.unlink(self._path)
            self._file = None


def of(items):
    """The list of what a generator yields."""
    file, found = _File(), []
    try:
        for item in items:
            found.append(item)
            file.add(item)
    finally:
        file.close()
    return found


async def of_async(items):
    """The same of an async generator."""
    file, found = _File(), []
    try:
        async for item in items:
            found.append(item)
            file.add(item)
    finally:
        file.close()
    return found
