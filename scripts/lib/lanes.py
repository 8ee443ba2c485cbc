"""Runs the test suite in lanes side by side, one line of output after the other.

Most tests of real daemons wait: for containers, leases, graces. So those with a whole mesh run beside the
rest. Everything that lanes share on a machine (ports, namespaces, rules, homes) is named by the process or
the home that made it. A lane is a list of pytest runs, each with a time that it may take; what no lane
names is run by the lane that takes all others, so that a new folder of tests is never left out.
"""

import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

# After an interrupt pytest takes down what its fixtures made.
_CLEAN_UP = 120.0
# Characters of one failed test in the summary: whoever sees no more than the last lines of a run on another
# machine should learn which tests failed and of what.
_SUMMARY_LINE = 240
# As pytest names a test that failed; a captured log line says "ERROR" too, but no file of tests.
_VERDICT = re.compile(r"(?:FAILED|ERROR) \S*test_\w+\.py")


@dataclass(frozen=True)
class Run:
    """One pytest process."""

    arguments: tuple[str, ...]
    # Seconds; several times what a quiet machine needs.
    limit: float
    # Pure computing gives way to daemons, of which others expect answers.
    nice: int = 0


WHOLE_MESHES = ("tests/clients", "tests/fault")
DAEMONS = ("tests/contract", "tests/integration")
OTHERS = ("tests", *(f"--ignore={path}" for path in (*WHOLE_MESHES, *DAEMONS)))
LANES = {
    "mesh": (Run(WHOLE_MESHES, 2400.0),),
    "rest": (Run(DAEMONS, 2400.0), Run(OTHERS, 2400.0, 10)),
}


class Lane(threading.Thread):
    """Runs one after the other; a failed one does not keep the next from running."""

    def __init__(self, name: str, runs: tuple[Run, ...]) -> None:
        super().__init__(name=name)
        self._runs = runs
        self._current: subprocess.Popen[str] | None = None
        self._ended = False
        self.failed: list[str] = []
        self.verdicts: list[str] = []

    def run(self) -> None:
        for run in self._runs:
            if self._ended:
                self.failed.append(f"pytest {' '.join(run.arguments)}: not run")
                continue
            began = time.monotonic()
            code = self._execute(run)
            what = f"pytest {' '.join(run.arguments)}: exit {code}"
            print(f"[{self.name}] {what} after {time.monotonic() - began:.0f} s", flush=True)
            if code:
                self.failed.append(what)

    def _execute(self, run: Run) -> int:
        command = ["nice", "-n", str(run.nice), sys.executable, "-m", "pytest", *run.arguments]
        output = subprocess.PIPE
        with subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            self._current = process
            bounds = [
                threading.Timer(run.limit, process.send_signal, [signal.SIGINT]),
                threading.Timer(run.limit + _CLEAN_UP, process.kill),
            ]
            for bound in bounds:
                bound.start()
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    print(f"[{self.name}] {line.rstrip()}", flush=True)
                    if _VERDICT.match(line):
                        self.verdicts.append(line.rstrip()[:_SUMMARY_LINE])
                return process.wait()
            finally:
                for bound in bounds:
                    bound.cancel()

    def interrupt(self) -> None:
        """As Ctrl-C: pytest takes down what its fixtures made. No further run begins."""
        self._ended = True
        if self._current is not None and self._current.poll() is None:
            self._current.send_signal(signal.SIGINT)


def main() -> int:
    lanes = [Lane(name, runs) for name, runs in LANES.items()]

    def interrupted(number: int, _: object) -> None:
        for lane in lanes:
            lane.interrupt()

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    began = time.monotonic()
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    failed = [f"FAILED [{lane.name}] {what}" for lane in lanes for what in lane.failed]
    verdicts = [verdict for lane in lanes for verdict in lane.verdicts]
    for what in (*failed, *verdicts):
        print(what, flush=True)
    verdict = "failed" if failed else "passed"
    print(f"The tests {verdict} after {time.monotonic() - began:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
