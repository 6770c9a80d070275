import json
import queue
import socket
import subprocess
import sys
import threading
import unittest
import urllib.parse

import troupe


class Scheduler:
    """Speaks HTTP as the scheduler does, as a script of the test: one handler gets each request."""

    def __init__(self, handler):
        self.handler = handler
        self.requests = queue.Queue()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.listener.getsockname()[1]

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        stream = connection.makefile("rwb")
        try:
            while self._one(connection, stream):
                pass
        except (OSError, ValueError):
            pass
        finally:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # gone already

    def _one(self, connection, stream):
        line = stream.readline().split()
        if not line:
            return False
        headers = {}
        while (text := stream.readline().strip()) != b"":
            name, _, value = text.decode().partition(":")
            headers[name.lower()] = value.strip()
        if "chunked" in headers.get("transfer-encoding", ""):
            stream.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            stream.flush()
            body = self._lines(stream)
        else:
            body = stream.read(int(headers.get("content-length", 0)))
        target = urllib.parse.urlsplit(line[1].decode())
        request = (line[0].decode(), target.path, dict(urllib.parse.parse_qsl(target.query)), body, headers)
        answer = self.handler(*request[:4])
        self.requests.put(request)
        if answer is None:
            return False
        if isinstance(answer, tuple):
            status, more, value = answer
            data = json.dumps(value).encode()
            head = "HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n" % (status, len(data), more)
            stream.write(head.encode() + data)
        else:
            if "chunked" not in headers.get("transfer-encoding", ""):
                stream.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in answer:
                data = (json.dumps(part) + "\n").encode()
                stream.write(b"%x\r\n%b\r\n" % (len(data), data))
                stream.flush()
            stream.write(b"0\r\n\r\n")
        stream.flush()
        return True

    @staticmethod
    def _lines(stream):
        while size := int(stream.readline(), 16):
            yield from stream.read(size).splitlines()
            stream.readline()

    def close(self):
        self.listener.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # gone already
            connection.close()


class ClientTest(unittest.TestCase):
    def client(self, handler, **options):
        self.scheduler = Scheduler(handler)
        self.addCleanup(self.scheduler.close)
        client = troupe.Client(self.scheduler.url, **options)
        self.addCleanup(client.close)
        return client

    def test_a_submission_that_was_not_answered_is_sent_again_with_its_key(self):
        keys = []

        def handler(method, path, query, body):
            if path == "/v1/jobs/results":
                return ({"index": i, "id": json.loads(line), "result": 7} for i, line in enumerate(body))
            keys.append(query["id"])
            return None if len(keys) == 1 else (202, "", {"id": "j-" + query["id"]})

        self.assertEqual(7, self.client(handler).submit("p", "f", 1).result(30))
        self.assertEqual(2, len(keys))
        self.assertEqual(keys[0], keys[1])

    def test_a_full_queue_is_asked_again_after_the_time_it_says(self):
        tries = []

        def handler(method, path, query, body):
            if path == "/v1/jobs/results":
                return ({"index": i, "id": json.loads(line), "result": None} for i, line in enumerate(body))
            tries.append(query["id"])
            full = (429, "Retry-After: 0\r\n", {"error": {"code": "QUEUE_FULL", "message": "full"}})
            return full if len(tries) <= 2 else (202, "", {"id": query["id"]})

        self.assertIsNone(self.client(handler).submit("p", "f").result(30))
        self.assertEqual(1, len(set(tries)))

    def test_a_queue_that_stays_full_is_told_when_patience_ends(self):
        def handler(method, path, query, body):
            return (429, "Retry-After: 5\r\n", {"error": {"code": "QUEUE_FULL", "message": "full up"}})

        with self.assertRaisesRegex(troupe.Refused, "full up"):
            self.client(handler, patience=1).submit("p", "f").result(30)

    def test_results_are_asked_for_again_when_the_connection_breaks(self):
        asked = []

        def handler(method, path, query, body):
            if path != "/v1/jobs/results":
                return 202, "", {"id": "j"}
            line = next(iter(body))
            asked.append(json.loads(line))
            return None if len(asked) == 1 else [{"index": 0, "id": "j", "result": [1]}]

        self.assertEqual([1], self.client(handler).submit("p", "f").result(30))
        self.assertEqual(["j", "j"], asked)

    def lost(self, **terms):
        """Submits a job that the scheduler forgets once; the keys of all submissions, and the future."""
        keys = []

        def handler(method, path, query, body):
            if path != "/v1/jobs/results":
                keys.append(query["id"])
                return 202, "", {"id": "j%d" % len(keys)}
            gone = {"error": {"code": "JOB_NOT_FOUND", "message": "There is no job 'j1'"}}
            return (
                {"index": i, **(gone if json.loads(line) == "j1" else {"result": "done"})} for i, line in enumerate(body)
            )

        return keys, self.client(handler).submit("p", "f", **terms)

    def test_a_job_that_the_scheduler_has_lost_is_submitted_again(self):
        keys, future = self.lost()
        self.assertEqual("done", future.result(30))
        self.assertEqual(2, len(keys))
        self.assertEqual(keys[0], keys[1])

    def test_a_job_with_one_attempt_is_not_submitted_again(self):
        keys, future = self.lost(attempts=1)
        with self.assertRaisesRegex(troupe.Refused, "There is no job 'j1'"):
            future.result(30)
        self.assertEqual(1, len(keys))

    def test_a_map_that_breaks_goes_on_with_what_was_not_answered(self):
        runs = []

        def handler(method, path, query, body):
            lines = iter(body)
            runs.append([json.loads(next(lines)) for _ in range(3 if not runs else 2)])
            if len(runs) == 1:
                return self.cut_after({"index": 1, "id": "a", "result": "first"})
            return ({"index": i, "id": "b", "result": "again %d" % value} for i, value in enumerate(runs[1]))

        results = self.client(handler).map("p", "f", [10, 11, 12])
        self.assertEqual(["again 10", "first", "again 12"], list(results))
        self.assertEqual([[10, 11, 12], [10, 12]], runs)

    def test_a_map_that_is_over_keeps_no_threads(self):
        results = self.client(self.echo).map("p", "f", [1, 2])
        self.assertEqual([1, 2], list(results))
        for thread in threading.enumerate():
            if thread.name.startswith("troupe-map"):
                thread.join(30)
                self.assertFalse(thread.is_alive(), thread.name)

    def test_a_program_ends_although_a_thread_of_a_map_dies_with_its_lock(self):
        program = """
import sys, threading, troupe
with troupe.Client(sys.argv[1]) as client:
    results = client.map("p", "f", [1])
    assert list(results) == [1]
dying = threading.Thread(target=results._run._change.acquire)
dying.start()
dying.join()
print("at the end", file=sys.stderr)
"""
        self.client(self.echo)
        done = subprocess.run(
            [sys.executable, "-c", program, self.scheduler.url], stderr=subprocess.PIPE, timeout=30, check=False
        )
        self.assertEqual((0, b"at the end\n"), (done.returncode, done.stderr))

    @staticmethod
    def echo(method, path, query, body):
        return ({"index": i, "id": "j", "result": json.loads(line)} for i, line in enumerate(body))

    @staticmethod
    def cut_after(line):
        yield line
        raise OSError("the scheduler was killed")

    def stream(self, *connections):
        """A stream whose connections say these lines, or that the scheduler is not ready, and whose result is [1, 2, 3]; it ends with the last one."""
        left = list(connections)

        def handler(method, path, query, body):
            if path == "/v1/jobs/results":
                return ({"index": i, "id": "j", "result": [1, 2, 3]} for i, _ in enumerate(body))
            if method == "GET":
                return self.chunks(lines) if (lines := left.pop(0)) else (503, "", {"error": {"code": "STARTING", "message": "wait"}})
            return 202, "", {"id": "j"}

        return self.client(handler).stream("p", "f")

    @staticmethod
    def chunks(lines):
        return [{"attempt": a, "index": i, "partial": v} for a, i, v in lines if a] + [{"id": "j"} for a, *_ in lines if not a]

    def test_what_a_job_yields_is_iterated_and_what_was_not_told_comes_from_its_result(self):
        self.assertEqual([1, 2, 3], list(self.stream([(1, 0, 1), (0, 0, 0)])))
        self.assertEqual([1, 2, 3], list(self.stream([(0, 0, 0)])))

    def test_a_stream_that_breaks_goes_on_where_it_was(self):
        self.assertEqual([1, 2, 3], list(self.stream([(1, 0, 1)], [(1, 0, 1), (1, 1, 2), (0, 0, 0)])))

    def test_a_scheduler_that_still_reads_its_jobs_is_asked_for_a_stream_again(self):
        self.assertEqual([1, 2, 3], list(self.stream([(1, 0, 1)], [], [(1, 0, 1), (1, 1, 2), (0, 0, 0)])))

    def test_another_attempt_is_told_and_begins_anew(self):
        stream = self.stream([(1, 0, 1), (1, 1, 2), (2, 0, 1)], [(2, 0, 1), (2, 1, 2), (2, 2, 3), (0, 0, 0)])
        self.assertEqual([1, 2], [next(stream), next(stream)])
        with self.assertRaisesRegex(troupe.StreamRestarted, "attempt 2 of job j"):
            next(stream)
        self.assertEqual([1, 2, 3], list(stream))

    def test_a_token_goes_with_each_request(self):
        client = self.client(lambda *_: (200, "", []), token="s3cret")
        self.assertEqual([], client.pools())
        self.assertEqual("Bearer s3cret", self.scheduler.requests.get(timeout=30)[4]["authorization"])


if __name__ == "__main__":
    unittest.main()
