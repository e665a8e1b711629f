"""What ``stsearch --help`` costs beside the same program with an empty command and nothing else.

Run by hand::

    python tests/bench/start.py [--rounds 10]

Both take turns. Processor time is compared, which is the same on a busy machine.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

EMPTY = (
    "import sys, typer; app = typer.Typer(); app.command()(lambda: None); sys.argv[1:] = ['--help']; app()"
)
PROGRAMS = {"stsearch": ("-m", "stsearch", "--help"), "typer alone": ("-c", EMPTY)}


def processor_seconds(arguments: tuple[str, ...]) -> float:
    """Return what one run of the interpreter takes, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the least time of each program, and their ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    rounds = range(parser.parse_args().rounds)
    runs = [{name: processor_seconds(arguments) for name, arguments in PROGRAMS.items()} for _ in rounds]
    least = {name: min(run[name] for run in runs) for name in PROGRAMS}
    for name, seconds in least.items():
        print(f"{name}: {seconds:.2f} s")
    print(f"ratio: {least['stsearch'] / least['typer alone']:.2f}")


if __name__ == "__main__":
    main()
