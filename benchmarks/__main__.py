"""Print figures as one Markdown table: ``python -m benchmarks [NAME...]``.

Without names all short ones are measured; the long ones take minutes to half an hour each. Each
figure's module has ``run() -> list[Figure]``. Progress goes to standard error, the table to
standard output.
"""

import importlib
import importlib.metadata
import os
import platform
import sys
import time

from benchmarks import figures

NAMES = (
    "circuits",
    "throughput",
    "round_trip",
    "overhead",
    "scaling",
    "minimising",
    "idle_agent",
    "channel",
    "ingest",
    "relay_routes",
    "passes",
    "key_volume",
    "key_delivery",
    "key_exchange",
    "key_sessions",
)
LONG = ("applications", "prediction", "network_profiles", "chaos", "fleet_size", "keyrate", "reconciliation")
PEERS = ("qulacs", "qiskit-aer", "distributed")


def main() -> int:
    """Run the figures named on the command line, all by default."""
    chosen = tuple(sys.argv[1:]) or NAMES
    if unknown := set(chosen) - {*NAMES, *LONG}:
        sys.stderr.write(
            f"no figure is named {', '.join(sorted(unknown))}; there are {', '.join(NAMES + LONG)}\n"
        )
        return 2
    rows: list[figures.Figure] = []
    for name in chosen:
        started = time.perf_counter()
        sys.stderr.write(f"{name} … ")
        sys.stderr.flush()
        rows += importlib.import_module(f"benchmarks.{name}").run()
        sys.stderr.write(f"{time.perf_counter() - started:.0f} s\n")
    print(surroundings() + "\n\n" + figures.table(rows))
    return 0


def surroundings() -> str:
    """One sentence about what it was measured on and with."""
    versions = ", ".join(f"{peer} {importlib.metadata.version(peer)}" for peer in PEERS)
    return (
        f"Medians, with the least and greatest of the repeats; {os.cpu_count()} cores of {_processor()}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {versions}."
    )


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 # streamed, not read whole
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "Model"}:
                return value.strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
