"""Stands for a worker that a fork server forks: ``python -I -S forked.py SOCKET``; see ``forks.py``.

Ends as the worker ends, by the same code or signal; when this process is killed, so is the worker. Imports nothing that takes time.
"""

import _signal as signal
import _socket as socket
import marshal
import os
import resource
import sys

EXIT_LOST = 75
LENGTH = 8
LIMITS = ("RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE")


def say(connection, message, descriptors=b""):
    """Sends a message, and descriptors with its first bytes."""
    data = marshal.dumps(message)
    head = b"%8d" % len(data)
    if descriptors:
        connection.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    else:
        connection.sendall(head)
    connection.sendall(data)


def hear(connection):
    """The next message; EOFError when there is none."""
    return marshal.loads(take(connection, int(take(connection, LENGTH))))


def take(connection, wanted):
    """So many bytes."""
    data = b""
    while len(data) < wanted:
        part = connection.recv(wanted - len(data))
        if not part:
            raise EOFError("the other side has ended")
        data += part
    return data


def main():
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(sys.argv[1])
        order = {
            "environment": dict(os.environ),
            "folder": os.getcwd(),
            "nice": os.nice(0),
            "limits": {name: resource.getrlimit(getattr(resource, name)) for name in LIMITS},
        }
        say(connection, order, b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2)))
        answer = hear(connection)
        if "pid" in answer:
            for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                signal.signal(ignored, signal.SIG_IGN)  # the worker gets them, too
            for descriptor in (0, 1, 2):
                os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)  # only the worker keeps the pipes open
            answer = hear(connection)
        elif "text" in answer:
            sys.stderr.write(answer["text"])
            sys.stderr.flush()
    except (OSError, EOFError) as error:
        sys.stderr.write(f"troupe: the fork server does not answer: {error}\n")
        return EXIT_LOST
    code = answer["code"]
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main())
