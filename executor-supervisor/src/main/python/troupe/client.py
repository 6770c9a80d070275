"""The client of a scheduler: jobs as futures, maps as streams."""

from __future__ import annotations

import atexit
import binascii
import collections
import concurrent.futures
import json
import logging
import sys
import threading
import uuid
import weakref
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from troupe import _http
from troupe._map import MapRun
from troupe.errors import Refused, StreamRestarted, failure

log = logging.getLogger("troupe")

#: So long a request is repeated while the scheduler is away or takes no more, unless the client says otherwise.
PATIENCE_SECONDS = 60.0
#: How long a plain request may go without an answer.
ANSWER_SECONDS = 30.0
#: The scheduler says at least every few seconds that a stream of results lives.
SILENCE_SECONDS = 25.0
#: So many submissions travel before the answer to the first is read.
PIPELINED = 128
PIPELINED_BYTES = 1 << 20

JSON_TYPE = "application/json"
BYTES_TYPE = "application/octet-stream"
LINES_TYPE = "application/x-ndjson"

#: ASCII, so that texts which are no Unicode (lone surrogates) travel as well.
encode_json = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class JobFuture(concurrent.futures.Future):  # type: ignore[type-arg]
    """A job as a future. ``cancel`` also ends a job that runs; ``running`` asks the scheduler."""

    def __init__(self, client: "Client", key: str, decode: Callable[[Any], Any]) -> None:
        super().__init__()
        self._client = client
        self._decode = decode
        self._accepted = threading.Event()
        self._notifying = threading.Lock()  # taken by the first who finds it cancelled
        #: Makes a second submission with the same key the same job.
        self.key = key
        #: The job's id; None until the scheduler has accepted it.
        self.job_id: Optional[str] = None

    def cancel(self) -> bool:
        """Cancels the job, also when it runs. False when it has ended, or when no scheduler can be asked."""
        if self.done():
            return self.cancelled()
        self._client._flush(self)
        self._accepted.wait(self._client.patience)
        if self.job_id is not None and not self.done():
            try:
                job = self._client._json("DELETE", "/v1/jobs/" + _http.quoted(self.job_id))
            except (OSError, Refused):
                return False
            if job.get("state") != "CANCELLED":
                return False
            self._cancelled()
        return self.cancelled()

    def running(self) -> bool:
        """Whether it runs on a worker now."""
        if self.done() or self.job_id is None:
            return False
        return bool(self._client.status(self.job_id).get("state") == "RUNNING")

    def _cancelled(self) -> None:
        if self._notifying.acquire(blocking=False) and super().cancel():
            self.set_running_or_notify_cancel()

    def _end(self, line: Dict[str, Any]) -> None:
        """The job has ended as this line says."""
        try:
            if "error" not in line:
                self.set_result(self._decode(value_of(line)))
            elif line["error"].get("code") == "JOB_CANCELLED":
                self._cancelled()
            else:
                self._fail(failure(line["error"], self.job_id or ""))
        except concurrent.futures.InvalidStateError:
            pass  # cancelled here in the meantime
        except Exception as error:  # what the decoding raised
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        try:
            self.set_exception(error)
        except concurrent.futures.InvalidStateError:
            pass
        self._accepted.set()


def value_of(line: Dict[str, Any]) -> Any:
    """The result in a line of a map: JSON, or bytes."""
    result = line.get("result")
    if line.get("encoding") == "base64":
        return binascii.a2b_base64(result)
    return result


def same(value: Any) -> Any:
    """What a result is when nothing is to be made of it."""
    return value


class MapResults(Iterator[Any]):
    """The results of a map. When it is closed, or nobody has it any more, what has not ended is cancelled."""

    def __init__(self, run: MapRun) -> None:
        self._run = run

    def __next__(self) -> Any:
        return next(self._run)

    def close(self) -> None:
        """Cancels what has not ended."""
        self._run.close()

    def __del__(self, at_the_end: Callable[[], bool] = sys.is_finalizing) -> None:
        if not at_the_end():  # of the program its threads are no more, and one of them may have died with a lock
            self._run.close()


class JobStream(Iterator[Any]):
    """What the generator of one job yields, each value as it comes.

    Raises what the function raises after the values that came before, and ``StreamRestarted`` when another attempt begins. The whole
    list is the job's result, ``future``; closing the iterator, or giving it up, cancels the job.
    """

    def __init__(self, client: "Client", future: JobFuture) -> None:
        self._client = client
        #: The job.
        self.future = future
        #: The attempt whose values these are; 0 before the first one.
        self.attempt = 0
        self._index = 0  # of the next value
        self._lines: Optional[Iterator[Dict[str, Any]]] = None
        self._rest: Optional[Iterator[Any]] = None
        self._trouble = _http.Trouble(client.patience)

    def __next__(self) -> Any:
        while self._rest is None:
            line = self._line()
            if "partial" not in line:
                whole = self.future.result()  # raises what the job did
                self._rest = iter(whole[self._index :] if isinstance(whole, list) else [whole])
            elif line["attempt"] != self.attempt:
                before, self.attempt = self.attempt, line["attempt"]
                if before and self._index:
                    self._index, self._lines = 0, None
                    raise StreamRestarted("attempt %d of job %s yields anew" % (self.attempt, self.future.job_id))
            if "partial" in line and line["index"] == self._index:
                self._index += 1
                return line["partial"]
        return next(self._rest)

    def _line(self) -> Dict[str, Any]:
        """The next line of the stream, which begins anew when its connection has broken."""
        while True:
            try:
                if self._lines is None:
                    self._lines = self._listen()
                found = next(self._lines)
                self._trouble.over()
                return found
            except (OSError, StopIteration) as error:
                self._lines = None
                if not self._trouble.pause():
                    raise ConnectionError("the stream of job %s broke" % self.future.job_id) from error

    def _listen(self) -> Iterator[Dict[str, Any]]:
        self.future._accepted.wait(self._client.patience)
        if self.future.job_id is None:
            self.future.result(0)  # raises why it was not taken
        connection = self._client._connect()
        try:
            target = "/v1/jobs/%s/stream" % _http.quoted(str(self.future.job_id))
            connection.send(connection.head("GET", target, JSON_TYPE, 0))
            answer = connection.answer(ANSWER_SECONDS)
            if answer.status in (429, 503):
                raise ConnectionError("the scheduler is not ready")  # asked again
            if answer.status >= 400:
                raise _http.refused(answer, connection.body(answer))
            for lines in _http.whole_lines(connection.pieces(answer)):
                for line in lines:
                    if line:
                        yield json.loads(line)
        finally:
            connection.close()

    def close(self) -> None:
        """Cancels the job, if it has not ended."""
        self._lines = None
        if not self.future.done():
            self.future.cancel()

    def __enter__(self) -> "JobStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Client:
    """Gives jobs to the pools of one scheduler. Any number of threads may use it.

    The scheduler is at ``url``, or at TROUPE_URL, or at http://127.0.0.1:7070; ``token`` or TROUPE_TOKEN is what it
    asks for. When it is away or takes no more, requests are repeated for ``patience`` seconds; a submission has a
    key of its own, so that being repeated does not make it two jobs.
    """

    def __init__(
        self, url: Optional[str] = None, *, token: Optional[str] = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._address = _http.address(url, token)
        self.patience = patience
        self._lock = threading.Lock()
        self._idle: List[_http.Connection] = []
        self._submissions = _Submissions(self)
        self._results = _Results(self)
        self._maps: "weakref.WeakSet[MapRun]" = weakref.WeakSet()
        self._reached = False
        self._closed = False
        atexit.register(_close_if_there, weakref.ref(self))

    @property
    def url(self) -> str:
        """Where the scheduler is looked for."""
        return self._address.url

    # ---- jobs

    def submit(
        self,
        pool: str,
        function: str,
        payload: Any = None,
        *,
        timeout: Optional[float] = None,
        attempts: Optional[int] = None,
        priority: Optional[int] = None,
        key: Optional[str] = None,
    ) -> JobFuture:
        """Calls a function of the pool with one argument: what JSON can say, or bytes.

        ``timeout`` is how many seconds one attempt may run, ``attempts`` how often it is tried when workers die,
        and a higher ``priority`` goes first; where they are not given, the pool's policy holds.
        """
        return self._submit(pool, function, payload, _terms(timeout, attempts, priority), key, same)

    def _submit(
        self,
        pool: str,
        function: str,
        payload: Any,
        terms: str,
        key: Optional[str],
        decode: Callable[[Any], Any],
    ) -> JobFuture:
        if self._closed:
            raise RuntimeError("cannot submit after close")
        if isinstance(payload, (bytes, bytearray, memoryview)):
            body, content_type = bytes(payload), BYTES_TYPE
        else:
            body, content_type = encode_json(payload).encode(), JSON_TYPE
        future = JobFuture(self, key or uuid.uuid4().hex, decode)
        target = "/v1/pools/%s/jobs?function=%s&id=%s%s" % (
            _http.quoted(pool),
            _http.quoted(function),
            _http.quoted(future.key),
            terms,
        )
        self._submissions.add(_Submission(future, target, body, content_type, "&attempts=1&" not in terms + "&"))
        return future

    def job(self, job_id: str) -> JobFuture:
        """A job that was submitted some time ago, by this client or another, as a future."""
        future = JobFuture(self, "", same)
        future.job_id = job_id
        future._accepted.set()
        self._results.add([(future, None)])
        return future

    def result(self, job_id: str, timeout: Optional[float] = None) -> Any:
        """The result of a job, waited for; raises what its function raised."""
        return self.job(job_id).result(timeout)

    def stream(
        self,
        pool: str,
        function: str,
        payload: Any = None,
        *,
        timeout: Optional[float] = None,
        attempts: Optional[int] = 1,
        priority: Optional[int] = None,
    ) -> JobStream:
        """Calls a function that is a generator; an iterator over what it yields, each value as it comes.

        The job has one attempt, unless ``attempts`` says more: another attempt yields everything anew, and the iterator raises
        ``StreamRestarted`` then and goes on from the beginning if it is asked for more.
        """
        return JobStream(self, self.submit(pool, function, payload, timeout=timeout, attempts=attempts, priority=priority))

    def status(self, job_id: str) -> Dict[str, Any]:
        """The job as the API tells it: state, attempt, worker, cause and more."""
        return self._json("GET", "/v1/jobs/" + _http.quoted(job_id))

    def cancel(self, job_id: str) -> bool:
        """Cancels a job; False when it had ended otherwise."""
        job = self._json("DELETE", "/v1/jobs/" + _http.quoted(job_id))
        return bool(job.get("state") == "CANCELLED")

    def retry(self, job_id: str) -> JobFuture:
        """Queues a job again that failed, died or was cancelled."""
        self._json("POST", "/v1/jobs/%s/retry" % _http.quoted(job_id))
        return self.job(job_id)

    def map(
        self,
        pool: str,
        function: str,
        payloads: Iterable[Any],
        *,
        timeout: Optional[float] = None,
        attempts: Optional[int] = None,
        priority: Optional[int] = None,
        ordered: bool = True,
        buffersize: Optional[int] = 8192,
    ) -> MapResults:
        """Calls a function with each payload; the results as they come, or in the order of the payloads.

        It goes through one stream in both directions: payloads are read, by a thread of the map, no further than
        ``buffersize`` beyond the last result that was taken (None: as far as the scheduler takes them). A job that
        fails raises when its result is due, and closing the iterator cancels what has not ended.
        """
        terms = _terms(timeout, attempts, priority)
        return MapResults(self._map(pool, function, map(encode_json, payloads), terms, ordered, buffersize, same))

    def _map(
        self,
        pool: str,
        function: str,
        lines: Iterable[str],
        terms: str,
        ordered: bool,
        buffersize: Optional[int],
        decode: Callable[[Any], Any],
        until: Optional[float] = None,
    ) -> MapRun:
        if self._closed:
            raise RuntimeError("cannot map after close")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        run = MapRun(
            address=self._address,
            target="/v1/pools/%s/map?function=%s%s" % (_http.quoted(pool), _http.quoted(function), terms),
            lines=iter(lines),
            value=lambda line: decode(value_of(line)),
            ordered=ordered,
            buffersize=buffersize,
            patience=self.patience,
            again="&attempts=1&" not in terms + "&",
            until=until,
        )
        self._maps.add(run)
        return run

    # ---- pools

    def pools(self) -> List[Dict[str, Any]]:
        """All pools: size, workers, queued and running jobs."""
        found: Any = self._json("GET", "/v1/pools")
        return list(found)

    def pool(self, name: str) -> Dict[str, Any]:
        """One pool."""
        return self._json("GET", "/v1/pools/" + _http.quoted(name))

    # ---- life

    def close(self) -> None:
        """Sends what was submitted, and stops listening: the jobs go on, their futures end no more. Maps are cancelled."""
        if self._closed:
            return
        self._submissions.drain(self.patience)
        self._closed = True
        for run in list(self._maps):
            run.close()
        self._submissions.close()
        self._results.close()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- requests

    def _flush(self, future: JobFuture) -> None:
        """Takes a submission back that has not been sent."""
        if self._submissions.remove(future):
            future._cancelled()
            future._accepted.set()

    def _connect(self) -> _http.Connection:
        """A connection of its own; at once an error if there has never been one, else after all patience."""
        trouble = _http.Trouble(self.patience)
        while True:
            try:
                connection = _http.Connection(self._address)
                self._reached = True
                return connection
            except OSError as error:
                if not self._reached or self._closed or not trouble.pause():
                    raise _http.unreachable(self._address, error) from error

    def _json(self, method: str, target: str) -> Dict[str, Any]:
        """A plain request, repeated as long as that may help; what it answers, or Refused."""
        trouble = _http.Trouble(self.patience)
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            reused = connection is not None
            connection = connection or self._connect()
            try:
                connection.send(connection.head(method, target, JSON_TYPE, 0))
                answer = connection.answer(ANSWER_SECONDS)
                body = connection.body(answer)
            except OSError as error:
                connection.close()
                if not reused and not trouble.pause():
                    raise _http.unreachable(self._address, error) from error
                continue
            with self._lock:
                self._idle.append(connection)
            if answer.status in (429, 503) and trouble.pause(answer):
                continue
            if answer.status >= 400:
                raise _http.refused(answer, body)
            return json.loads(body)  # type: ignore[no-any-return]


def _terms(timeout: Optional[float], attempts: Optional[int], priority: Optional[int]) -> str:
    terms = ""
    if timeout is not None:
        terms += "&timeout=%dms" % max(1, round(timeout * 1000))
    if attempts is not None:
        terms += "&attempts=%d" % attempts
    if priority is not None:
        terms += "&priority=%d" % priority
    return terms


def _close_if_there(client: "weakref.ref[Client]") -> None:
    found = client()
    if found is not None:
        found.close()


class _Submission(NamedTuple):
    future: JobFuture
    target: str
    body: bytes
    content_type: str
    again: bool  # whether the job may be submitted anew when the scheduler has lost it


class _Submissions:
    """Sends submissions in order, many before the first answer is read, and again what was not answered."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._waiting: Deque[_Submission] = collections.deque()
        self._sent: List[_Submission] = []
        self._change = threading.Condition()
        self._thread: Optional[threading.Thread] = None
        self._closed = False

    def add(self, submission: _Submission) -> None:
        with self._change:
            self._waiting.append(submission)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="troupe-submit", daemon=True)
                self._thread.start()
            elif len(self._waiting) == 1:
                self._change.notify_all()

    def remove(self, future: JobFuture) -> bool:
        with self._change:
            for submission in self._waiting:
                if submission.future is future:
                    self._waiting.remove(submission)
                    return True
        return False

    def drain(self, seconds: float) -> None:
        with self._change:
            self._change.wait_for(lambda: not (self._waiting or self._sent), seconds)

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()

    def _run(self) -> None:
        connection: Optional[_http.Connection] = None
        trouble = _http.Trouble(self._client.patience)
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    break
                size = 0
                while self._waiting and len(self._sent) < PIPELINED and size < PIPELINED_BYTES:
                    self._sent.append(self._waiting.popleft())
                    size += len(self._sent[-1].body)
            try:
                connection = connection or self._client._connect()
            except OSError as error:
                self._give_up(error)
                continue
            busy = None
            try:
                busy = self._exchange(connection)
                trouble.over()
            except OSError as error:
                connection.close()
                connection = None
                if not trouble.pause():
                    self._give_up(_http.unreachable(self._client._address, error))
                    trouble.over()
            left, self._sent = self._sent, []
            with self._change:
                self._waiting.extendleft(reversed(left))
                if not self._waiting:
                    self._change.notify_all()
            if busy is not None and not trouble.pause(busy[0]):
                with self._change:
                    submission = self._waiting.popleft()
                submission.future._fail(_http.refused(*busy))
        if connection is not None:
            connection.close()

    def _exchange(self, connection: _http.Connection) -> Optional[Tuple[_http.Answer, bytes]]:
        """Sends what is to be sent and reads the answers; those for which it is too early stay, with such an answer."""
        requests = []
        for each in self._sent:
            requests.append(connection.head("POST", each.target, each.content_type, len(each.body)))
            requests.append(each.body)
        connection.send(b"".join(requests))
        busy, left, accepted = None, [], []
        try:
            while self._sent:
                answer = connection.answer(ANSWER_SECONDS)
                body = connection.body(answer)
                submission = self._sent.pop(0)
                if answer.status in (429, 503):
                    busy = busy or (answer, body)
                    left.append(submission)
                elif answer.status >= 400:
                    submission.future._fail(_http.refused(answer, body))
                else:
                    submission.future.job_id = json.loads(body)["id"]
                    submission.future._accepted.set()
                    accepted.append((submission.future, submission))
        finally:
            self._sent = left + self._sent
            self._client._results.add(accepted)
        return busy

    def _give_up(self, error: BaseException) -> None:
        with self._change:
            lost = self._sent + list(self._waiting)
            self._waiting.clear()
            self._sent = []
            self._change.notify_all()
        for submission in lost:
            submission.future._fail(error)


_Awaited = Tuple[JobFuture, Optional[_Submission]]


class _Results:
    """Hears the end of all jobs that are waited for, on one connection, and on another one when it breaks."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._change = threading.Condition()  # of all that is below; held while ids are written
        self._awaited: Dict[int, _Awaited] = {}
        self._asked: Dict[int, int] = {}  # numbers by the lines of this connection
        self._next = 0
        self._lines = 0
        self._connection: Optional[_http.Connection] = None
        self._thread: Optional[threading.Thread] = None
        self._closed = False

    def add(self, jobs: Sequence[_Awaited]) -> None:
        """Waits for these, too."""
        if not jobs:
            return
        with self._change:
            numbers = range(self._next, self._next + len(jobs))
            self._next += len(jobs)
            self._awaited.update(zip(numbers, jobs))
            self._change.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="troupe-results", daemon=True)
                self._thread.start()
            elif self._connection is not None:
                try:
                    self._ask(self._connection, numbers)
                except OSError:
                    self._connection.close()  # which its reader notices

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        connection = self._connection
        if connection is not None:
            connection.close()
        with self._change:
            self._change.notify_all()

    def _ask(self, connection: _http.Connection, numbers: Iterable[int]) -> None:
        ids = []
        for number in numbers:
            ids.append(encode_json(self._awaited[number][0].job_id) + "\n")
            self._asked[self._lines] = number
            self._lines += 1
        if ids:
            connection.send_chunk("".join(ids).encode())

    def _run(self) -> None:
        trouble = _http.Trouble(self._client.patience)
        while True:
            with self._change:
                self._change.wait_for(lambda: self._awaited or self._closed)
            if self._closed:
                return
            try:
                self._listen(self._client._connect(), trouble)
            except (OSError, ValueError, Refused) as error:
                away = isinstance(error, _http.Unreachable)  # has been waited for already
                if not self._closed and (away or not trouble.pause()):
                    self._give_up(error)
                    trouble.over()

    def _listen(self, connection: _http.Connection, trouble: _http.Trouble) -> None:
        """Takes results until the connection breaks."""
        try:
            connection.send(connection.head("POST", "/v1/jobs/results", LINES_TYPE, None))
            with self._change:
                self._connection = connection
                self._asked, self._lines = {}, 0
                self._ask(connection, list(self._awaited))
            answer = connection.answer(SILENCE_SECONDS)
            if answer.status >= 400:
                raise _http.refused(answer, connection.body(answer))
            for lines in _http.whole_lines(connection.pieces(answer)):
                trouble.over()
                for line in lines:
                    if line:
                        self._on(json.loads(line))
            raise ConnectionResetError("the scheduler ended the stream of results")
        finally:
            connection.close()  # before the lock is taken, which a writer may hold
            with self._change:
                self._connection = None

    def _on(self, line: Dict[str, Any]) -> None:
        future, submission = self._awaited.pop(self._asked.pop(int(line["index"])))
        lost = line.get("error", {}).get("code") == "JOB_NOT_FOUND"
        if lost and submission is not None and submission.again and not future.done():
            log.info("The scheduler has lost job %s: it is submitted again", future.job_id)
            self._client._submissions.add(submission)
        elif lost:
            future._fail(Refused(str(line["error"].get("message")), 404, "JOB_NOT_FOUND"))
        else:
            future._end(line)

    def _give_up(self, error: BaseException) -> None:
        with self._change:
            lost = list(self._awaited.values())
            self._awaited.clear()
        for future, _ in lost:
            future._fail(error)
