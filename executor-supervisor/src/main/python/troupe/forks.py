"""Forks the workers of a pool with ``preload = true`` from one process that has imported their module.

The executor starts ``python3 -m troupe.worker MODULE`` once with TROUPE_FORKS, the path of a socket; that process imports the module
and becomes the fork server here. For each worker it starts ``forked.py``, which stands for the worker where the executor looks: it has
the session, the pipes, the limits and the end of it. That one hands all this over the socket; the server forks, and the child goes on
in ``troupe.worker`` as if it had been started so.

When ``forked.py`` ends, the server kills its child with the child's session; when the server ends, the kernel kills all children, and
each ``forked.py`` ends with EXIT_LOST, so that the workers are started again, by another server.
"""

import ctypes
import gc
import marshal
import os
import resource
import selectors
import signal
import socket
import sys

from troupe import forked

EXIT_MODULE = 78
#: A server that could not import the module says so to all who come, until nobody has come for so long.
FAILED_FOR_SECONDS = 1
MESSAGE_SECONDS = 10
PR_SET_PDEATHSIG = 1
#: By these the processes of a worker are found, in the environment that the kernel shows. All have the length of the server's own.
MARKS = ("TROUPE_WORKER_MARK",)

_libc = ctypes.CDLL(None, use_errno=True)


class Marks:
    """Where the marks stand in the memory that the kernel shows as this process's environment."""

    def __init__(self):
        _libc.getenv.restype = ctypes.c_void_p
        self._places = {name: (_libc.getenv(name.encode()), len(os.environ.get(name, ""))) for name in MARKS}

    def become(self, environment):
        """Shows the marks of another environment."""
        for name, (place, length) in self._places.items():
            value = environment.get(name, "").encode()
            if not place or len(value) != length:
                raise ValueError(f"{name} has {len(value)} bytes instead of {length}")
            ctypes.memmove(place, value, length)


def threads():
    """How many threads this process has, Python's or others."""
    return len(os.listdir("/proc/self/task"))


class Server:
    """Forks whenever it is asked to; one thread."""

    def __init__(self, listener):
        self._pid = os.getpid()
        self._listener = listener
        self._marks = Marks()
        self._children = {}  # connections by pid
        self._events = selectors.DefaultSelector()
        told, self._teller = socket.socketpair()
        for each in (told, self._teller, listener):
            each.setblocking(False)
        self._told = told
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._teller.fileno(), warn_on_full_buffer=False)
        self._events.register(listener, selectors.EVENT_READ, self._accept)
        self._events.register(told, selectors.EVENT_READ, self._reap)
        self._events.register(0, selectors.EVENT_READ, self._gone)

    def serve(self):
        """Returns in each child, with nothing of the server left open: the environment it has from now on."""
        while True:
            for key, _ in self._events.select():
                child = key.data(key)
                if child is not None:
                    return child

    def _gone(self, _):
        if not os.read(0, 4096):
            raise SystemExit(0)  # and the kernel ends the children

    def _accept(self, _):
        connection, _ = self._listener.accept()
        connection.settimeout(MESSAGE_SECONDS)
        try:
            order, descriptors = receive(connection)
        except (OSError, EOFError, ValueError):
            connection.close()  # it has ended before it had said what it wanted
            return None
        try:
            pid = os.fork()
        except OSError as error:  # no room for one more: those that run go on, and who came may come again
            for descriptor in descriptors:
                os.close(descriptor)
            tell(connection, {"text": f"troupe.worker: cannot fork: {error.strerror}\n", "code": forked.EXIT_LOST})
            connection.close()
            return None
        if pid == 0:
            return self._become(order, descriptors, connection)
        for descriptor in descriptors:
            os.close(descriptor)
        self._children[pid] = connection
        self._events.register(connection, selectors.EVENT_READ, self._abandoned)
        tell(connection, {"pid": pid})
        return None

    def _become(self, order, descriptors, connection):
        os.setsid()
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._pid:
            raise ProcessLookupError("the fork server has ended meanwhile")
        environment = order["environment"]
        for folder in filter(None, environment.pop("TROUPE_GROUPS", "").split(":")):
            with open(os.path.join(folder, "cgroup.procs"), "w") as group:
                group.write("0")
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._events.close()
        for each in (self._told, self._teller, self._listener, connection, *self._children.values()):
            each.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        for name, limits in order["limits"].items():
            resource.setrlimit(getattr(resource, name), tuple(limits))
        os.nice(max(0, order["nice"] - os.nice(0)))
        os.chdir(order["folder"])
        self._marks.become(environment)
        os.environ.clear()
        os.environ.update(environment)
        return environment

    def _abandoned(self, key):
        """Who stands for a child has ended: so does the child."""
        pid = next((pid for pid, connection in self._children.items() if connection is key.fileobj), None)
        if pid is None:
            return  # both have ended, and the child was reaped in this very round of events
        self._events.unregister(key.fileobj)
        key.fileobj.close()
        kill(pid)

    def _reap(self, _):
        try:
            self._told.recv(4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            connection = self._children.pop(pid, None)
            if connection is not None and connection.fileno() >= 0:
                self._events.unregister(connection)
                tell(connection, {"code": os.waitstatus_to_exitcode(status)})
                connection.close()


def kill(pid):
    """SIGKILL for a child that has not been waited for, and for its session as far as that is one group."""
    for send in (os.killpg, os.kill):
        try:
            send(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it leads no group yet, or has ended


def tell(connection, message):
    """Tells ``forked.py`` something; that it is gone shows elsewhere."""
    try:
        forked.say(connection, message)
    except OSError:
        pass


def receive(connection):
    """What ``forked.py`` hands over: its order, and the descriptors of its standard streams."""
    head, descriptors, _, _ = socket.recv_fds(connection, forked.LENGTH, 3)
    try:
        head += forked.take(connection, forked.LENGTH - len(head))
        order = marshal.loads(forked.take(connection, int(head)))
        if len(descriptors) != 3:
            raise ValueError("its descriptors did not come")
        return order, descriptors
    except (OSError, EOFError, ValueError):
        for descriptor in descriptors:
            os.close(descriptor)
        raise


def listen(path):
    """Listens before the module is imported, so that those who come meanwhile wait."""
    if os.path.exists(path):
        os.unlink(path)
    with open(path + ".python", "w") as file:
        file.write(sys.executable)  # for forked.py, that it begins as quickly as can be
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(1024)
    return listener


def refuse(listener, code, text):
    """Tells all who come why there are no workers; the exit code."""
    listener.settimeout(FAILED_FOR_SECONDS)
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return code
        connection.settimeout(MESSAGE_SECONDS)
        try:
            for descriptor in receive(connection)[1]:
                os.close(descriptor)
        except (OSError, EOFError, ValueError):
            pass
        tell(connection, {"text": text, "code": code})
        connection.close()


def serve(listener, module):
    """The environment of a child, in that child; ends the process where threads make forks unsafe."""
    if threads() > 1:
        line = (
            f"troupe.worker: module {module} starts threads when it is imported, and a process with threads cannot be forked"
            " safely: start them in setup(), or leave out preload\n"
        )
        sys.stderr.write(line)
        raise SystemExit(refuse(listener, EXIT_MODULE, line))
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()  # so that the children share what there is
    return Server(listener).serve()
