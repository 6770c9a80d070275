"""A pool as an executor of the standard library."""

from __future__ import annotations

import binascii
import concurrent.futures
import pickle
import threading
import time
import weakref
from typing import Any, Callable, Iterable, Iterator, Optional, Union

from troupe import client as clients
from troupe._map import MapRun

#: The function of a pool that runs ``troupe.calls``.
CALL = "call"


class PoolExecutor(concurrent.futures.Executor):
    """``concurrent.futures.Executor`` whose calls are jobs of a pool.

    A function is given by its name, and is then called with one argument that JSON can say, or bytes; or it is given
    itself, with any arguments, and then the pool has to run ``python3 -m troupe.worker troupe.calls``. ``timeout``,
    ``attempts`` and ``priority`` are those of its jobs.
    """

    def __init__(
        self,
        pool: str,
        *,
        url: Optional[str] = None,
        token: Optional[str] = None,
        client: Optional[clients.Client] = None,
        timeout: Optional[float] = None,
        attempts: Optional[int] = None,
        priority: Optional[int] = None,
    ) -> None:
        self._pool = pool
        self._own = client is None
        self._client = client or clients.Client(url, token=token)
        self._terms = clients._terms(timeout, attempts, priority)
        self._lock = threading.Lock()
        self._shut = False
        self._futures: "weakref.WeakSet[clients.JobFuture]" = weakref.WeakSet()
        self._maps: "weakref.WeakSet[MapRun]" = weakref.WeakSet()

    def submit(  # type: ignore[override]
        self, fn: Union[str, Callable[..., Any]], /, *args: Any, **kwargs: Any
    ) -> clients.JobFuture:
        """Schedules a call; a name takes one argument or none."""
        with self._lock:
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if isinstance(fn, str):
                future = self._client._submit(
                    self._pool, fn, _one(fn, args, kwargs), self._terms, None, clients.same
                )
            else:
                payload = pickle.dumps((_pickled(fn), args, kwargs), pickle.HIGHEST_PROTOCOL)
                future = self._client._submit(self._pool, CALL, payload, self._terms, None, pickle.loads)
            self._futures.add(future)
            return future

    def map(  # type: ignore[override]
        self,
        fn: Union[str, Callable[..., Any]],
        *iterables: Iterable[Any],
        timeout: Optional[float] = None,
        chunksize: int = 1,
        buffersize: Optional[int] = None,
    ) -> Iterator[Any]:
        """The results of all calls, in order, through one stream.

        The iterables are read at once, or with ``buffersize`` only so far beyond the last result that was taken, by a
        thread of the map. ``chunksize`` has no effect: calls travel together anyway.
        """
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        until = None if timeout is None else time.monotonic() + timeout
        calls: Iterable[Any] = zip(*iterables)
        if buffersize is None:
            calls = list(calls)
        if isinstance(fn, str):
            lines = (clients.encode_json(_one(fn, args, {})) for args in calls)
            function, decode = fn, clients.same
        else:
            function, decode = CALL, pickle.loads
            lines = _by_value(_pickled(fn), calls)
        with self._lock:
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            run = self._client._map(
                self._pool, function, lines, self._terms, True, buffersize, decode, until
            )
            self._maps.add(run)
        return _results(run)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more calls; waits for those there are, or cancels those that have not started."""
        with self._lock:
            self._shut = True
            futures, maps = list(self._futures), list(self._maps)
        if cancel_futures:
            for run in maps:
                run.close()
            for future in futures:
                if not future.done() and not future.running():
                    future.cancel()
        if wait:
            for run in maps:
                run.wait()
            concurrent.futures.wait(futures)
            if self._own:
                self._client.close()


def _results(run: MapRun) -> Iterator[Any]:
    """A generator, as the standard library returns one: closing it cancels the rest."""
    try:
        yield from run
    finally:
        run.close()


def _one(name: str, args: Any, kwargs: Any) -> Any:
    if kwargs or len(args) > 1:
        raise TypeError(
            "a function called by name takes one argument: give %s(...) a list or a dictionary, or the function itself"
            % name
        )
    return args[0] if args else None


def _pickled(function: Callable[..., Any]) -> bytes:
    """The function by value where cloudpickle is installed, else by reference."""
    try:
        import cloudpickle  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        name = getattr(function, "__qualname__", "")
        if getattr(function, "__module__", None) == "__main__" or "<" in name:
            raise TypeError(
                "%s cannot be imported by a worker: install cloudpickle here and on the workers, or put it into a"
                " module that they have" % (name or function)
            ) from None
        return pickle.dumps(function, pickle.HIGHEST_PROTOCOL)
    pickled: bytes = cloudpickle.dumps(function)
    return pickled


def _by_value(function: bytes, calls: Iterable[Any]) -> Iterator[str]:
    for args in calls:
        payload = pickle.dumps((function, args, {}), pickle.HIGHEST_PROTOCOL)
        yield '"%s"' % binascii.b2a_base64(payload, newline=False).decode("ascii")
