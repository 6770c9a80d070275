"""What the benchmark computes, prints and draws, and what the chaos run calls a violation."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest
import xml.dom.minidom
from http import server
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import benchmark
import chart
import lean
import musts
import processes
import report
import soak
from chaos import ledger, verdict
from peers import troupe_java


def line(peer, measure, value, **more):
    return {"peer": peer, "measure": measure, "value": value, "unit": "", **more}


class MustsTest(unittest.TestCase):
    def verdict_of(self, what, lines):
        return [row.verdict() for row in musts.rows(musts.Figures(lines)) if row.what.startswith(what)]

    def test_medians_are_compared_not_single_runs(self):
        ray = [line("ray", "kib", rate) for rate in (2000, 1000, 9000)]
        self.assertEqual(self.verdict_of("1 KiB", [*ray, line("troupe", "kib", 30_000)]), ["met"])
        self.assertEqual(self.verdict_of("1 KiB", [*ray, line("troupe", "kib", 29_999)]), ["NOT MET"])

    def test_what_was_not_measured_is_neither_met_nor_missed(self):
        self.assertEqual({row.verdict() for row in musts.rows(musts.Figures([]))}, {"not measured"})
        self.assertEqual(self.verdict_of("1 KiB", [line("troupe", "kib", 30_000)]), ["not measured"])

    def test_latency_must_be_a_third_of_rays(self):
        ray = line("ray", "latency_p50", 1.5)
        self.assertEqual(
            self.verdict_of("one at a time, memory, p50", [ray, line("troupe", "latency_p50", 0.5)]), ["met"]
        )
        self.assertEqual(
            self.verdict_of("one at a time, memory, p50", [ray, line("troupe", "latency_p50", 0.51)]), ["NOT MET"]
        )

    def test_one_bad_kill_of_many_is_a_miss(self):
        good = {"failed": 0, "lost": 0, "ran_twice": 0, "replaced_after": 0.2}
        lines = [line("troupe", "kill", 5.1, **good), line("troupe-store", "kill", 5.1, **good)]
        self.assertEqual(self.verdict_of("SIGKILL", lines), ["met", "met"])
        lines.append(line("troupe", "kill", 5.1, **{**good, "ran_twice": 1, "replaced_after": None}))
        self.assertEqual(self.verdict_of("SIGKILL", lines), ["NOT MET", "NOT MET"])


class SoakTest(unittest.TestCase):
    @staticmethod
    def looks(*mib, threads=30):
        return [
            {"processes": {"scheduler": {"mib": each, "threads": threads, "files": 40}}, "store": 20} for each in mib
        ]

    def test_what_stays_what_it_was_is_no_trouble(self):
        self.assertEqual(soak.grown(self.looks(100, 200, 220, 210, 230, 226)), [])

    def test_memory_that_grows_is_told(self):
        self.assertEqual(
            soak.grown(self.looks(100, 200, 220, 260, 300, 340)),
            ["mib of the scheduler: 220 at first, 340 in the end"],
        )

    def test_threads_files_and_stores_that_grow_are_told(self):
        looks = [*self.looks(100, 100, 100, 100), *self.looks(100, threads=60)]
        looks[-1]["processes"]["scheduler"]["files"] = 90
        looks[-1]["store"] = 500
        self.assertEqual([words.split(":")[0] for words in soak.grown(looks)], [
            "threads of the scheduler",
            "files of the scheduler",
            "MiB of the store",
        ])


class ReportTest(unittest.TestCase):
    LINES = [
        line("troupe", "noop", 90_000.0),
        line("ray", "noop", 2016.0),
        line("ray", "latency_p50", 1.54),
        line("ray", "kill", 5.5, failed=0, lost=0, ran_twice=0, replaced_after=0.41),
        line("ray", "queue", 2052.0, jobs=100_000, submitted_per_second=18_978, pss=[400, 500, 600]),
        {"peer": "ray", "settings": "as delivered", "versions": {"ray": "2"}},
        {"peer": "dask", "measure": "noop", "error": "no such thing"},
    ]

    def text(self, part, *arguments):
        return "\n".join(part(*arguments))

    def test_a_table_has_a_column_for_each_peer_and_no_empty_rows(self):
        text = self.text(report.medians, musts.Figures(self.LINES))
        self.assertRegex(text, r"no-op batch, jobs/s +90,000 +2,016\n")
        self.assertRegex(text, r"p50 ms +– +1.54\n")
        self.assertNotIn("1 KiB", text)

    def test_kills_queues_settings_versions_and_errors_are_told(self):
        figures = musts.Figures(self.LINES)
        self.assertRegex(self.text(report.kills, figures), r"ray +0 +0 +0 +0.41")
        self.assertRegex(self.text(report.queues, figures), r"ray +100,000 +18,978 +2,052 +400 → 500 → 600")
        self.assertIn(
            "ray: as delivered\nversions: ray 2\nnot measured: dask, noop: no such thing",
            self.text(report.about, self.LINES),
        )
        self.assertRegex(self.text(report.reached, figures), r"≥ 20 × ray \(2,016\) +90,000 jobs/s +44.6 × +met")

    def test_the_picture_is_well_formed_and_bars_grow_with_the_logarithm(self):
        picture = xml.dom.minidom.parseString(chart.draw(musts.Figures(self.LINES), "a < b"))
        widths = [
            float(bar.getAttribute("width"))
            for bar in picture.getElementsByTagName("rect")
            if bar.getAttribute("height") == str(chart.BAR)
        ]
        ours, rays = widths[:2]
        self.assertEqual(len(widths), 5)
        self.assertAlmostEqual(ours / rays, math.log10(90) / math.log10(2.016), 1)
        self.assertEqual(chart.decades([2016, 90_000]), (3, 5))
        self.assertEqual(chart.decades([]), (0, 1))


class OptionsTest(unittest.TestCase):
    def test_names_are_taken_in_the_known_order_and_unknown_ones_refused(self):
        parse = benchmark.some_of(["a", "b", "c"])
        self.assertEqual(parse("c,a"), ["a", "c"])
        with self.assertRaisesRegex(Exception, "x is none of a, b, c"):
            parse("a,x")

    def test_one_that_is_stopped_says_where_its_figures_are_and_leaves_nothing_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            words = ["compare", "--peers", "executor", "--only", "noop", "--repetitions", "50", "--dir", folder]
            command = [sys.executable, "-B", benchmark.__file__, *words]
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as stopped:
                self.assertIn("executor, 1 of 50", stopped.stderr.readline())
                stopped.send_signal(signal.SIGINT)
                self.assertEqual(
                    stopped.stderr.read(), f"benchmark: stopped; what has been measured is in {folder}\n"
                )
            self.assertEqual(stopped.returncode, 130)
            until = time.monotonic() + 10  # what was killed may take a moment
            while processes.with_environment("BENCHMARK_WORK", folder) and time.monotonic() < until:
                time.sleep(0.01)
            self.assertEqual(processes.with_environment("BENCHMARK_WORK", folder), [])

    def test_help_names_the_verbs_that_a_user_has(self):
        text = benchmark.parser().format_help()
        for verb in ("figures", "compare", "chaos", "queued"):
            self.assertIn(f"\n    {verb} ", text)
        self.assertNotRegex(text, r"(?m)^ +all\b")

    def test_a_missed_must_is_exit_code_1_and_what_was_not_measured_is_not_missed(self):
        ray = line("ray", "kib", 2000)
        self.assertEqual(benchmark.exit_code(musts.Figures([ray, line("troupe", "kib", 30_000)])), 0)
        self.assertEqual(benchmark.exit_code(musts.Figures([ray, line("troupe", "kib", 29_000)])), 1)


class LeanTest(unittest.TestCase):
    def serve(self, *pieces):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def answer():
            connection, _ = server.accept()
            with connection:
                self.heard = connection.recv(1 << 16)
                for piece in pieces:
                    connection.sendall(piece)
                # To close on what has not been read would take the answer back.
                connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(1 << 16):
                    self.heard += more

        self.answering = threading.Thread(target=answer, daemon=True)
        self.answering.start()
        return lean.Line(server.getsockname(), timeout=10)

    HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def test_answers_of_a_map_are_put_in_their_places_however_the_stream_is_cut(self):
        lines = b'{"index":1,"id":"b","result":"y"}\n{"index":0,"id":"a","result":"x"}\n'
        for cut in range(1, len(lines)):
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (lines[:cut], lines[cut:]))
            stream = self.HEAD + chunks + b"0\r\n\r\n"
            with self.serve(stream[: cut + 30], stream[cut + 30 :]) as connection:
                answers = connection.map("/map", [1, 2])
            self.assertEqual([answer["result"] for answer in answers], ["x", "y"])

    def test_long_texts_of_answers_are_what_they_say(self):
        long = "x" * 300_000
        texts = [long, long + '"', "\\" + long, "\n" + long, long + "ü", '"result":"' + long, [long, 1]]
        lines = "".join(
            json.dumps({"index": index, "id": str(index), "result": text}, ensure_ascii=False, separators=(",", ":")) + "\n"
            for index, text in enumerate(texts)
        ).encode()
        for size in (len(lines), 299_999, 70_000):
            chunks = [lines[start : start + size] for start in range(0, len(lines), size)]
            stream = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
            with self.serve(self.HEAD, stream + b"0\r\n\r\n") as connection:
                answers = connection.map("/map", texts)
            self.assertEqual([answer["result"] for answer in answers], texts)

    def test_a_map_that_lacks_answers_is_an_error(self):
        stream = self.HEAD + b'15\r\n{"index":0,"id":"a"}\n\r\n0\r\n\r\n'
        with self.serve(stream) as connection, self.assertRaisesRegex(
            lean.Broken, "2 jobs were sent and 1 answers came"
        ):
            connection.map("/map", [1, 2])

    def test_a_map_sends_all_its_arguments_however_many_pieces_they_take(self):
        arguments = ["x" * 200_000, 7, *["y" * 400_000] * 4, "z"]
        lines = b"".join(b'{"index":%d,"id":"j%d"}\n' % (index, index) for index in range(len(arguments)))
        stream = self.HEAD + b"%x\r\n%s\r\n0\r\n\r\n" % (len(lines), lines)
        with self.serve(stream) as connection:
            self.assertEqual(len(connection.map("/map", arguments)), len(arguments))
        self.answering.join(10)
        head, body = self.heard.split(b"\r\n\r\n", 1)
        self.assertIn(b"Transfer-Encoding: chunked", head)
        text, sizes = b"", []
        while not sizes or sizes[-1]:
            size, body = body.split(b"\r\n", 1)
            sizes.append(int(size, 16))
            text, end, body = text + body[: sizes[-1]], body[sizes[-1] :][:2], body[sizes[-1] + 2 :]
            self.assertEqual(end, b"\r\n")
        self.assertEqual(body, b"")
        self.assertGreater(len(sizes), 2)
        self.assertEqual([json.loads(line) for line in text.splitlines()], arguments)

    def test_a_map_of_few_is_a_request_of_known_length_and_the_next_one_goes_over_the_same_connection(self):
        line = b'{"index":0,"id":"a","result":"x"}\n'
        answer = self.HEAD + b"%x\r\n%s\r\n0\r\n\r\n" % (len(line), line)
        with self.serve(answer, answer) as connection:
            self.assertEqual([connection.map("/map", ["é"])[0]["id"] for _ in range(2)], ["a", "a"])
        self.answering.join(10)
        self.assertEqual(self.heard.count(b"Content-Length: 9\r\n\r\n\"\\u00e9\"\n"), 2)

    def test_after_an_answer_that_says_so_the_next_request_goes_over_a_new_connection(self):
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)

        def answer():
            for _ in range(2):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")

        threading.Thread(target=answer, daemon=True).start()
        with lean.Line(listening.getsockname(), timeout=10) as connection:
            self.assertEqual([connection.get("/first"), connection.get("/second")], [{}, {}])

    def test_a_map_of_nothing_asks_nothing(self):
        with self.serve() as connection:
            self.assertEqual(connection.map("/map", []), [])

    def test_an_argument_that_json_cannot_say_is_raised_where_it_was_given(self):
        with self.serve() as connection, self.assertRaisesRegex(TypeError, "not JSON serializable"):
            connection.map("/map", [{1}])

    def test_arguments_become_lines_of_json_whatever_is_in_them(self):
        long = "x" * lean.LONG
        for arguments in ([1, 2, 3], ["a,\nb", "ü", ""], [[1, 2], {"a": "b"}], [1.5, None], [long], [long + "\n"], ['"ü' + long]):
            lines = lean.lines_of(arguments).decode().splitlines()
            self.assertEqual([json.loads(text) for text in lines], arguments)


class Forgetful(server.BaseHTTPRequestHandler):
    """A scheduler that counts the jobs of maps and of a client of its own, and has forgotten each one."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        line = b'{"index":0,"id":"first","result":7}\n'
        self.answer(200, line)

    def do_GET(self):
        if self.path.startswith("/v1/pools/"):
            self.server.succeeded += 1
            self.answer(200, b'{"succeeded":%d}' % self.server.succeeded)
        else:
            self.answer(404, b"{}")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    def log_message(self, *_):
        pass


class AuditTest(unittest.TestCase):
    def test_only_jobs_of_the_last_batch_are_looked_at(self):
        """Those of earlier ones may be forgotten by then."""
        http = server.ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)
        http.succeeded = 0
        threading.Thread(target=http.serve_forever, daemon=True).start()
        self.addCleanup(http.server_close)
        self.addCleanup(http.shutdown)
        with mock.patch.dict(os.environ, BENCHMARK_WORK=tempfile.gettempdir()):
            peer = troupe_java.Peer("memory")
        peer._cluster = types.SimpleNamespace(address=http.server_address)
        done = "import sys\nfor _ in sys.stdin: print('done', flush=True)"
        with lean.Line(http.server_address, timeout=10) as peer._line, subprocess.Popen(
            [sys.executable, "-c", done], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as peer._client:
            before = peer.succeeded()
            peer.run("whoami", [1])
            with self.assertRaisesRegex(lean.Refused, "404"):
                peer.audit(before, 1)
            before = peer.succeeded()
            self.assertEqual(peer.run("noop", [7]), [7])
            peer.audit(before, 1)


class VerdictTest(unittest.TestCase):
    GOOD = ["try k work 5", "accepted k j1", "start k r1 7 w", "end k r1", "outcome k j1 SUCCEEDED r1"]

    def violations(self, *lines):
        return verdict.violations([f"0.1 {words}" for words in lines])

    def test_a_job_that_ends_once_is_fine_also_when_it_ran_twice_before(self):
        self.assertEqual(self.violations(*self.GOOD), [])
        self.assertEqual(self.violations("try k work 5", "accepted k j1", "start k r0 7 w", *self.GOOD[2:]), [])

    def test_what_was_never_accepted_was_never_promised(self):
        self.assertEqual(self.violations("try k work 5", "start k r1 7 w"), [])

    def test_each_broken_promise_is_named(self):
        for changed, named in (
            ([*self.GOOD, "accepted k j2"], "one key made the jobs j1, j2"),
            (self.GOOD[:-1], "no outcome"),
            ([*self.GOOD, "outcome k j1 CANCELLED -"], "its outcome changed"),
            ([*self.GOOD, "start k r2 8 w"], "which run r2 had overtaken"),
            ([*self.GOOD[:3], self.GOOD[4]], "which never ended"),
            ([*self.GOOD[:4], "outcome k j1 FAILED -"], "did not raise, and failed"),
            ([*self.GOOD[:4], "outcome k j1 CANCELLED -"], "nobody had asked for that"),
            ([*self.GOOD[:4], "outcome k j1 DEAD -"], "given up after 1 of 5 attempts"),
            ([*self.GOOD[:4], "outcome k j1 MISSING -"], "accepted, and then MISSING"),
            (
                ["try k work 1", "accepted k j1", "start k r0 7 w", *self.GOOD[2:]],
                "attempts = 1, and it was started 2 times",
            ),
            (["try k fail 5", *self.GOOD[1:]], "it raised, and succeeded"),
            ([*self.GOOD, "try l work 1", "accepted l j1", "outcome l j1 DEAD -"], "one job for the keys k, l"),
            ([*self.GOOD, "refused k 500 oh no"], "k was refused: 500 oh no"),
        ):
            with self.subTest(named):
                self.assertTrue(any(named in each for each in self.violations(*changed)), self.violations(*changed))

    def test_a_ledger_keeps_all_that_came_before_its_end(self):
        with tempfile.TemporaryDirectory() as folder:
            path, name = os.path.join(folder, "s"), os.path.join(folder, "f")
            with subprocess.Popen([sys.executable, ledger.__file__, path, name], stdout=subprocess.PIPE) as book:
                book.stdout.readline()
                for number in range(300):
                    ledger.tell(path, "accepted", number, "j")
                book.terminate()
            with open(name, encoding="utf-8") as file:
                self.assertEqual([text.split()[2] for text in file], [str(number) for number in range(300)])


if __name__ == "__main__":
    unittest.main()
