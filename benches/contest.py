"""Contestants that do the same work in turn, and what each of them took."""

import contextlib
import dataclasses
import filecmp
import os
import statistics
import subprocess
import sys
import time
import typing


@dataclasses.dataclass
class Cost:
    wall: float
    cpu: float
    peak: int = 0  # KiB above what was resident before, of a whole program all of it; 0 when nobody looked


def reported(*command):
    """The cost of a program that measures itself."""
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    wall, cpu, peak = output.split()
    return Cost(float(wall), float(cpu), int(peak))


def timed(*command):
    """The cost of a whole program."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def drop_caches():
    """Makes the kernel forget what it holds of files, where it may be asked to."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as switch:
            switch.write("3")
    except OSError as error:
        print(f"the cache stays warm: {error}", file=sys.stderr)


@dataclasses.dataclass
class Contest:
    """`source` is what the contestants read, `result` the file that they make of it, if any."""

    work: str
    source: str
    result: str
    contestants: typing.Dict[str, typing.Callable[[], Cost]]
    cold: bool = False
    costs: typing.Dict[str, typing.List[Cost]] = dataclasses.field(default_factory=dict)

    def run(self, rounds):
        """Every contestant once a round, each round begun by another."""
        names = list(self.contestants)
        self.costs = {name: [] for name in names}
        for turn in range(rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                self._run_one(name, check=turn == 0)
        return self

    def _run_one(self, name, check):
        print(f"{self.work}: {name}", file=sys.stderr)
        if self.cold:
            drop_caches()
        self.costs[name].append(self.contestants[name]())
        if check and os.path.exists(self.result):
            self._check(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.result)

    def _check(self, name):
        """Speed does not count when the bytes differ or the holes are filled."""
        if not filecmp.cmp(self.source, self.result, shallow=False):
            sys.exit(f"{self.work}: {name} made another image than its source")
        source, result = (os.stat(path).st_blocks for path in (self.source, self.result))
        if result > source * 1.05:
            sys.exit(f"{self.work}: {name} needs {result} blocks where the source needs {source}")

    def best(self, name):
        return min(cost.wall for cost in self.costs[name])

    def median(self, name):
        return statistics.median(cost.wall for cost in self.costs[name])

    def cpu(self, name):
        return statistics.median(cost.cpu for cost in self.costs[name])

    def peak(self, name):
        """In MiB."""
        return max(cost.peak for cost in self.costs[name]) / 1024
