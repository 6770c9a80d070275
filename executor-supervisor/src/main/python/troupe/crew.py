"""Runs up to N jobs of a worker's process at once, where its pool says ``concurrency = N``.

The main thread takes what comes over the socket. Functions that are ``async def`` run as tasks of one event loop, which has a thread
of its own; all others run on up to N threads. Jobs begin in the order in which they came and end in any. A job is cancelled by
``troupe.Cancelled`` in its thread, at its next step of Python code, or as asyncio cancels a task; a thread that waits inside of a call
that is not Python's is not reached, and the executor ends the process after a while.
"""

import collections
import contextvars
import ctypes
import os
import queue
import select
import signal
import socket
import threading

from troupe import Cancelled, frames, report

RECEIVE_BYTES = 256 << 10
#: Jobs that run when the process is told to end have so long to do so.
STOP_SECONDS = 5
#: Bytes of the place in the seat where a running job tells how far it is, and its words.
PLACE_BYTES = 256
_BEGUN = 0

_running = contextvars.ContextVar("troupe_running", default=None)


def current():
    """Id of the job that the calling thread or task runs; 0 when none."""
    job = _running.get()
    return job.ident if job else 0


class Job:
    """One job, from when it came until it is answered."""

    __slots__ = ("answer", "awaited", "content", "function", "ident", "payload", "place", "task", "thread", "unwanted")

    def __init__(self, ident, function, awaited, content, payload):
        self.ident = ident
        self.function = function
        self.awaited = awaited
        self.content = content
        self.payload = payload
        self.place = None
        self.thread = None  # of the function while it may be interrupted
        self.task = None
        self.unwanted = None  # the exception that it is to get
        self.answer = None


class Crew:
    """The jobs of one connection, up to ``width`` of them at once."""

    def __init__(self, server, connection, functions, seat, loop, width, max_frame, codecs, printers):
        """``codecs`` makes a reader and a writer of JSON, which each thread needs for itself."""
        self._server = server
        self._connection = connection
        self._functions = functions
        self._words = seat.words
        self._loop = loop
        self._width = width
        self._max_frame = max_frame
        self._codecs = codecs
        self._printers = printers
        self._lock = threading.Lock()
        self._quiet = threading.Condition(self._lock)
        self._waiting = collections.deque()
        self._running = {}
        self._ready = queue.SimpleQueue()
        self._threads = 0
        self._in_threads = 0
        self._events = None
        self._event_thread = None
        self._event_codecs = None
        self._unsent = []
        self._sending = threading.Lock()
        self._stopping = False
        memory = memoryview(seat.memory)
        whole = [memory[start : start + PLACE_BYTES] for start in range(PLACE_BYTES, len(memory), PLACE_BYTES)]
        # Without a seat they are still counted.
        self._places = [(place.cast("Q"), place) for place in whole[:width]] or [None] * width
        server.current = current
        report.attach_places(self._place)

    @staticmethod
    def _place():
        job = _running.get()
        return (*job.place, job.ident) if job and job.place else None

    def serve(self):
        """As the server's own: returns whether the executor said that there will be no more jobs."""
        rest = b""
        signals = self._signals()
        try:
            while True:
                if not signals():
                    continue
                data = self._server.receive_rest(rest) if rest else self._connection.recv(RECEIVE_BYTES)
                if not data:
                    return False
                found, rest = frames.decode(data, self._max_frame)
                for frame in found:
                    if frame[0] == frames.SHUTDOWN:
                        self._finish()
                        return True
                    self._take(*frame)
        finally:
            self._stop()

    def _signals(self):
        """A function that waits until something comes over the socket, or a signal, and tells whether it is the former.

        A signal that comes while this thread waits for its turn among the others would not end a receive that begins then.
        """
        told, teller = socket.socketpair()
        for each in (told, teller):
            each.setblocking(False)
        signal.set_wakeup_fd(teller.fileno(), warn_on_full_buffer=False)
        both = select.poll()
        both.register(self._connection, select.POLLIN)
        both.register(told, select.POLLIN)

        def wait(_=teller):  # which lives as long as this function
            ready = [descriptor for descriptor, _ in both.poll()]
            if told.fileno() in ready:
                told.recv(4096)
            return self._connection.fileno() in ready

        return wait

    def _take(self, kind, content, ident, name, payload):
        if kind == frames.CANCEL:
            self._cancel(ident, Cancelled)
            return
        if kind != frames.JOB:
            raise frames.MalformedFrame(f"a frame of type {kind} is not for a worker")
        try:
            function, awaited = self._functions[name][0]
        except BaseException as error:  # also what the user's own code raises when it is asked for the name
            if self._server.stopping:
                raise
            function, awaited = _raising(error), False
        with self._lock:
            self._waiting.append(Job(ident, function, awaited, content, payload))
            self._begin()

    def _begin(self):
        """Begins what there is room for, in the order in which it came; the lock is held."""
        while self._waiting and len(self._running) < self._width:
            job = self._waiting.popleft()
            job.place = self._places.pop()
            if job.place:
                job.place[0][_BEGUN] = job.ident
            self._words[_BEGUN] = job.ident
            self._running[job.ident] = job
            if job.awaited:
                self._event_loop().call_soon_threadsafe(self._start, job)
            else:
                self._in_threads += 1
                if self._in_threads > self._threads:
                    self._threads += 1
                    threading.Thread(target=self._work, name=f"troupe-{self._threads}", daemon=True).start()
                self._ready.put(job)

    # ---- in threads

    def _work(self):
        read, write = self._codecs()
        while True:
            job = self._ready.get()
            _running.set(job)
            try:
                try:
                    self._enter(job)
                    self._answer(job, job.function(self._payload(job, read)), write)
                except BaseException as error:  # also SystemExit: a job does not end the process
                    self._fail(job, error)
            except BaseException as error:  # an interrupt that came at the very end
                self._fail(job, error)
            self._leave(job)
            _running.set(None)
            self._end(job)

    def _enter(self, job):
        with self._lock:
            if job.unwanted:
                raise job.unwanted()
            job.thread = threading.get_ident()

    def _leave(self, job):
        """From here on nothing interrupts the thread, and what was on its way is taken back."""
        while True:
            try:
                with self._lock:
                    job.thread = None
                _interrupt(threading.get_ident(), None)
                return
            except BaseException as error:  # the interrupt itself
                self._fail(job, error)

    # ---- on the event loop

    def _event_loop(self):
        if self._event_thread is None:
            self._events = self._loop.events()
            self._event_codecs = self._codecs()
            self._event_thread = threading.Thread(target=self._events.run_forever, name="troupe-asyncio", daemon=True)
            self._event_thread.start()
        return self._events

    def _start(self, job):
        if not job.unwanted:
            job.task = self._events.create_task(self._await(job))
            job.task.add_done_callback(lambda _: self._ended(job))
        else:
            self._ended(job)

    async def _await(self, job):
        import asyncio

        read, write = self._event_codecs
        _running.set(job)
        try:
            self._answer(job, await job.function(self._payload(job, read)), write)
        except asyncio.CancelledError as error:
            self._fail(job, job.unwanted() if job.unwanted else error)
        except BaseException as error:  # SystemExit would end the loop
            self._fail(job, error)

    def _ended(self, job):
        if job.answer is None:  # it was ended before its first step
            self._fail(job, job.unwanted() if job.unwanted else Cancelled())
        self._end(job)

    # ---- both

    @staticmethod
    def _payload(job, read):
        content, payload = job.content, job.payload
        if content >= frames.IN_FILE:
            content -= frames.IN_FILE
            with open(os.fsdecode(payload), "rb") as file:
                payload = file.read()
        return read(payload) if content == frames.JSON else payload

    def _answer(self, job, value, write):
        content, body = self._server.encode(value, write)
        job.answer = frames.frame(frames.RESULT, content, job.ident, b"", body)

    def _fail(self, job, error):
        name, body = self._server.failure(error)
        job.answer = b"" if self._stopping else frames.frame(frames.ERROR, frames.JSON, job.ident, name, body)

    def _end(self, job):
        for printer in self._printers:
            printer.over(job.ident)
        with self._lock:
            self._unsent.append(job.answer)
            del self._running[job.ident]
            if job.place:
                job.place[0][_BEGUN] = 0
            self._places.append(job.place)
            self._in_threads -= not job.awaited
            self._begin()
            if not self._running:
                self._quiet.notify_all()
        while self._unsent and self._sending.acquire(blocking=False):  # else whoever has it sends these too
            try:
                with self._lock:
                    data = b"".join(self._unsent)
                    self._unsent.clear()
                self._connection.sendall(data)
            except OSError:
                pass  # the main thread sees the end of the connection, too
            finally:
                self._sending.release()

    # ---- ending

    def _cancel(self, ident, kind):
        with self._lock:
            job = self._running.get(ident) or next((each for each in self._waiting if each.ident == ident), None)
            if job is None or job.unwanted:
                return
            job.unwanted = kind
            if job.thread:
                _interrupt(job.thread, kind)
            if job.awaited and self._events:
                self._events.call_soon_threadsafe(lambda: job.task and job.task.cancel())

    def _finish(self):
        with self._quiet:
            while self._running:
                self._quiet.wait()

    def _stop(self):
        """Ends the jobs that run, with what they do to clean up."""
        with self._lock:
            self._stopping = True
            self._waiting.clear()
            running = list(self._running)
        for ident in running:
            self._cancel(ident, SystemExit)
        with self._quiet:
            self._quiet.wait_for(lambda: not self._running, STOP_SECONDS)
        if self._event_thread:
            self._events.call_soon_threadsafe(self._events.stop)
            self._event_thread.join(STOP_SECONDS)


def _interrupt(thread, kind):
    """Raises this in the thread at its next step of Python code; None takes back what has not been raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind) if kind else None)


def _raising(error):
    def function(_):
        raise error

    return function
