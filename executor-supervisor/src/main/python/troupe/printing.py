"""Standard output and error of a worker, which say which job prints what."""

import errno
import io
import os
import threading

#: A line that grows longer than this is printed in pieces.
LONGEST_LINE = 64 << 10


class Printer(io.TextIOWrapper):
    """Standard output or error: says which job prints what, and no job can close it for the next one.

    A line ``NUL job N`` says that what follows is printed by job N, until another such line, or N being 0, says otherwise.
    """

    def __init__(self, descriptor, marked):
        plain = open(descriptor, "wb", closefd=False)
        super().__init__(plain, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        self._spare = os.dup(descriptor)
        self._marked = marked  # the printers whose mark is not taken back yet
        self._mark = 0
        self._at_start = True
        self.server = None

    def write(self, text):
        running = self.server._running if self.server else 0
        marked = text
        if running != self._mark and text:
            marked = self._change_mark(running) + text
        if text:
            self._at_start = text[-1] == "\n"
        self._print(marked)
        return len(text)

    def _print(self, text):
        try:
            super().write(text)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            os.dup2(self._spare, self.fileno())  # a job has closed the descriptor
            self.flush()

    def _change_mark(self, job):
        self._mark = job
        if job:
            self._marked.append(self)
        return ("" if self._at_start else "\n") + f"\0job {job}\n"

    def unmark(self):
        """The job is over: what comes now that no printer has marked is printed by something else."""
        mark = self._change_mark(0)
        self._at_start = True
        super().write(mark)

    def close(self):
        """Only flushes: it is not the job's to close."""
        self.flush()


class LinePrinter(Printer):
    """The same for jobs that run side by side: what each of them prints comes out in whole lines."""

    def __init__(self, descriptor, current):
        """``current`` tells which job the calling thread or task runs; 0 when none."""
        super().__init__(descriptor, [])
        self._current = current
        self._lines = {}
        self._guard = threading.RLock()  # a signal may come while it is held

    def write(self, text):
        job = self._current()
        with self._guard:
            whole = self._lines.pop(job, "") + text
            cut = len(whole) if len(whole) > LONGEST_LINE else whole.rfind("\n") + 1
            if cut < len(whole):
                self._lines[job] = whole[cut:]
            if cut:
                self._print_by(job, whole[:cut])
        return len(text)

    def over(self, job):
        """The job is over, also in the middle of a line."""
        with self._guard:
            line = self._lines.pop(job, "")
            if line:
                self._print_by(job, line)
            if self._mark == job != 0:
                self._print(self._change_mark(0))

    def _print_by(self, job, text):
        if job != self._mark:
            text = self._change_mark(job) + text
        self._at_start = text[-1] == "\n"
        self._print(text)

    def _change_mark(self, job):
        self._mark = job
        before = "" if self._at_start else "\n"
        self._at_start = True
        return before + f"\0job {job}\n"
