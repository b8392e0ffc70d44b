"""Measures every work of docs/benchmarks.md and prints its tables: bench.py PROGRAMS

run.sh builds the programs and explains the environment variables.
"""

import contextlib
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile

from contest import Contest, reported, timed

MIB = 1 << 20
IMAGE = int(os.environ.get("GS_BENCH_MIB", 1024)) * MIB
ROUNDS = int(os.environ.get("GS_BENCH_ROUNDS", 5))
ONLY = os.environ.get("GS_BENCH_ONLY", "")
COLD = 256 * MIB  # for less than this nobody else's cache is dropped
MEMORY = os.environ.get("GS_BENCH_MEMORY", "/dev/shm")
DISK = os.environ.get("GS_BENCH_DISK", "/var/tmp")
PEAK_ALLOWED = 64 + 16  # MiB: transfer_memory and what the rest may take
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.abspath(sys.argv[1])

ADD_FD, ADD_CALLBACK = "add from an fd", "add from a callback"
GET_FD, GET_CALLBACK = "get to an fd", "get to a callback"
MD5, MD5_FILE = "MD5 alone, bytes in memory", "MD5 alone, reading the file"
MD5_CRATE = "MD5 alone by the md-5 crate, reading the file"
PYTHON, DD, CP = "Python glance_store", "dd", "cp"
OURS = ADD_FD, ADD_CALLBACK, GET_FD, GET_CALLBACK


class Place:
    """A file store in `images`, a source to read, and the file that a contestant makes."""

    def __init__(self, source, images, options=""):
        self.source = source
        self.result = os.path.join(images, "image")
        self.config = os.path.join(images, "glance.conf")
        with open(self.config, "w", encoding="utf-8") as config:
            config.write("[glance_store]\nstores = file\ndefault_store = file\n"
                         f"filesystem_store_datadir = {images}\n{options}")

    def contest(self, work, contestants, cold=False):
        return Contest(work, self.source, self.result, contestants, cold)

    def adds(self):
        return {ADD_FD: self._ours("add-fd", "image", self.source),
                ADD_CALLBACK: self._ours("add-callback", "image", self.source)}

    def gets(self):
        uri = "file://" + self.source
        return {GET_FD: self._ours("get-fd", uri, self.result),
                GET_CALLBACK: self._ours("get-callback", uri, self.result)}

    def _ours(self, *arguments):
        way, *rest = arguments
        return lambda: reported(f"{PROGRAMS}/transfer", way, self.config, *rest)

    def python(self, *mode):
        return lambda: reported(sys.executable, f"{HERE}/python_add.py", self.config, "image",
                                self.source, *mode)

    def md5(self, source):
        return lambda: reported(f"{PROGRAMS}/md5-alone", source, self.source)

    def dd(self, *options):
        return lambda: timed("dd", f"if={self.source}", f"of={self.result}", *options)

    def cp(self, *options):
        return lambda: timed("cp", *options, self.source, self.result)


def add():
    with directory(MEMORY) as sources, directory(MEMORY) as images:
        place = Place(random_file(sources, IMAGE), images)
        return place.contest(f"add {size(IMAGE)} random, md5 + sha512", {
            **place.adds(), MD5: place.md5("memory"), MD5_FILE: place.md5("file"),
            MD5_CRATE: place.md5("crate"),
            PYTHON: place.python()}).run(ROUNDS)


def get():
    with directory(MEMORY) as images:
        place = Place(random_file(images, IMAGE), images)
        return place.contest(f"get {size(IMAGE)}", {
            **place.gets(), DD: place.dd("bs=1M"), CP: place.cp()}).run(ROUNDS)


def sparse():
    with directory(MEMORY) as sources, directory(MEMORY) as images:
        place = Place(sparse_file(sources, 4 * IMAGE), images,
                      "filesystem_thin_provisioning = true\n")
        return place.contest(f"add sparse {size(4 * IMAGE)}, a tenth data, thin", {
            **place.adds(), PYTHON: place.python(), CP: place.cp("--sparse=always")}).run(ROUNDS)


def disk():
    with directory(MEMORY) as sources, directory(DISK) as images:
        place = Place(random_file(sources, 4 * IMAGE), images)
        return place.contest(f"add {size(4 * IMAGE)} random to a disk, cold cache, fsync", {
            **place.adds(), MD5: place.md5("memory"), PYTHON: place.python("sync"),
            DD: place.dd("bs=4M", "oflag=direct", "conv=fsync")}, cold=IMAGE >= COLD).run(ROUNDS)


def start():
    with directory(MEMORY) as images:
        place = Place("", images)
        return place.contest("start", {
            "dlopen, open, close": lambda: reported(
                f"{PROGRAMS}/open_close", f"{PROGRAMS}/libglance_store.so.0", place.config)
        }).run(4 * ROUNDS)


@contextlib.contextmanager
def directory(parent):
    """A private directory; what a contestant left there goes with it."""
    with tempfile.TemporaryDirectory(prefix="gs-bench-", dir=parent) as path:
        yield path


def random_file(parent, length):
    path = os.path.join(parent, "source")
    with open(path, "wb") as file:
        for _ in range(length // MIB):
            file.write(os.urandom(MIB))
    return path


def sparse_file(parent, length):
    """A tenth of data: 4 MiB at the start of every 40."""
    path = os.path.join(parent, "source")
    source = random.Random(1)
    with open(path, "wb") as file:
        for start_of_data in range(0, length, 40 * MIB):
            file.seek(start_of_data)
            file.write(source.randbytes(min(4 * MIB, length - start_of_data)))
        file.truncate(length)
    return path


def size(length):
    return f"{length // (1024 * MIB)} GiB" if length % (1024 * MIB) == 0 else f"{length // MIB} MiB"


def ratio(contest, ours, theirs, limit):
    """A row: how many times the wall time of the slowest of `theirs` we take."""
    best = contest.best(ours) / max(contest.best(name) for name in theirs)
    median = contest.median(ours) / max(contest.median(name) for name in theirs)
    return f"| {contest.work}: {ours} | {' or '.join(theirs)} | {best:.2f} | {median:.2f} | {limit} |"


def ratios(contests):
    """The rows that issue their limits; a contest that was not run has none."""
    if found := contests.get("add"):
        for ours in ADD_FD, ADD_CALLBACK:
            yield ratio(found, ours, [MD5_FILE], "1.10")
            yield ratio(found, ours, [MD5_CRATE], "1.10")
            yield ratio(found, ours, [MD5], "1.10")
            yield ratio(found, ours, [PYTHON], "0.56")
            cpu = found.cpu(ours) / found.cpu(PYTHON)
            yield f"| {found.work}: {ours}, CPU time | {PYTHON} | | {cpu:.2f} | 1.00 |"
    if found := contests.get("get"):
        yield ratio(found, GET_CALLBACK, [DD], "1.20")
        yield ratio(found, GET_FD, [CP], "1.20")
    if found := contests.get("sparse"):
        for ours in ADD_FD, ADD_CALLBACK:
            yield ratio(found, ours, [PYTHON], "0.25")
            yield ratio(found, ours, [CP], "")
    if found := contests.get("disk"):
        for ours in ADD_FD, ADD_CALLBACK:
            yield ratio(found, ours, [DD, MD5], "1.10")
            yield ratio(found, ours, [PYTHON], "")


def report(contests):
    print(f"{machine()}. {ROUNDS} rounds, contestants in turn.\n")
    print("| work | against | ratio of the best | ratio of the medians | at most |")
    print("|---|---|---:|---:|---:|")
    print(*ratios(contests), sep="\n")
    transfers = [contest for name, contest in contests.items() if name != "start"]
    peaks = [contest.peak(name) for contest in transfers for name in contest.costs if name in OURS]
    if peaks:
        print(f"\nPeak memory of any of our transfers: {max(peaks):.0f} MiB; at most {PEAK_ALLOWED}.")
    if found := contests.get("start"):
        (name,) = found.costs
        print(f"\n{name}: best {found.best(name) * 1000:.1f} ms, median "
              f"{found.median(name) * 1000:.1f} ms.")
    print("\n| work | contestant | best s | median s | CPU s | peak MiB |")
    print("|---|---|---:|---:|---:|---:|")
    for contest in transfers:
        for name in contest.costs:
            peak = f"{contest.peak(name):.0f}" if contest.peak(name) else ""
            print(f"| {contest.work} | {name} | {contest.best(name):.2f} | "
                  f"{contest.median(name):.2f} | {contest.cpu(name):.2f} | {peak} |")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as information:
        models = [line.partition(":")[2].strip() for line in information
                  if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * MIB)
    systems = [f"{file_system(path)} at {path}" for path in (MEMORY, DISK)]
    return (f"{len(models)} x {models[0]}, {memory} GiB, Linux {platform.release()}, "
            f"Python {platform.python_version()}, {', '.join(systems)}")


def file_system(path):
    """Of several that are mounted on one another, the last one counts."""
    return subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", path], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()[-1]


def main():
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(1))  # the private directories go, too
    works = [add, get, sparse, disk, start]
    report({work.__name__: work() for work in works if ONLY in work.__name__})


main()
