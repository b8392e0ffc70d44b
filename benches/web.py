"""Measures what moves over HTTP and prints tables: web.py PROGRAMS

http.sh builds the programs, starts nginx and explains the environment variables.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time

from contest import Contest, Cost, reported, timed

MIB = 1 << 20
IMAGE = int(os.environ.get("GS_BENCH_MIB", 1024)) * MIB
ROUNDS = int(os.environ.get("GS_BENCH_ROUNDS", 5))
ONLY = os.environ.get("GS_BENCH_ONLY", "")
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.abspath(sys.argv[1])
IMAGES, CA = os.environ["NGINX_IMAGES"], os.environ["NGINX_CA"]
SERVERS = {"plain": os.environ["NGINX_URL"], "TLS": os.environ["NGINX_TLS_URL"]}

GET, CURL, PYTHON = "get to an fd", "curl", "Python glance_store"
PLUGIN, CURL_PLUGIN = "nbdkit glance-store", "nbdkit curl"
READ = 65536


class Nbdkit:
    """A plugin that serves while it is measured."""

    def __init__(self, *parameters):
        self._parameters = parameters

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="gs-bench-")
        socket, started = (os.path.join(self._directory.name, name) for name in ("socket", "pid"))
        self.uri = f"nbd+unix://?socket={socket}"
        self._server = subprocess.Popen(["nbdkit", "--foreground", "--unix", socket, "--pidfile", started,
                                         *self._parameters])
        while not os.path.exists(started):
            if self._server.poll() is not None:
                sys.exit(f"nbdkit {self._parameters[0]} does not start")
            time.sleep(0.01)
        return self

    def __exit__(self, *_error):
        self._server.terminate()
        self._server.wait()
        self._directory.cleanup()

    def cpu(self):
        with open(f"/proc/{self._server.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def served(parameters, *client):
    """The cost of a client that reads from nbdkit, with nbdkit's own CPU time."""
    def run():
        with Nbdkit(*parameters) as server:
            before = server.cpu()
            cost = timed(*(server.uri if word == "URI" else word for word in client))
            return Cost(cost.wall, cost.cpu + server.cpu() - before)
    return run


def configuration():
    path = os.path.join(os.path.dirname(IMAGES), "glance.conf")
    with open(path, "w", encoding="utf-8") as config:
        config.write("[glance_store]\nstores = http\ndefault_store = http\n"
                     f"https_ca_certificates_file = {CA}\n")
    return path


def get(protocol):
    uri, result, config = f"{SERVERS[protocol]}/image", f"{IMAGES}/result", configuration()
    return Contest(f"get {IMAGE // MIB} MiB, {protocol}", f"{IMAGES}/image", result, {
        GET: lambda: timed(f"{PROGRAMS}/transfer", "get-fd", config, uri, result),
        CURL: lambda: timed("curl", "--silent", "--fail", "--cacert", CA, "--output", result, uri),
        PYTHON: lambda: reported(sys.executable, f"{HERE}/python_get.py", config, uri, result),
    }).run(ROUNDS)


def nbd(work, protocol, *client):
    uri = f"{SERVERS[protocol]}/image"
    ours = f"{PROGRAMS}/nbdkit-glance-store-plugin.so", f"config={configuration()}", f"uri={uri}"
    theirs = "curl", f"cainfo={CA}", f"url={uri}"
    return Contest(f"{work}, {protocol}", f"{IMAGES}/image", f"{IMAGES}/result", {
        PLUGIN: served(ours, *client), CURL_PLUGIN: served(theirs, *client)}).run(ROUNDS)


def get_plain():
    return get("plain")


def get_tls():
    return get("TLS")


def nbd_copy_plain():
    return nbd(f"nbdcopy of {IMAGE // MIB} MiB, 4 connections", "plain",
               "nbdcopy", "--connections=4", "URI", "null:")


def nbd_copy_tls():
    return nbd(f"nbdcopy of {IMAGE // MIB} MiB, 4 connections", "TLS",
               "nbdcopy", "--connections=4", "URI", "null:")


def nbd_scattered_plain():
    """Steps that are no power of two, so that the reads come to lie all over the image."""
    return nbd("2000 reads of 64 KiB, 16 at a time, scattered", "plain",
               "qemu-img", "bench", "-f", "raw", "-c", "2000", "-d", "16", "-s", str(READ),
               "-S", str(81 * READ), "URI")


def ratios(contest):
    """Times our wall and CPU time are those of each other contestant; at most 1 is asked for."""
    ours, *others = contest.costs
    for name in others:
        yield (f"| {contest.work}: {ours} | {name} | {contest.best(ours) / contest.best(name):.2f} | "
               f"{contest.median(ours) / contest.median(name):.2f} | "
               f"{contest.cpu(ours) / contest.cpu(name):.2f} |")


def report(contests):
    print(f"{ROUNDS} rounds, contestants in turn.\n")
    print("| work | against | wall, best | wall, median | CPU, median |")
    print("|---|---|---:|---:|---:|")
    for contest in contests:
        print(*ratios(contest), sep="\n")
    print("\n| work | contestant | best s | median s | CPU s |")
    print("|---|---|---:|---:|---:|")
    for contest in contests:
        for name in contest.costs:
            print(f"| {contest.work} | {name} | {contest.best(name):.2f} | "
                  f"{contest.median(name):.2f} | {contest.cpu(name):.2f} |")


def main():
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(1))
    with open(f"{IMAGES}/image", "wb") as image:
        for _ in range(IMAGE // MIB):
            image.write(os.urandom(MIB))
    works = [get_plain, get_tls, nbd_copy_plain, nbd_copy_tls, nbd_scattered_plain]
    report([work() for work in works if ONLY in work.__name__])


main()
