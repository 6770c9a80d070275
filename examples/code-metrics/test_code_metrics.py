import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import metrics
import modules
import report


class MeasureTest(unittest.TestCase):
    def measure(self, source):
        with tempfile.NamedTemporaryFile("wb", suffix=".py") as file:
            file.write(source)
            file.flush()
            return metrics.measure(file.name)

    def test_counts_functions_classes_and_branches(self):
        result = self.measure(
            b"class A:\n"
            b"    def f(self, x):\n"
            b"        if x and x > 1:\n"
            b"            return [y for y in x]\n"
            b"        return 1 if x else 2\n"
            b"async def g():\n"
            b"    pass\n"
        )
        self.assertEqual((7, 2, 1, 4), tuple(result[key] for key in ("lines", "functions", "classes", "branches")))
        self.assertEqual({"name": "f", "lines": 4}, result["longest"])

    def test_a_form_feed_does_not_end_a_line(self):
        self.assertEqual(2, self.measure(b"a = 1\n\x0cb = 2\n")["lines"])

    def test_an_empty_file_has_no_lines_and_no_longest_function(self):
        result = self.measure(b"")
        self.assertEqual(0, result["lines"])
        self.assertIsNone(result["longest"]["name"])

    def test_a_file_that_does_not_parse_is_a_result_that_says_why(self):
        self.assertIn("line 1", self.measure(b"print 'python 2'\n")["unparsable"])

    def test_null_bytes_and_doubtful_escapes_are_no_failures(self):
        self.assertIn("unparsable", self.measure(b"a = 1\x00"))
        self.assertEqual(1, self.measure(b"a = '\\d'\n")["lines"])

    def test_a_missing_file_is_a_failure(self):
        with self.assertRaises(FileNotFoundError):
            metrics.measure("/nowhere/at/all.py")


class ModulesTest(unittest.TestCase):
    def test_finds_modules_and_leaves_installed_packages_out(self):
        with tempfile.TemporaryDirectory() as root:
            for path in ("b.py", "a/c.py", "site-packages/d.py", "a/dist-packages/e.py", "f.txt"):
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                open(os.path.join(root, path), "w").close()
            os.symlink(os.path.join(root, "gone"), os.path.join(root, "broken.py"))
            found = [os.path.relpath(path, root) for path in modules.modules(root)]
        self.assertEqual(["b.py", os.path.join("a", "c.py")], found)


class ReportTest(unittest.TestCase):
    def test_the_last_line_is_the_summary_and_counts_only_workers_that_worked(self):
        parsed = {"path": "/lib/a.py", "lines": 3, "functions": 1, "classes": 0, "branches": 2}
        parsed["longest"] = {"name": "f", "lines": 2}
        workers = [
            {"jobs": 2, "agentId": "one"},
            {"jobs": 0, "agentId": "two"},
        ]
        with tempfile.TemporaryDirectory() as folder:
            results = os.path.join(folder, "results")
            with open(results, "w", encoding="utf-8") as file:
                for result in (parsed, {"path": "/lib/b/c.py", "unparsable": "no"}):
                    file.write(json.dumps({"index": 0, "id": "x", "result": result}) + "\n")
            names = os.path.join(folder, "workers")
            with open(names, "w", encoding="utf-8") as file:
                json.dump({"workers": workers}, file)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                report.main([results, names, "1.234", "--json"])
        lines = printed.getvalue().splitlines()
        self.assertIn("a.py", lines[1])
        self.assertEqual(
            {
                "modules": 2,
                "unparsable": 1,
                "lines": 3,
                "functions": 1,
                "classes": 0,
                "jobs": 2,
                "workers": 1,
                "agents": 1,
                "seconds": 1.23,
            },
            json.loads(lines[-1]),
        )


if __name__ == "__main__":
    unittest.main()
