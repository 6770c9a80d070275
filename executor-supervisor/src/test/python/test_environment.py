import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import wheels

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "main/python/troupe/environment.py"


class EnvironmentTest(unittest.TestCase):
    """Each test may begin with copies of environments that the script has made once for all, as each takes seconds."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.shared = pathlib.Path(folder.name)
        cls.wheels = cls.shared / "wheels"
        for name in ("tiny", "other"):
            wheels.make(cls.wheels, name)
        first = cls("made")
        first.folder, first.environments = cls.shared, cls.shared / "environments"
        #: Processes that were all started to make the same environment, and how they ended.
        cls.at_once = [first.start("tiny") for _ in range(4)]
        others = [first.start("other"), first.start("tiny", "other")]
        cls.ends = [first.end(process) for process in cls.at_once]
        for code, output in [*cls.ends, *map(first.end, others)]:
            first.assertEqual(0, code, output)
        first.doCleanups()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environments = self.folder / "environments"

    def with_those_made_before(self):
        shutil.copytree(self.shared / "environments", self.environments, symlinks=True)

    def start(self, *packages, most_bytes=1 << 40):
        text = "".join(package + "\n" for package in packages)
        number = len(list(self.folder.glob("requirements-*")))
        requirements = self.folder / f"requirements-{number}"
        requirements.write_text(text)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", SCRIPT],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={
                **os.environ,
                "TROUPE_ENVIRONMENTS": str(self.environments),
                "TROUPE_ENVIRONMENTS_SIZE": str(most_bytes),
                "TROUPE_REQUIREMENTS": str(requirements),
                "TROUPE_WHEELS": str(self.wheels),
                "TROUPE_ANSWER": str(requirements) + ".answer",
            },
        )
        process.answer = pathlib.Path(str(requirements) + ".answer")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.kill)
        return process

    def end(self, process):
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def made(self, *packages, **options):
        process = self.start(*packages, **options)
        code, output = self.end(process)
        self.assertEqual(0, code, output)
        return pathlib.Path(process.answer.read_text())

    def test_what_is_required_can_be_imported_there(self):
        self.environments = self.shared / "environments"
        path = self.made("tiny")
        found = subprocess.check_output([path / "bin/python", "-c", "import tiny; print(tiny.VALUE)"], text=True)
        self.assertEqual("42\n", found)
        self.assertEqual(0o700, self.environments.stat().st_mode & 0o777)

    def test_several_at_once_build_it_once_and_wait_for_it(self):
        self.assertEqual([0] * 4, [code for code, _ in self.ends], self.ends)
        self.assertEqual(1, len({process.answer.read_text() for process in self.at_once}))
        self.assertEqual(1, sum("making a virtual environment" in output for _, output in self.ends), self.ends)

    def test_another_content_is_another_environment_and_the_same_is_found_again(self):
        self.with_those_made_before()
        tiny = self.made("tiny")
        self.assertNotEqual(tiny, self.made("tiny", "other"))
        self.assertEqual(tiny, self.made("tiny"))

    def test_what_cannot_be_installed_ends_with_the_words_of_pip_and_leaves_nothing_that_counts(self):
        code, output = self.end(self.start("nowhere-to-be-found"))
        self.assertEqual(77, code)
        self.assertRegex(output.strip().splitlines()[-1], "ERROR: No matching distribution found for nowhere-to-be-found")
        self.assertEqual([], list(self.environments.glob("*/troupe-complete")))

    def test_a_folder_that_cannot_be_made_is_named(self):
        self.environments = self.wheels / "tiny-1.0-py3-none-any.whl/environments"
        code, output = self.end(self.start("tiny"))
        self.assertEqual(77, code)
        self.assertIn(f"environments cannot be kept in {self.environments}: Not a directory; set ", output)

    def test_the_rest_of_a_build_that_was_killed_is_built_anew(self):
        self.with_those_made_before()
        whole = self.made("tiny")
        (whole / "troupe-complete").unlink()
        (whole / "bin/python").unlink()
        killed = self.start("tiny")
        self.assertEqual("making a virtual environment\n", killed.stdout.readline())
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait(60)
        self.assertEqual(whole, self.made("tiny"))
        self.assertTrue((whole / "bin/python").exists())

    def test_over_the_size_those_go_that_were_used_longest_ago_and_that_nobody_uses(self):
        self.with_those_made_before()
        used, old, new = self.made("tiny"), self.made("other"), self.made("tiny", "other")
        for age, path in enumerate([new, old, used]):
            before = time.time() - 1000 * (age + 1)
            os.utime(path / "troupe-complete", (before, before))
        with open(str(used) + ".lock") as lock:
            fcntl.lockf(lock, fcntl.LOCK_SH)
            sizes = sum(int((path / "troupe-complete").read_text()) for path in (used, old, new))
            last = self.made("other==1.0", most_bytes=sizes)
            self.assertEqual([True, False, True, True], [path.exists() for path in (used, old, new, last)])
        again = self.made("tiny", "tiny==1.0", most_bytes=1)
        self.assertEqual([again], [path for path in self.environments.iterdir() if path.is_dir()])


if __name__ == "__main__":
    unittest.main()
