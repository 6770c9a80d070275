"""Which functions a worker serves, and of what kind each is."""

import functools

from troupe import parts

#: What a module or class may have for itself.
NO_JOBS = ("setup", "teardown")
#: Flags of a code object; the inspect module has them too, and takes long to import.
CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR = 0x20, 0x80, 0x200


class NoFunction(LookupError):
    """The module has no such public function."""


class Functions(dict):
    """The public functions of a module or object by name, in bytes, each looked up once: [function, was it slow]."""

    def __init__(self, home, label, prepare):
        """``prepare`` makes what stands in the entry out of the user's function."""
        super().__init__()
        self._home = home
        self._label = label
        self._prepare = prepare

    def __missing__(self, name):
        text = name.decode("utf-8", "replace")
        function = None if text.startswith("_") or text in NO_JOBS else getattr(self._home, text, None)
        listed = getattr(self._home, "__all__", None)
        if not callable(function) or isinstance(function, type) or (listed is not None and text not in listed):
            raise NoFunction(f"{self._label} has no public function {text!r}")
        self[name] = entry = [self._prepare(function), True]
        return entry


def plain(function):
    """What to call for a function, and whether that makes a coroutine."""
    flags = flags_of(function)
    if flags & CO_COROUTINE:
        return function, True
    if flags & CO_GENERATOR:
        return lambda value: parts.of(function(value)), False
    if flags & CO_ASYNC_GENERATOR:
        return lambda value: parts.of_async(function(value)), True
    return function, False


def flags_of(function):
    """What its code says of itself; nothing where there is no Python code."""
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if not hasattr(function, "__code__"):
        function = getattr(type(function), "__call__", None)
    return getattr(getattr(function, "__code__", None), "co_flags", 0)
