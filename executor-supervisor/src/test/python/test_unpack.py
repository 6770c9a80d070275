import io
import os
import pathlib
import stat
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "main/python/troupe/unpack.py"


class UnpackTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name).resolve()
        self.archive, self.folder = self.root / "archive", self.root / "files"

    def unpack(self, size=1 << 30, entries=1000):
        command = [sys.executable, "-I", "-S", "-B", SCRIPT, self.archive, self.folder, str(size), str(entries)]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual("", done.stderr)
        return done.returncode, done.stdout.strip()

    def tar(self, *members, mode="w:gz"):
        with tarfile.open(self.archive, mode) as tar:
            for name, kind, content in members:
                member = tarfile.TarInfo(name)
                member.type, member.mode = kind, 0o4755
                if kind == tarfile.REGTYPE:
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
                else:
                    member.linkname = content
                    tar.addfile(member)

    def everything(self):
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path != self.archive)

    def refused(self, because, **limits):
        code, output = self.unpack(**limits)
        self.assertEqual(1, code)
        self.assertRegex(output, because)
        self.assertNotIn("\n", output)
        self.assertEqual([], [path for path in self.everything() if not path.startswith("files")])

    def test_files_folders_and_links_in_the_folder_are_there_without_other_peoples_rights(self):
        self.tar(
            ("a", tarfile.DIRTYPE, ""),
            ("a/tool", tarfile.REGTYPE, b"run"),
            ("b/link", tarfile.SYMTYPE, "../a/tool"),
            ("hard", tarfile.LNKTYPE, "a/tool"),
        )
        self.assertEqual((0, ""), self.unpack())
        self.assertEqual((0, ""), self.unpack())  # once more, over what is there
        self.assertEqual("run", (self.folder / "b/link").read_text())
        self.assertEqual("run", (self.folder / "hard").read_text())
        self.assertEqual(0o755, stat.S_IMODE((self.folder / "a/tool").stat().st_mode))

    def test_zip_archives_keep_what_may_be_executed(self):
        with zipfile.ZipFile(self.archive, "w") as archive:
            tool = zipfile.ZipInfo("bin/tool")
            tool.external_attr = 0o100755 << 16
            archive.writestr(tool, "run")
            archive.writestr("empty/", "")
            archive.writestr("data.txt", "data")
        self.assertEqual((0, ""), self.unpack())
        self.assertTrue(os.access(self.folder / "bin/tool", os.X_OK))
        self.assertEqual("data", (self.folder / "data.txt").read_text())
        self.assertTrue((self.folder / "empty").is_dir())

    def test_a_small_archive_that_would_fill_the_disk_is_refused_before_it_does(self):
        many = 20 << 20
        with zipfile.ZipFile(self.archive, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("small", "x")
            archive.writestr("zeros", bytes(many))
        self.assertLess(self.archive.stat().st_size, 1 << 20)
        self.assertEqual((0, ""), self.unpack(size=many + 1))
        because = r"^it has more than 10 MiB when unpacked \(troupe.executor.archives.size\)$"
        self.refused(because, size=10 << 20)
        self.assertLessEqual((self.folder / "zeros").stat().st_size, 10 << 20)
        self.tar(("zeros", tarfile.REGTYPE, bytes(many)))
        self.refused(because, size=10 << 20)

    def test_an_archive_of_too_many_entries_is_refused(self):
        self.tar(*[(f"empty-{number}", tarfile.REGTYPE, b"") for number in range(11)])
        self.assertEqual((0, ""), self.unpack(entries=11))
        self.refused(r"^it has more than 10 entries \(troupe.executor.archives.entries\)$", entries=10)
        with zipfile.ZipFile(self.archive, "w") as archive:
            for number in range(11):
                archive.writestr(f"folder-{number}/", "")
        self.refused("more than 10 entries", entries=10)

    def test_nothing_is_written_outside_of_the_folder(self):
        for name in ("../evil", "/evil", "a/../../evil", "..", "a\\..\\..\\evil"):
            with self.subTest(name):
                self.tar((name, tarfile.REGTYPE, b"x"))
                self.refused("would be outside of its folder")
                with zipfile.ZipFile(self.archive, "w") as archive:
                    archive.writestr(name, "x")
                self.refused("would be outside of its folder")

    def test_no_link_leads_out_of_the_folder_however_it_is_put_together(self):
        for target in ("/etc", "..", "../..", "a/..", "a/../.."):
            with self.subTest(target):
                self.tar(("link", tarfile.SYMTYPE, target), ("link/evil", tarfile.REGTYPE, b"x"))
                self.refused("leads out of its folder")
        with zipfile.ZipFile(self.archive, "w") as archive:
            link = zipfile.ZipInfo("link")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "..")
        self.refused("leads out of its folder")
        self.tar(("x/y", tarfile.SYMTYPE, ".."), ("a", tarfile.SYMTYPE, "x/y/.."), ("a/evil", tarfile.REGTYPE, b"x"))
        self.refused("leads out of its folder")

    def test_a_link_that_was_there_before_is_not_written_through(self):
        self.folder.mkdir()
        (self.folder / "out").symlink_to(self.root)
        (self.folder / "file").symlink_to(self.root / "evil")
        self.tar(("out/evil", tarfile.REGTYPE, b"x"))
        self.refused("would be outside of its folder")
        self.tar(("file", tarfile.REGTYPE, b"x"))
        self.assertEqual((0, ""), self.unpack())
        self.assertFalse((self.root / "evil").exists())

    def test_devices_broken_archives_and_what_is_none_are_refused_in_one_line(self):
        self.tar(("device", tarfile.CHRTYPE, ""))
        self.refused("neither file, folder nor link")
        self.archive.write_bytes(b"no archive")
        self.refused("neither a zip nor a tar")
        self.tar(("big", tarfile.REGTYPE, os.urandom(100_000)))
        self.archive.write_bytes(self.archive.read_bytes()[:50_000])
        self.refused(".")
        self.tar(("a", tarfile.REGTYPE, b"x"), ("a/b", tarfile.REGTYPE, b"x"))
        self.refused(".")


if __name__ == "__main__":
    unittest.main()
