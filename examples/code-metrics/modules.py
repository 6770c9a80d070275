"""Prints the path of every module of this Python's standard library as a line of JSON: the input of a map."""

import json
import os
import sys
import sysconfig

NOT_STANDARD = {"site-packages", "dist-packages"}


def modules(root):
    """The *.py files under root in a fixed order, installed packages aside."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in NOT_STANDARD)
        for name in sorted(files):
            path = os.path.join(folder, name)
            if name.endswith(".py") and os.path.isfile(path):
                yield path


if __name__ == "__main__":
    for path in modules(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_path("stdlib")):
        print(json.dumps(path))
