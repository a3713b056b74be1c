"""`python -m tests.bench.profiled FILE MODULE …` runs a module like `python -m MODULE …`, to be profiled under load.

SIGUSR1 begins the profile, SIGUSR2 ends it and writes it to the file.
"""

import cProfile
import runpy
import signal
import sys
from pathlib import Path
from types import FrameType


def main(file: Path, module: str, *arguments: str) -> None:
    """Run the module."""
    profiler = cProfile.Profile()

    def begin(_: int, __: FrameType | None) -> None:
        profiler.enable()

    def end(_: int, __: FrameType | None) -> None:
        profiler.disable()
        written = file.with_suffix(".new")
        profiler.dump_stats(written)
        written.replace(file)

    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
