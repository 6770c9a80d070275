"""HTTP/1.1 to the scheduler, as much as its client needs and http.client cannot do.

An answer can be read while the request is still being written, and many requests can be written before the
first answer is read.
"""

from __future__ import annotations

import io
import json
import os
import select
import socket
import ssl
import threading
import time
import urllib.parse
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from troupe.errors import Refused

CONNECT_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
BUFFER = 256 << 10
LONGEST_LINE = 64 << 10


class Address(NamedTuple):
    """Where the scheduler is, and what it is to be shown."""

    scheme: str
    host: str
    port: int
    token: Optional[str]

    @property
    def url(self) -> str:
        """As a user writes it."""
        host = "[%s]" % self.host if ":" in self.host else self.host
        return "%s://%s:%d" % (self.scheme, host, self.port)


def address(url: Optional[str], token: Optional[str]) -> Address:
    """The address by argument, by TROUPE_URL or by default; the token by argument or TROUPE_TOKEN."""
    text = url or os.environ.get("TROUPE_URL") or "http://127.0.0.1:7070"
    parts = urllib.parse.urlsplit(text)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not port:
        raise ValueError("%r is not an address such as http://127.0.0.1:7070" % text)
    return Address(parts.scheme, parts.hostname, port, token or os.environ.get("TROUPE_TOKEN"))


def quoted(text: str) -> str:
    """Fit for a part of a path or a query."""
    return urllib.parse.quote(text, safe="")


class Answer(NamedTuple):
    """The head of an answer, header names in lower case."""

    status: int
    headers: Dict[str, str]


class Connection:
    """One connection. One thread may write and another read at the same time."""

    def __init__(self, to: Address) -> None:
        self._to = to
        sock = socket.create_connection((to.host, to.port), CONNECT_SECONDS)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in (("TCP_KEEPIDLE", 20), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            if to.scheme == "https":
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=to.host)
        except BaseException:
            sock.close()
            raise
        self._wire: Any = _Tls(sock) if to.scheme == "https" else _Plain(sock)
        self._sock = sock
        self._in = io.BufferedReader(self._wire, BUFFER)

    def head(self, method: str, target: str, content_type: str, length: Optional[int]) -> bytes:
        """The head of a request; without a length the body comes in chunks."""
        host = "[%s]" % self._to.host if ":" in self._to.host else self._to.host
        lines = ["%s %s HTTP/1.1" % (method, target), "Host: %s:%d" % (host, self._to.port)]
        if self._to.token:
            lines.append("Authorization: Bearer " + self._to.token)
        if length is None:
            lines += ["Content-Type: " + content_type, "Transfer-Encoding: chunked"]
        elif length or method == "POST":
            lines += ["Content-Type: " + content_type, "Content-Length: %d" % length]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii", "replace")

    def send(self, data: bytes) -> None:
        """Writes all of it."""
        self._wire.sendall(data)

    def send_chunk(self, data: bytes) -> None:
        """Writes one chunk of a body; an empty one ends it."""
        self._wire.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def answer(self, seconds: Optional[float] = None) -> Answer:
        """Reads the head of the next answer; waits so long for each piece of it."""
        self._wire.patience = seconds
        status = 100
        while status < 200:
            line = self._line().split(None, 2)
            if len(line) < 2 or not line[0].startswith(b"HTTP/1.") or not line[1].isdigit():
                raise ConnectionError("what answers at %s is no scheduler" % self._to.url)
            status = int(line[1])
            headers = {}
            while True:
                text = self._line().decode("latin-1")
                if not text:
                    break
                name, _, value = text.partition(":")
                headers[name.strip().lower()] = value.strip()
        return Answer(status, headers)

    def body(self, answer: Answer) -> bytes:
        """Reads the whole body of an answer."""
        return b"".join(self.pieces(answer))

    def pieces(self, answer: Answer) -> Iterator[bytes]:
        """The body of an answer as it comes. An end before the end is a ConnectionError."""
        if answer.headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                left = int(self._line().split(b";")[0], 16)
                if left == 0:
                    while self._line():
                        pass
                    return
                while left:
                    piece = self._in.read1(min(left, BUFFER))
                    if not piece:
                        raise ConnectionResetError("the scheduler closed the connection")
                    left -= len(piece)
                    yield piece
                self._line()
        left = int(answer.headers.get("content-length", "0"))
        while left:
            piece = self._in.read1(min(left, BUFFER))
            if not piece:
                raise ConnectionResetError("the scheduler closed the connection")
            left -= len(piece)
            yield piece

    def _line(self) -> bytes:
        line = self._in.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the scheduler closed the connection")
        return line.rstrip(b"\r\n")

    def close(self) -> None:
        """Ends it; a thread that reads or writes gets an OSError or an end. Any thread, more than once."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._sock.close()


class _Plain(io.RawIOBase):
    """A socket whose reading may be given a time limit that its writing does not have."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(None)
        self._sock = sock
        self.patience: Optional[float] = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.patience is not None:
            _await(self._sock, select.POLLIN, self.patience)
        return self._sock.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        self._sock.sendall(data)


class _Tls(_Plain):
    """The same with TLS, whose state only one thread may touch at a time."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        sock.setblocking(False)
        self._lock = threading.Lock()

    def readinto(self, buffer: Any) -> int:
        while True:
            try:
                with self._lock:
                    return self._sock.recv_into(buffer)
            except ssl.SSLWantReadError:
                _await(self._sock, select.POLLIN, self.patience)
            except ssl.SSLWantWriteError:
                _await(self._sock, select.POLLOUT, self.patience)

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                with self._lock:
                    rest = rest[self._sock.send(rest) :]
            except ssl.SSLWantReadError:
                _await(self._sock, select.POLLIN, None)
            except ssl.SSLWantWriteError:
                _await(self._sock, select.POLLOUT, None)


def _await(sock: socket.socket, what: int, seconds: Optional[float]) -> None:
    poll = select.poll()
    poll.register(sock, what)
    if not poll.poll(None if seconds is None else max(0, seconds) * 1000):
        raise socket.timeout("the scheduler at the other end is silent")


class Trouble:
    """How long to wait before the next try, until patience ends."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._until: Optional[float] = None
        self._next = FIRST_PAUSE_SECONDS

    def over(self) -> None:
        """It works again."""
        self._until, self._next = None, FIRST_PAUSE_SECONDS

    def pause(self, answer: Optional[Answer] = None) -> bool:
        """Waits, as long as the answer says or longer each time; False when patience is at an end."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._patience
        seconds = self._next
        self._next = min(LONGEST_PAUSE_SECONDS, 2 * self._next)
        if answer is not None and answer.headers.get("retry-after", "").isdigit():
            seconds = float(answer.headers["retry-after"])
        if now + seconds > self._until:
            return False
        time.sleep(seconds)
        return True


class Unreachable(ConnectionError):
    """Nobody answers, and patience is at an end."""


def unreachable(to: Address, error: OSError) -> Unreachable:
    """The same in one line with what to do."""
    return Unreachable(
        "no scheduler answers at %s (%s): start one with 'bin/troupe local up', or say where it is with url= or"
        " TROUPE_URL" % (to.url, error)
    )


def refused(answer: Answer, body: bytes) -> Refused:
    """What an answer that is an error says."""
    if answer.status == 401:
        return Refused("the scheduler wants a token: set TROUPE_TOKEN", 401, "UNAUTHORIZED")
    try:
        error = json.loads(body)["error"]
        return Refused(str(error["message"]), answer.status, str(error["code"]))
    except (ValueError, KeyError, TypeError):
        text = body.decode("utf-8", "replace").strip().split("\n")[0][:300]
        return Refused("the scheduler answered %d %s" % (answer.status, text), answer.status)


def whole_lines(pieces: Iterator[bytes]) -> Iterator[List[bytes]]:
    """The lines of a stream as they come, without their ends."""
    rest: List[bytes] = []
    for piece in pieces:
        cut = piece.rfind(b"\n")
        if cut < 0:
            rest.append(piece)
            continue
        rest.append(piece[:cut])
        yield b"".join(rest).split(b"\n")
        rest = [piece[cut + 1 :]] if cut + 1 < len(piece) else []
