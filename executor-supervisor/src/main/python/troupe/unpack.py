"""Unpacks an archive, zip or tar, that nobody has looked at: ``python3 -I -S unpack.py ARCHIVE FOLDER BYTES ENTRIES``, started by the executor.

Whatever the archive says, nothing is written outside the folder: names with ``..`` and absolute names are refused, a link must
point to something in the folder, and nothing is written through a link that leads out of it. No device, no set-user-id bit. It is
refused when it has more ENTRIES, or BYTES when unpacked, whatever it says of its sizes: a small archive may hold a disk full of zeros.
Exit code 1 with one line for people when it cannot be unpacked.
"""

import os
import stat
import sys
import tarfile
import zipfile


PIECE = 1 << 20
LONGEST_LINK = 4096


class Refused(Exception):
    """The archive is not what it should be; the message is one line for people."""


class Budget:
    """What an archive may yet take, counted as it is unpacked."""

    def __init__(self, most_bytes, entries):
        self.most_bytes, self.most_entries = most_bytes, entries
        self.bytes_left, self.entries_left = most_bytes, entries

    def entry(self):
        self.entries_left -= 1
        if self.entries_left < 0:
            raise Refused(f"it has more than {self.most_entries} entries (troupe.executor.archives.entries)")

    def write(self, count):
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise Refused(f"it has more than {self.most_bytes >> 20} MiB when unpacked (troupe.executor.archives.size)")


def place(folder, name):
    """The path for a member, whose parents are there and in the folder."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name:
        raise Refused(f"'{name}' would be outside of its folder")
    path = os.path.join(folder, *parts)
    parent = path if path == folder else os.path.dirname(path)
    os.makedirs(parent, exist_ok=True)
    if not within(folder, os.path.realpath(parent)):
        raise Refused(f"'{name}' would be outside of its folder")
    return path


def within(folder, path):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def make_folder(folder, name):
    path = place(folder, name)
    os.makedirs(path, exist_ok=True)
    if not within(folder, os.path.realpath(path)):
        raise Refused(f"'{name}' would be outside of its folder")


def make_file(folder, name, source, mode, budget):
    path = vacant(folder, name)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        for piece in iter(lambda: source.read(PIECE), b""):
            budget.write(len(piece))
            target.write(piece)
        os.fchmod(descriptor, 0o755 if mode & stat.S_IXUSR else 0o644)


def make_link(folder, name, target):
    """Only leading ``..``: behind a name they could mean another folder when that name is a link itself."""
    path = vacant(folder, name)
    parts = target.split("/")
    while parts and parts[0] in ("..", "."):
        parts.pop(0)
    parent = os.path.realpath(os.path.dirname(path))
    if target.startswith("/") or ".." in parts or not within(folder, os.path.realpath(os.path.join(parent, target))):
        raise Refused(f"the link '{name}' leads out of its folder, to '{target}'")
    os.symlink(target, path)


def vacant(folder, name):
    path = place(folder, name)
    if path == folder or (os.path.isdir(path) and not os.path.islink(path)):
        raise Refused(f"'{name}' is a folder and a file")
    if os.path.lexists(path):
        os.unlink(path)
    return path


def unpack_zip(archive, folder, budget):
    with zipfile.ZipFile(archive) as members:
        for member in members.infolist():
            budget.entry()
            mode = member.external_attr >> 16
            if member.is_dir():
                make_folder(folder, member.filename)
            elif stat.S_ISLNK(mode):
                with members.open(member) as source:
                    make_link(folder, member.filename, source.read(LONGEST_LINK).decode())
            elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                with members.open(member) as source:
                    make_file(folder, member.filename, source, mode, budget)
            else:
                raise Refused(f"'{member.filename}' is neither file, folder nor link")


def unpack_tar(archive, folder, budget):
    with tarfile.open(archive) as members:
        for member in members:
            budget.entry()
            if member.isdir():
                make_folder(folder, member.name)
            elif member.issym():
                make_link(folder, member.name, member.linkname)
            elif member.isreg() or member.islnk():
                source = members.extractfile(member)  # of a hard link, the content of the file that it names in the archive
                if source is None:
                    raise Refused(f"'{member.name}' has no content")
                with source:
                    make_file(folder, member.name, source, member.mode, budget)
            else:
                raise Refused(f"'{member.name}' is neither file, folder nor link")


def unpack(archive, folder, budget):
    os.makedirs(folder, exist_ok=True)
    folder = os.path.realpath(folder)
    if zipfile.is_zipfile(archive):
        unpack_zip(archive, folder, budget)
    elif tarfile.is_tarfile(archive):
        unpack_tar(archive, folder, budget)
    else:
        raise Refused("it is neither a zip nor a tar archive")


def main():
    os.dup2(1, 2)
    try:
        unpack(sys.argv[1], sys.argv[2], Budget(int(sys.argv[3]), int(sys.argv[4])))
    except (Refused, OSError, EOFError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, tarfile.TarError) as error:
        print(str(error) or type(error).__name__, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
