"""A map: one stream of payloads to the scheduler and of results back, at the same time."""

from __future__ import annotations

import collections
import json
import threading
import time
from typing import Any, Callable, Deque, Dict, Iterator, List, Optional, Tuple

from troupe import _http
from troupe.errors import failure

#: So many bytes wait to be sent before no more payloads are asked for.
UNSENT_BYTES = 1 << 20
CHUNK_BYTES = 256 << 10


class MapRun(Iterator[Any]):
    """The results of a map, from whichever thread asks for the next one.

    Three threads work for it until its last result is here: one takes payloads from the caller's iterable, one sends
    them, one reads results. When the connection breaks, what has not been answered is sent again on another one.
    """

    def __init__(
        self,
        address: _http.Address,
        target: str,
        lines: Iterator[str],
        value: Callable[[Dict[str, Any]], Any],
        ordered: bool,
        buffersize: Optional[int],
        patience: float,
        again: bool,
        until: Optional[float] = None,
    ) -> None:
        self._address = address
        self._target = target
        self._lines = lines
        self._value = value
        self._ordered = ordered
        self._buffersize = buffersize
        self._patience = patience
        self._again = again
        self._until = until

        self._change = threading.Condition()
        self._unsent: Deque[Tuple[int, str]] = collections.deque()
        self._unsent_bytes = 0
        self._pulled = 0
        self._all_pulled = False
        self._ended_sending = False
        self._connection: Optional[_http.Connection] = None
        self._under_way: Dict[int, Tuple[int, str]] = {}  # by the lines of this connection
        self._sent = 0  # lines of this connection
        self._answered = 0
        self._come: List[List[Dict[str, Any]]] = []
        self._broken: Optional[BaseException] = None
        self._received = False  # all of it, or as much as will come
        self._closed = False

        # The consumer's own.
        self._taken = 0
        self._ready: Deque[Dict[str, Any]] = collections.deque()
        self._early: Dict[int, Dict[str, Any]] = {}
        self._lock = threading.Lock()

        for work in (self._pull, self._send, self._receive):
            threading.Thread(target=work, name="troupe-map" + work.__name__, daemon=True).start()

    # ---- the consumer

    def __iter__(self) -> "MapRun":
        return self

    def __next__(self) -> Any:
        with self._lock:
            line = self._next_line()
            self._taken += 1
            if self._buffersize is not None and self._taken % max(1, self._buffersize // 4) == 0:
                with self._change:
                    self._change.notify_all()
        if "error" in line:
            self.close()
            raise failure(line["error"], str(line.get("id", "")))
        return self._value(line)

    def _next_line(self) -> Dict[str, Any]:
        while True:
            if self._closed:
                raise StopIteration
            if self._ordered and self._taken in self._early:
                return self._early.pop(self._taken)
            if not self._ready:
                self._ready.extend(self._wait())
            line = self._ready.popleft()
            if not self._ordered or line["index"] == self._taken:
                return line
            self._early[line["index"]] = line

    def _wait(self) -> List[Dict[str, Any]]:
        """Results that have come since the last time; at least one."""
        with self._change:
            if self._buffersize is not None:
                self._change.notify_all()
            while not self._come:
                if self._closed:
                    raise StopIteration
                if self._broken is not None:
                    error = self._broken
                    self._stop()
                    raise error
                if self._all_pulled and self._answered == self._pulled:
                    raise StopIteration
                left = None if self._until is None else self._until - time.monotonic()
                if not self._change.wait(left if left is None or left > 0 else 0) and left is not None:
                    if self._until is not None and time.monotonic() >= self._until:
                        raise TimeoutError
            come, self._come = self._come, []
        return [line for lines in come for line in lines]

    def close(self) -> None:
        """Cancels what has not ended. Any thread, more than once."""
        with self._change:
            self._stop()

    def _stop(self) -> None:
        self._closed = True
        self._unsent.clear()
        self._change.notify_all()
        if self._connection is not None:
            self._connection.close()

    def wait(self) -> None:
        """Waits until every job has ended, or the map was closed or broke."""
        with self._change:
            self._change.wait_for(
                lambda: self._closed
                or self._broken is not None
                or (self._all_pulled and self._answered == self._pulled)
            )

    # ---- the three threads

    def _pull(self) -> None:
        try:
            for line in self._lines:
                with self._change:
                    while not self._closed and not self._has_room():
                        self._change.wait()
                    if self._closed:
                        return
                    self._unsent.append((self._pulled, line))
                    self._unsent_bytes += len(line) + 1
                    self._pulled += 1
                    if len(self._unsent) == 1:
                        self._change.notify_all()
        except BaseException as error:  # of the caller's iterable, or of what is no JSON
            with self._change:
                self._broken = self._broken or error
        finally:
            with self._change:
                self._all_pulled = True
                self._change.notify_all()

    def _has_room(self) -> bool:
        ahead = self._buffersize is None or self._pulled - self._taken < self._buffersize
        return ahead and self._unsent_bytes < UNSENT_BYTES

    def _send(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(self._has_work_for_sender)
                if self._closed or self._received:
                    return
                connection = self._connection
                assert connection is not None
                batch = []
                size = 0
                while self._unsent and size < CHUNK_BYTES:
                    entry = self._unsent.popleft()
                    self._under_way[self._sent] = entry
                    self._sent += 1
                    batch.append(entry[1])
                    size += len(entry[1]) + 1
                self._unsent_bytes -= size
                self._ended_sending = not batch
                self._change.notify_all()
            try:
                connection.send_chunk(("\n".join(batch) + "\n").encode() if batch else b"")
            except OSError:
                connection.close()  # which the reader notices
                with self._change:
                    self._change.wait_for(lambda: self._closed or self._connection is not connection)

    def _has_work_for_sender(self) -> bool:
        if self._closed or self._received:
            return True
        return self._connection is not None and (bool(self._unsent) or (self._all_pulled and not self._ended_sending))

    def _receive(self) -> None:
        try:
            self._receive_all()
        except BaseException as error:  # told to whoever waits for results
            with self._change:
                self._broken = self._broken or error
        finally:
            with self._change:
                self._received = True
                self._change.notify_all()

    def _receive_all(self) -> None:
        trouble = _http.Trouble(self._patience)
        reached = False
        while True:
            try:
                connection = _http.Connection(self._address)
            except OSError as error:
                if not reached or not trouble.pause():
                    raise _http.unreachable(self._address, error) from error
                continue
            reached = True
            if self._listen(connection, trouble):
                return

    def _listen(self, connection: _http.Connection, trouble: _http.Trouble) -> bool:
        """Takes results until the last; False when the connection broke before and it may go on with another."""
        try:
            with self._change:
                if self._closed:
                    return True
                connection.send(connection.head("POST", self._target, "application/x-ndjson", None))
                again = list(self._under_way.values())
                self._under_way.clear()
                self._sent = 0
                self._unsent.extendleft(reversed(again))
                self._unsent_bytes += sum(len(line) + 1 for _, line in again)
                self._ended_sending = False
                self._connection = connection
                self._change.notify_all()
            answer = connection.answer()
            if answer.status >= 400:
                body = connection.body(answer)
                if answer.status in (429, 503) and trouble.pause(answer):
                    return False
                raise _http.refused(answer, body)
            for lines in _http.whole_lines(connection.pieces(answer)):
                trouble.over()
                self._on([json.loads(line) for line in lines if line])
            if self._all_pulled and not self._under_way and not self._unsent:
                return True
            raise ConnectionResetError("the scheduler ended the map before its last result")
        except OSError as error:
            if self._closed:
                return True
            if not self._again:
                raise ConnectionError(
                    "the scheduler went away while a map ran whose jobs may have one attempt: some have run"
                ) from error
            if not trouble.pause():
                raise
            return False
        finally:
            connection.close()
            with self._change:
                self._connection = None
                self._change.notify_all()

    def _on(self, lines: List[Dict[str, Any]]) -> None:
        with self._change:
            for line in lines:
                line["index"] = self._under_way.pop(line["index"])[0]
            self._come.append(lines)
            self._answered += len(lines)
            self._change.notify_all()
