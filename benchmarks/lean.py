"""An HTTP client of the job API that costs as little as can be: it shares the processors with what it measures.

It leaves out what it has no use for, never the work: every answer is read whole, every result decoded and put in its
place while the clock runs.
"""

import json
import socket
import threading

RECEIVE = 256 << 10
#: A map's arguments are written and sent in pieces of about so many bytes, while answers already come.
PIECE = 1 << 20
#: A map of no more arguments than FEW, in no more bytes than SMALL, is one request of a known length: its connection can be used again.
FEW = 1000
SMALL = 64 << 10
#: Texts from here on are looked at for what needs escapes, which takes a fraction of the time of reading or writing them with care:
#: workers do the same.
LONG = 16 << 10
ESCAPED = bytes(range(32)) + b'"\\'
RESULT = b'"result":"'
#: What an argument takes that is no text.
OTHER = 32
NDJSON = "application/x-ndjson"


class Broken(Exception):
    """The other side has closed the connection, or says what is no HTTP."""


class Refused(Exception):
    """An answer that is not the one hoped for."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:300].decode('utf-8', 'replace')}")
        self.status = status
        self.body = body


class Line:
    """A keep-alive connection; one thread at a time."""

    def __init__(self, address, timeout=120):
        self._address = address
        self._timeout = timeout
        self._host = f"{address[0]}:{address[1]}"
        self._connect()

    def _connect(self):
        self._socket = socket.create_connection(self._address, timeout=self._timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._over = False

    def _reconnect_if_over(self):
        """The last answer may have said that no other one will follow on its connection."""
        if self._over:
            self.close()
            self._connect()

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def head(self, method, path, length, content="application/json"):
        """No length: what follows comes in chunks."""
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {content}\r\n{framing}\r\n\r\n"
        ).encode()

    def send(self, data):
        self._socket.sendall(data)

    def _send_all(self, pieces):
        """As one, without a copy of them all."""
        sent = self._socket.sendmsg(pieces)
        for piece in pieces:
            if sent < len(piece):
                self._socket.sendall(memoryview(piece)[sent:])
            sent = max(0, sent - len(piece))

    def _receive(self):
        data = self._socket.recv(RECEIVE)
        if not data:
            raise Broken("the scheduler closed the connection")
        return data

    def _answer_head(self):
        """Status and header fields, the names in lower case, of the next answer."""
        while (end := self._rest.find(b"\r\n\r\n")) < 0:
            self._rest += self._receive()
        head, self._rest = self._rest[:end].lower(), self._rest[end + 4 :]
        self._over = b"\r\nconnection: close" in head
        return int(head[9:12]), head

    @staticmethod
    def _length(head):
        at = head.find(b"content-length:")
        if at < 0:
            return None
        return int(head[at + 15 :].split(b"\r\n", 1)[0])

    def answer(self):
        """Status and body, which can be read as bytes can, of the next answer."""
        status, head = self._answer_head()
        length = self._length(head)
        if length is None:
            return status, b"".join(self._pieces())
        if len(self._rest) < length:
            body = self._filled(self._rest, length)
            self._rest = b""
            return status, body
        body, self._rest = self._rest[:length], self._rest[length:]
        return status, body

    def _filled(self, begun, length):
        """So many bytes, of which these have come already."""
        body = bytearray(length)
        filled = len(begun)
        body[:filled] = begun
        view = memoryview(body)
        while filled < length:
            count = self._socket.recv_into(view[filled:])
            if not count:
                raise Broken("the scheduler closed the connection")
            filled += count
        view.release()
        return body

    def _pieces(self):
        """What a chunked body holds, as it comes."""
        while True:
            while (end := self._rest.find(b"\r\n")) < 0:
                self._rest += self._receive()
            length = int(self._rest[:end].split(b";")[0], 16)
            have = [self._rest[end + 2 :]]
            missing = length + 2 - len(have[0])
            if missing > RECEIVE:
                body = self._filled(have[0], length + 2)
                del body[length:]
                self._rest = b""
                yield body
                continue
            while missing > 0:
                have.append(self._receive())
                missing -= len(have[-1])
            data = b"".join(have)
            self._rest = data[length + 2 :]
            if not length:
                return
            yield data[:length]

    def ask(self, method, path, body=b"", content="application/json"):
        """Status and body, which can be read as bytes can, of the answer to a request."""
        self._reconnect_if_over()
        self._send_all([self.head(method, path, len(body), content), body])
        return self.answer()

    def get(self, path):
        """The JSON that is there."""
        status, body = self.ask("GET", path)
        if status != 200:
            raise Refused(status, body)
        return json.loads(body)

    def map(self, path, arguments):
        """Runs a job for each argument. Returns the lines of the answer as objects, in the order of the arguments."""
        if not arguments:
            return []
        self._reconnect_if_over()
        if len(arguments) <= FEW and sum(map(_size, arguments)) <= SMALL:
            lines = lines_of(arguments)
            self._send_all([self.head("POST", path, len(lines), NDJSON), lines])
            return self._answers(len(arguments))
        failures = []
        sender = threading.Thread(target=self._send_map, args=(path, arguments, failures), daemon=True)
        sender.start()
        try:
            answers = self._answers(len(arguments))
            sender.join()
            return answers
        except Broken:
            sender.join()  # it may be about to find out what is wrong
            if failures:
                raise failures[0] from None
            raise

    def _answers(self, wanted):
        status, _ = self._answer_head()
        if status != 200:
            raise Refused(status, b"".join(self._pieces()))
        answers = [None] * wanted
        count = 0
        rest = []
        for piece in self._pieces():
            end = piece.rfind(b"\n") + 1
            if not end:
                rest.append(piece)
                continue
            rest.append(memoryview(piece)[: end - 1])
            for answer in answers_of(b"".join(rest)):
                answers[answer["index"]] = answer
                count += 1
            rest = [piece[end:]]
        if count != wanted:
            raise Broken(f"{wanted} jobs were sent and {count} answers came")
        return answers

    def _send_map(self, path, arguments, failures):
        try:
            self.send(self.head("POST", path, None, NDJSON))
            for part in parts_of(arguments):
                piece = lines_of(part)
                self._send_all([b"%x\r\n" % len(piece), piece, b"\r\n"])
            self.send(b"0\r\n\r\n")
        except OSError:
            pass  # the reader says so
        except Exception as error:  # told by the reader, who hears no more
            failures.append(error)
            self._socket.shutdown(socket.SHUT_RDWR)

    def pipeline(self, requests, answered):
        """Sends requests without waiting for answers in between, which answered(status, body) gets in order."""
        data = b"".join(requests)
        sender = threading.Thread(target=self._socket.sendall, args=(data,), daemon=True)
        sender.start()
        for _ in requests:
            answered(*self.answer())
        sender.join()

    def submit(self, path, payloads):
        """A job for each payload, without waiting in between. Returns what the scheduler said of each, once all are accepted."""
        said = []

        def answered(status, body):
            if status != 202:
                raise Refused(status, body)
            said.append(body)

        self.pipeline([self.head("POST", path, len(payload)) + payload for payload in payloads], answered)
        return said


def in_threads(address, work, count):
    """Runs work(line, number) in so many threads at once, each with a connection of its own; raises what one of them raised."""
    errors = []

    def run(number):
        try:
            with Line(address) as line:
                work(line, number)
        except Exception as error:  # told below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _size(argument):
    return len(argument) if isinstance(argument, str) else OTHER


def parts_of(arguments):
    """The arguments in lists that take about PIECE bytes each, as far as their texts tell."""
    start = size = 0
    for index, argument in enumerate(arguments):
        size += _size(argument)
        if size >= PIECE:
            yield arguments[start : index + 1]
            start, size = index + 1, 0
    if start < len(arguments):
        yield arguments[start:]


def lines_of(arguments):
    """A JSON text a line. Numbers and texts are written in one call for all of them."""
    if len(arguments) > 1 and all(type(argument) in (int, str) for argument in arguments):
        # In JSON a line end can only stand between two values, never in a text.
        text = json.dumps(arguments, separators=(",\n", ":"))
        return text[1:-1].replace(",\n", "\n").encode() + b"\n"
    return b"".join(map(_line_of, arguments))


def _line_of(argument):
    if type(argument) is str and len(argument) >= LONG and argument.isascii():
        text = argument.encode()
        if not any(map(text.__contains__, ESCAPED)):
            return b"".join((b'"', text, b'"\n'))
    return json.dumps(argument).encode() + b"\n"


def answers_of(lines):
    """The objects of these lines, which have no end after the last."""
    answers = []
    start = 0
    while start < len(lines):
        end = lines.find(b"\n", start)
        end = end if end >= 0 else len(lines)
        if end - start < LONG:
            # One call for all of them costs a fraction of one for each.
            return answers + json.loads(b"[" + lines[start:].replace(b"\n", b",") + b"]")
        answers.append(_answer_of(lines, start, end))
        start = end + 1
    return answers


def _answer_of(lines, start, end):
    text = lines.find(RESULT, start, end) + len(RESULT)
    if text > start + len(RESULT) and lines.find(b'"', text, end) == end - 2 and lines.find(b"\\", text, end) < 0:
        answer = json.loads(lines[start : text - 1] + b"null}")
        answer["result"] = str(memoryview(lines)[text : end - 2], "utf-8")
        return answer
    return json.loads(lines[start:end])
