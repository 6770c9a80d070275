"""Serves the public functions of a module, or the methods of a class: ``python3 -m troupe.worker MODULE[:CLASS]``.

The executor that starts it says by the environment where its socket is. A job is a call of one function with
one argument; what the function returns is the result: JSON, or bytes as they are. ``async def`` runs on an event loop
that all jobs of the process share; what a generator yields is the result as a list, and can be read
meanwhile. An exception fails that job
only. One thread, one job at a time, in the order in which they come, unless the pool says ``concurrency``: see
``troupe/crew.py``. ``print`` goes to the worker's log.

``setup()`` of the module or class is called before the first job and ``teardown()`` when the process is told to end;
they are no jobs. A class is made once, without arguments.
"""

import faulthandler
import importlib
import json
import json.encoder
import json.scanner
import mmap
import os
import signal
import socket
import sys
import time
import traceback

from troupe import Cancelled, frames, parts, report
from troupe.functions import CO_COROUTINE, Functions, NoFunction, flags_of, plain
from troupe.printing import LinePrinter, Printer

# How the process ends; the executor does not start it again after those that cannot heal by themselves.
EXIT_USAGE = 64  # wrong command line or environment: cannot heal
EXIT_LOST = 75  # the executor closed the socket without a word
EXIT_SETUP = 75  # setup() raised: what it needs may be there another time
EXIT_PROTOCOL = 76  # what came over the socket is no frame
EXIT_MODULE = 78  # the module cannot be imported: cannot heal

#: Results wait for company no longer than this, and no more bytes of them than that.
FLUSH_AFTER_SECONDS = 0.001
FLUSH_BYTES = 64 << 10
RECEIVE_BYTES = 256 << 10
#: A function whose last call took longer than this is not begun while results of others wait.
QUICK_SECONDS = 0.0005
#: So much freed memory is kept at hand for the next job.
KEPT_BYTES = 16 << 20
TRACEBACK_LINES = 12
MESSAGE_CHARACTERS = 4000
OWN_FILES = ("worker.py", "functions.py", "crew.py", "parts.py")
#: Texts from here on are looked at for what needs escapes, which takes a fraction of the time of writing or reading them with care.
LONG_TEXT = 16 << 10
ESCAPED = bytes(range(32)) + b'"\\'


class Loop:
    """Runs what is asynchronous, one call at a time, on an event loop that is made when it is first needed."""

    def __init__(self):
        self._loop = None
        self._task = None
        self._unwanted = False
        self._stopped_by = ()  # asyncio.CancelledError, once asyncio is there

    def plain(self, function):
        """The function itself, or one that waits for the end of what it starts."""
        call, awaited = plain(function)
        return (lambda value: self.run(call(value))) if awaited else call

    def events(self):
        """The event loop itself."""
        if self._loop is None:
            import asyncio  # a worker without it shall start quickly

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            self._stopped_by = asyncio.CancelledError
        return self._loop

    def run(self, coroutine):
        """What the coroutine returns."""
        loop = self.events()
        self._unwanted = False
        self._task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(self._task)
        except self._stopped_by:
            if self._unwanted:
                raise Cancelled() from None
            raise
        finally:
            self._task = None

    def cancel(self):
        """Ends the running call, inside of which a signal came; False when none runs."""
        task = self._task
        if task is None:
            return False
        self._unwanted = True
        self._loop.call_soon_threadsafe(task.cancel)
        return True

    def close(self):
        """Ends what was started and not waited for."""
        if self._loop is not None and not self._loop.is_closed():
            import asyncio

            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


class Seat:
    """What the executor and this process tell each other besides frames, in memory they share; PROTOCOL.md has all of it.

    Word 0: id of the job that was begun last. The executor sets the others before it sends SIGINT. Word 1: id of the
    job to be cancelled. Word 2: id of the job that keeps finished results from being sent. Word 3: id of the job behind
    which others wait that are to be given back; word 4: id of the last of those.
    """

    def __init__(self, path, alone=True):
        """``alone``: its jobs run one after the other, and tell how far they are in the first place of the memory."""
        if path:
            with open(path, "r+b") as file:
                memory = mmap.mmap(file.fileno(), 0)
            if alone:
                report.attach(memory)
        else:
            memory = bytearray(report.TEXT)
        self.memory = memory
        self.words = memoryview(memory).cast("Q")


def json_encoder():
    """Writes compact JSON, of what JSON can say."""
    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def json_writer():
    """A function from an object to compact JSON in UTF-8; much quicker than json.dumps for small objects."""
    encoder = json_encoder()
    make = json.encoder.c_make_encoder
    if make is None:
        return lambda value: encoder.encode(value).encode("utf-8", "surrogatepass")
    markers = {}
    encode = make(
        markers, encoder.default, json.encoder.encode_basestring, None, ":", ",", False, False, False
    )
    join = "".join

    def write(value):
        if type(value) is str and len(value) >= LONG_TEXT and value.isascii():
            text = value.encode()
            if not any(map(text.__contains__, ESCAPED)):
                return b"".join((b'"', text, b'"'))
        try:
            return join(encode(value, 0)).encode("utf-8", "surrogatepass")
        except BaseException:
            markers.clear()
            raise

    return write


def json_reader():
    """A function from UTF-8 JSON to an object; much quicker than json.loads for small ones."""
    decoder = json.JSONDecoder()
    scan = decoder.scan_once

    def read(data):
        if len(data) >= LONG_TEXT and data[0] == 34 and data.find(b'"', 1) == len(data) - 1 and data.find(b"\\") < 0:
            return str(memoryview(data)[1:-1], "utf-8")  # what the scheduler lets through has no control characters in texts
        text = data.decode()
        try:
            value, end = scan(text, 0)
            if end == len(text):
                return value
        except StopIteration:
            pass
        return decoder.decode(text)

    return read


class Server:
    """Runs the jobs that come over a connected socket until the other side closes it or says SHUTDOWN."""

    def __init__(
        self, connection, functions, seat, loop, max_frame=frames.MAX_FRAME, max_result=None, blobs="", inline=None
    ):
        """``blobs`` is the beginning of the paths of files for results of more than ``inline`` bytes; without it there are none."""
        self._connection = connection
        self._functions = functions
        self._loop = loop
        self._seat = seat
        self._max_frame = max_frame
        self._max_result = max_result or max_frame - 16
        self._blobs = blobs
        self._inline = inline if blobs and inline else max_frame - 16
        self._running = 0
        self._cancelled = 0
        self._interrupted = False
        self._stopping = False
        self._unsent = []
        self._returned = []  # id of the last job that was given back; what comes up to there is not run
        self._marked = []

    def current(self):
        """Id of the job that runs; 0 when none does."""
        return self._running

    @property
    def stopping(self):
        """Whether the process was told to end."""
        return self._stopping

    # Signals: Python runs these between two steps of the main thread, so possibly inside the user's function.

    def on_interrupt(self, _signal, _frame):
        """SIGINT: does what the executor asks of the running job, if it is the one that it named: ends it, sends results or gives back jobs that wait behind it."""
        running, words = self._running, self._seat.words
        if not running or self._interrupted:
            return  # between two jobs, or in another one of these: results may just be on their way
        self._interrupted = True
        try:
            last = words[4]
            given_back = words[3] == running and last > max([running, *self._returned])
            if given_back:
                self._returned[:] = [last]
                self._unsent.append(frames.frame(frames.RETURNED, frames.JSON, last, b"", b""))
            if self._unsent and (given_back or words[2] == running):
                waiting = b"".join(self._unsent)
                self._unsent.clear()
                self._connection.sendall(waiting)
        except OSError:
            pass  # the loop will notice as well
        finally:
            self._interrupted = False
        if words[1] == running != self._cancelled:
            self._cancelled = running
            if not self._loop.cancel():
                raise Cancelled()

    def on_terminate(self, _signal, _frame):
        """SIGTERM: ends the process, with the user's ``finally`` blocks and exit handlers run."""
        self._stopping = True
        raise SystemExit(0)

    def print_by(self, printers, marked):
        """The printers through which jobs print, and the list of those whose marks have to be taken back."""
        self._marked = marked
        for printer in printers:
            printer.server = self

    def _unmark(self):
        while self._marked:
            try:
                self._marked.pop().unmark()
            except (OSError, ValueError):
                pass  # nobody reads any more

    def failure(self, error):
        """The bytes of an ERROR's name and payload."""
        kind, module = type(error).__qualname__, type(error).__module__
        if isinstance(error, Cancelled):
            name, message = b"cancelled", "cancelled"
        elif isinstance(error, NoFunction):
            name, kind, module, message = b"no-function", "LookupError", "builtins", str(error)
        else:
            name, message = b"raised", _text_of(error)
        stack = [entry for entry in traceback.extract_tb(error.__traceback__) if not _is_own(entry.filename)]
        lines = "".join(traceback.format_list(stack)).splitlines()[-TRACEBACK_LINES:]
        body = {
            "type": kind,
            "module": module,
            "message": message[:MESSAGE_CHARACTERS],
            "traceback": [line[:400] for line in lines],
        }
        arguments = _arguments_of(error)
        if arguments is not None:
            body["args"] = arguments
        return name, json.dumps(body).encode()

    def encode(self, value, write):
        """Content type and bytes of a result."""
        if isinstance(value, bytes):
            content, body = frames.BYTES, value
        elif isinstance(value, (bytearray, memoryview)):
            content, body = frames.BYTES, bytes(value)
        else:
            content, body = frames.JSON, write(value)
        if len(body) > self._max_result:
            raise ValueError(
                f"the result of {len(body)} bytes is over the limit of {self._max_result}: return less, or where it is"
            )
        if len(body) > self._inline:
            return content + frames.IN_FILE, self._write(body)
        return content, body

    def _write(self, body):
        """Writes a result to a file, whole or not at all; the file's path in bytes."""
        path = f"{self._blobs}-{os.getpid()}-{self.current()}"
        try:
            with open(path, "wb", buffering=0, opener=_for_own_use) as file:
                while body:
                    body = memoryview(body)[file.write(body) :]
        except BaseException:
            if os.path.exists(path):
                os.unlink(path)
            raise
        return os.fsencode(path)

    def path_of_parts(self):
        """Where what the running job yields goes; None when nobody could read it there."""
        return f"{self._blobs}-parts-{self.current()}" if self._blobs else None

    def receive_rest(self, rest):
        """What is left of the last chunk, and what has come since: at least the whole frame that it begins."""
        wanted = 0
        if len(rest) >= 4:
            wanted = frames.frame_size(frames.LENGTH.unpack_from(rest)[0], self._max_frame) - len(rest)
        if wanted <= RECEIVE_BYTES:
            data = self._connection.recv(RECEIVE_BYTES)
            return rest + data if data else b""
        buffer = bytearray(len(rest) + wanted)
        buffer[: len(rest)] = rest
        view = memoryview(buffer)
        filled = len(rest)
        while filled < len(buffer):
            count = self._connection.recv_into(view[filled:])
            if count == 0:
                return b""
            filled += count
        return bytes(buffer)

    def serve(self):
        """Returns when there will be no more jobs: whether the executor said so. Raises MalformedFrame when what comes is no frame."""
        # The hot loop: everything it needs is a local variable, and it makes no call it can do without.
        receive, send = self._connection.recv, self._connection.sendall
        functions, words, encode = self._functions, self._seat.words, self.encode
        unpack, pack, clock = frames.HEADER.unpack_from, frames.HEADER.pack, time.perf_counter
        read, write = json_reader(), json_writer()
        max_frame, max_result = self._max_frame, self._max_result
        JOB, RESULT, ERROR, JSON = frames.JOB, frames.RESULT, frames.ERROR, frames.JSON
        marked, unmark, returned = self._marked, self._unmark, self._returned
        rest, unsent, unsent_bytes, first_unsent = b"", self._unsent, 0, 0.0
        while True:
            data = self.receive_rest(rest) if rest else receive(RECEIVE_BYTES)
            if not data:
                return False
            position, end = 0, len(data)
            before = clock()
            while end - position >= 16:
                length, kind, content, name_length, ident = unpack(data, position)
                following = position + 4 + length
                if following > end and following - position <= max_frame:
                    break
                start = position + 16 + name_length
                if (
                    kind != JOB or content > 3 or start > following or following - position > max_frame
                    or returned and ident <= returned[0]
                ):
                    frames.check(kind, content, name_length, frames.frame_size(length, max_frame))
                    if kind == JOB:
                        position = following
                        continue
                    if kind == frames.SHUTDOWN:
                        if unsent:
                            send(b"".join(unsent))
                        return True
                    raise frames.MalformedFrame(f"a frame of type {kind} is not for a worker")
                try:
                    name = data[position + 16 : start]
                    entry = functions[name]
                    if unsent and entry[1]:
                        send(b"".join(unsent))
                        unsent.clear()
                    payload = data[start:following]
                    words[0] = self._running = ident
                    if content > 1:
                        content -= 2
                        with open(os.fsdecode(payload), "rb") as file:
                            payload = file.read()
                    value = entry[0](read(payload) if content == JSON else payload)
                    if value is None:
                        body, content = b"null", JSON
                    else:
                        content, body = encode(value, write)
                    self._running = 0
                    unsent.append(pack(12 + len(body), RESULT, content, 0, ident))
                    unsent.append(body)
                    unsent_bytes += 16 + len(body)
                except BaseException as error:  # also SystemExit: a job does not end the process
                    self._running = 0
                    words[0] = ident
                    if self._stopping:
                        raise
                    name, body = self.failure(error)
                    unsent.append(frames.frame(ERROR, JSON, ident, name, body))
                    unsent_bytes += 16 + len(name) + len(body)
                    entry = [None, True]
                if marked:
                    unmark()
                position = following
                now = clock()
                entry[1] = now - before > QUICK_SECONDS
                before = now
                if len(unsent) <= 2:  # the first one since the last time that all were sent
                    first_unsent, unsent_bytes = now, 16 + len(body)
                if now - first_unsent > FLUSH_AFTER_SECONDS or unsent_bytes > FLUSH_BYTES:
                    send(b"".join(unsent))
                    unsent.clear()
            if unsent:
                send(b"".join(unsent))
                unsent.clear()
            rest = data[position:] if position < end else b""


def keep_freed_memory():
    """Makes the C library keep some MiB that are freed, not give them back with each large payload, to be had page by page with the next.

    The GNU C library keeps twice as much as the largest block, of up to 32 MiB, that it has ever mapped and given back.
    This one is never touched, so it takes no memory itself.
    """
    bytes(KEPT_BYTES // 2)


def _is_own(file):
    """Whether it is a file of what runs the functions, which is nothing to tell their authors."""
    folder, name = os.path.split(os.path.abspath(file))
    return name in OWN_FILES and folder == os.path.dirname(os.path.abspath(__file__))


def _for_own_use(path, flags):
    return os.open(path, flags, 0o600)


def _text_of(error):
    try:
        return str(error)
    except Exception:  # the user's __str__ may raise too
        return "<an exception whose text cannot be had>"


def _arguments_of(error):
    """What the exception was made with, if JSON can say exactly that and it is not much."""
    try:
        text = json.dumps(error.args, allow_nan=False)
        if len(text) <= MESSAGE_CHARACTERS and tuple(json.loads(text)) == error.args:
            return list(error.args)
    except Exception:  # whatever the user has put into it
        pass
    return None


def _fail(code, line):
    print(f"troupe.worker: {line}", file=sys.stderr, flush=True)
    return code


def _module(name):
    """The module; raises what its code raises."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    return importlib.import_module(name.partition(":")[0].removesuffix(".py"))


def _home(name):
    """The module, or the one object of its class; raises what its code raises."""
    found, kind = _module(name), name.partition(":")[2]
    return getattr(found, kind)() if kind else found


def _forked(name, path):
    """Makes this process the server that workers are forked from; returns in each of those, with its environment."""
    from troupe import forks  # what most workers do without

    listener = forks.listen(path)
    try:
        _module(name)
    except BaseException as error:  # whatever the user's code does while it is imported
        stack = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        text = f"{stack}troupe.worker: module {name} cannot be imported: {_line_of(error)}\n"
        sys.stderr.write(text)
        raise SystemExit(forks.refuse(listener, EXIT_MODULE, text)) from None
    return forks.serve(listener, name)


def _explain(error):
    """Prints the stack and returns the last line of it, with the place."""
    traceback.print_exception(type(error), error, error.__traceback__)
    return _line_of(error)


def _line_of(error):
    frames_of_user = traceback.extract_tb(error.__traceback__)
    where = f" ({frames_of_user[-1].filename}:{frames_of_user[-1].lineno})" if frames_of_user else ""
    return f"{type(error).__name__}: {_text_of(error)}{where}"


def _own(home, name, loop):
    """Calls setup() or teardown(), if there is such a function."""
    function = getattr(home, name, None)
    if callable(function):
        if flags_of(function) & CO_COROUTINE:
            loop.run(function())
        else:
            function()


def main(arguments=None, environment=os.environ):
    """Runs one worker; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or arguments[0].startswith("-"):
        return _fail(EXIT_USAGE, "usage: python3 -m troupe.worker MODULE[:CLASS]")
    if environment.get("TROUPE_FORKS"):
        try:
            environment = _forked(arguments[0], environment["TROUPE_FORKS"])
        except (OSError, ValueError) as error:
            return _fail(EXIT_LOST, f"it cannot be forked: {error}")
    path, token = environment.get("TROUPE_SOCKET"), environment.get("TROUPE_TOKEN")
    if not path or token is None:
        return _fail(
            EXIT_USAGE, "TROUPE_SOCKET and TROUPE_TOKEN are not set: it is started by an executor"
        )
    keep_freed_memory()
    faulthandler.enable()
    if environment.get("TROUPE_STACKS"):
        stacks = open(environment["TROUPE_STACKS"], "ab", buffering=0)  # open as long as the process lives
        faulthandler.register(signal.SIGQUIT, stacks, all_threads=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGQUIT])  # a Java parent leaves it blocked
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # the pipe that was there is none of the user's business
    width = int(environment.get("TROUPE_CONCURRENCY") or 1)
    marked = []
    if width > 1:
        from troupe import crew  # what most workers do without

        printers = [LinePrinter(descriptor, crew.current) for descriptor in (1, 2)]
    else:
        printers = [Printer(descriptor, marked) for descriptor in (1, 2)]
    sys.stdout = sys.__stdout__ = printers[0]
    sys.stderr = sys.__stderr__ = printers[1]
    try:
        home = _home(arguments[0])
    except BaseException as error:  # whatever the user's code does while it is imported
        return _fail(EXIT_MODULE, f"module {arguments[0]} cannot be imported: {_explain(error)}")
    loop = Loop()
    try:
        _own(home, "setup", loop)
    except BaseException as error:
        return _fail(EXIT_SETUP, f"setup() of {arguments[0]} failed: {_explain(error)}")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError as error:
        return _fail(EXIT_PROTOCOL, f"no executor listens at {path}: {error.strerror}")
    max_frame = int(environment.get("TROUPE_MAX_FRAME") or frames.MAX_FRAME)
    max_result = int(environment.get("TROUPE_MAX_RESULT") or 0)
    functions = Functions(home, f"module {arguments[0].removesuffix('.py')}", loop.plain if width == 1 else plain)
    seat = Seat(environment.get("TROUPE_SEAT"), width == 1)
    server = Server(
        connection,
        functions,
        seat,
        loop,
        max_frame,
        max_result,
        environment.get("TROUPE_BLOBS", ""),
        int(environment.get("TROUPE_INLINE_RESULT") or 0),
    )
    parts.attach(server.path_of_parts, json_encoder().encode)
    if width == 1:
        server.print_by(printers, marked)
        jobs = server
    else:
        codecs = lambda: (json_reader(), json_writer())
        jobs = crew.Crew(server, connection, functions, seat, loop, width, max_frame, codecs, printers)
    signal.signal(signal.SIGINT, server.on_interrupt)
    signal.signal(signal.SIGTERM, server.on_terminate)
    hello = {
        "protocol": frames.VERSION,
        "pid": os.getpid(),
        "token": token,
        "python": "%d.%d.%d" % sys.version_info[:3],
        "concurrency": width,
    }
    for name in ("TROUPE_TOKEN", "TROUPE_SOCKET", "TROUPE_SEAT", "TROUPE_STACKS", "TROUPE_CONCURRENCY"):
        os.environ.pop(name, None)  # children have no business with them
    try:
        connection.sendall(frames.frame(frames.HELLO, frames.JSON, 0, b"", json.dumps(hello).encode()))
        told = jobs.serve()
    except frames.MalformedFrame as error:
        return _fail(EXIT_PROTOCOL, f"the executor sent what is no frame: {error}")
    except (BrokenPipeError, ConnectionResetError):
        told = False
    finally:
        try:
            _own(home, "teardown", loop)
            loop.close()
        except BaseException as error:  # the process ends all the same
            print(f"troupe.worker: teardown() failed: {_explain(error)}", file=sys.stderr, flush=True)
    return 0 if told else _fail(EXIT_LOST, "the executor is gone, or wants nothing more of this process")


if __name__ == "__main__":
    sys.exit(main())
