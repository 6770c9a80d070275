import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from troupe import guard as sweeping

GUARD = pathlib.Path(__file__).resolve().parents[2] / "main/python/troupe/guard.py"


def mark(process):
    start = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    namespace = os.stat("/proc/self/ns/pid").st_ino
    return f"{process.pid}-{start}-{namespace}-test-{os.getpid()}"


def own_group():
    """This process's group for memory of version 1, if it is writable."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        group = pathlib.Path("/sys/fs/cgroup/memory" + path)
        if controllers == "memory" and os.access(group / "cgroup.procs", os.W_OK):
            return group
    return None


class GuardTest(unittest.TestCase):
    def sleeper(self, **environment):
        process = subprocess.Popen(["sleep", "600"], env={**os.environ, **environment})
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.kill)
        return process

    def guard(self, own, *folders):
        guard = subprocess.Popen([sys.executable, "-I", "-S", GUARD, own, *folders], stdin=subprocess.PIPE)
        self.addCleanup(guard.wait, 60)
        self.addCleanup(guard.kill)
        self.addCleanup(guard.stdin.close)
        return guard

    def test_at_its_start_it_kills_what_an_executor_left_that_is_gone_and_nothing_else(self):
        gone, here = self.sleeper(), self.sleeper()
        left, kept = self.sleeper(TROUPE_EXECUTOR_MARK=mark(gone)), self.sleeper(TROUPE_EXECUTOR_MARK=mark(here))
        number, _, rest = mark(here).partition("-")
        start, _, rest = rest.partition("-")
        reused = self.sleeper(TROUPE_EXECUTOR_MARK=f"{number}-{int(start) - 1}-{rest}")
        elsewhere = self.sleeper(TROUPE_EXECUTOR_MARK=f"{gone.pid}-1-1-other-namespace")
        unmarked, strange = self.sleeper(), self.sleeper(TROUPE_EXECUTOR_MARK="5f0c-x")
        gone.kill()
        gone.wait(60)
        guard = self.guard(mark(here))
        self.assertEqual(-9, left.wait(60))
        self.assertEqual(-9, reused.wait(60))
        for process in (kept, elsewhere, unmarked, strange):
            self.assertIsNone(process.poll())
        guard.stdin.close()
        self.assertEqual(-9, kept.wait(60))
        self.assertEqual(0, guard.wait(60))
        for process in (elsewhere, unmarked, strange, here):
            self.assertIsNone(process.poll())

    def test_an_executor_that_has_ended_is_gone_even_before_its_parent_has_asked_for_its_exit_code(self):
        ended, here = self.sleeper(), self.sleeper()
        of_ended, of_here = mark(ended).encode(), mark(here).encode()
        self.assertEqual([False, False], [sweeping.is_gone(of_ended), sweeping.is_gone(of_here)])
        ended.kill()
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual([True, False], [sweeping.is_gone(of_ended), sweeping.is_gone(of_here)])

    def test_secrets_of_executors_that_are_gone_are_removed_and_its_own_in_the_end(self):
        gone, here, other = self.sleeper(), self.sleeper(), self.sleeper()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        left, own, others = (folder / f"troupe-secrets-{mark(process)}" for process in (gone, here, other))
        strange = folder / "troupe-secrets-x"
        for each in (left, own, others, strange):
            (each / "p.0.1-1").mkdir(parents=True)
            (each / "p.0.1-1" / "KEY").write_text("s3cret")
        gone.kill()
        gone.wait(60)
        guard = self.guard(mark(here), str(folder / "none"), str(folder))
        deadline = time.monotonic() + 30
        while left.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual({own, others, strange}, set(folder.iterdir()))
        guard.stdin.close()
        self.assertEqual(0, guard.wait(60))
        self.assertEqual({others, strange}, set(folder.iterdir()))

    def test_groups_of_executors_that_are_gone_are_removed_with_all_that_is_in_them(self):
        base = own_group()
        if base is None:
            self.skipTest("no cgroup can be made here")
        gone, here, hidden = self.sleeper(), self.sleeper(), self.sleeper()
        left, own = (base / f"troupe-worker-{mark(process)}.p.0.1-1" for process in (gone, here))
        for group in (left, own):
            (group / "inner").mkdir(parents=True)
            self.addCleanup(lambda each=group: [path.rmdir() for path in (each / "inner", each) if path.exists()])
        (left / "inner/cgroup.procs").write_text(str(hidden.pid))
        gone.kill()
        gone.wait(60)
        guard = self.guard(mark(here), str(base))
        self.assertEqual(-9, hidden.wait(60))
        deadline = time.monotonic() + 30
        while left.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual([False, True], [left.exists(), own.exists()])
        guard.stdin.close()
        self.assertEqual(0, guard.wait(60))
        self.assertFalse(own.exists())

    def fake_group(self, path, pid):
        """What looks like a worker's group with this process in it."""
        path.mkdir(parents=True)
        (path / "cgroup.procs").write_text(str(pid))
        return path

    def folder(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        return pathlib.Path(temporary.name)

    def sweep_after(self, gone, folder):
        gone.kill()
        gone.wait(60)
        guard = self.guard(mark(self.sleeper()), str(folder))
        guard.stdin.close()
        self.assertEqual(0, guard.wait(60))

    def test_groups_that_another_user_has_made_up_are_left_alone_with_the_processes_they_name(self):
        if os.geteuid() != 0:
            self.skipTest("only root can make what is another user's")
        gone, victim, folder = self.sleeper(), self.sleeper(), self.folder()
        made_up = self.fake_group(folder / f"troupe-worker-{mark(gone)}.p.0.1-1", victim.pid)
        others = [made_up, folder / f"troupe-executor-{mark(gone)}", folder / f"troupe-secrets-{mark(gone)}"]
        for each in others:
            each.mkdir(exist_ok=True)
            os.chown(each, 65534, 65534)
        self.sweep_after(gone, folder)
        self.assertIsNone(victim.poll())
        self.assertEqual(set(others), set(folder.iterdir()))

    def test_links_are_not_followed(self):
        gone, victim, folder = self.sleeper(), self.sleeper(), self.folder()
        target = self.fake_group(self.folder() / "target", victim.pid)
        (target / "empty").mkdir()
        for kind in ("worker", "executor", "secrets"):
            (folder / f"troupe-{kind}-{mark(gone)}").symlink_to(target)
        self.sweep_after(gone, folder)
        self.assertIsNone(victim.poll())
        self.assertTrue((target / "empty").exists())

    def test_what_another_guard_removes_meanwhile_is_passed_over(self):
        folder = self.folder()
        for kind in ("worker", "executor", "secrets"):
            for owner in "abc":
                (folder / f"troupe-{kind}-{owner}").mkdir()

        def doomed(_):
            for each in folder.iterdir():
                each.rmdir()  # as the other guard does between the list and the look at its entries
            return True

        sweeping.remove_folders(os.fsencode(folder), doomed)
        self.assertEqual([], list(folder.iterdir()))


if __name__ == "__main__":
    unittest.main()
