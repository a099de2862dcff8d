"""Runs many commands of the application packs as processes of their own that are warm from the start.

What a command imports takes most of its time. Here one process imports all of it, computes nothing and has
no threads, and each command runs in a fork of it: with its own arguments, folder, output and exit code.

``python warm_commands.py`` reads one JSON object a line, ``{"command": ["qfleet", …] or ["EXAMPLE.py"],
"folder": …, "out": …, "err": …, "limit_s": …}``, and answers each by ``{"exit": 0}``.
"""

import importlib
import json
import os
import pkgutil
import runpy
import signal
import sys
import traceback
from typing import Any

import qfleet.command
import qfleet_applications

LIBRARIES = (
    "lifelines.datasets",
    "matplotlib.backends.backend_agg",
    "networkx",
    "ortools.math_opt.python.mathopt",
    "ortools.sat.python.cp_model",
    "pandas",
    "rich.markdown",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.datasets",
    "sklearn.model_selection",
)
"""What packs import when it is needed."""


def warm() -> None:
    """Import what commands of packs may need."""
    for module in pkgutil.walk_packages(qfleet_applications.__path__, "qfleet_applications."):
        importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)


def run(asked: dict[str, Any]) -> int:
    """Run a command in a fork and return its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _ended(asked)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _ended(asked: dict[str, Any]) -> int:
    for number, file in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), number)
    signal.alarm(asked["limit_s"])
    os.chdir(asked["folder"])
    sys.argv = asked["command"]
    code: Any = 0
    try:
        if sys.argv[0] == "qfleet":
            qfleet.command.main()
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as error:
        code = error.code
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


def main() -> None:
    """Serve commands until there are no more."""
    warm()
    for line in sys.stdin:
        sys.stdout.write(json.dumps({"exit": run(json.loads(line))}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
