"""Measures adds to and gets from Ceph and prints tables: ceph.py PROGRAMS IMAGES

rbd.sh builds the programs, starts Ceph and explains the environment variables.
"""

import os
import random
import subprocess
import sys

from contest import Contest, reported, timed

MIB = 1 << 20
IMAGE = int(os.environ.get("GS_BENCH_MIB", 1024)) * MIB
ROUNDS = int(os.environ.get("GS_BENCH_ROUNDS", 5))
ONLY = os.environ.get("GS_BENCH_ONLY", "")
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS, IMAGES = (os.path.abspath(path) for path in sys.argv[1:3])
USER = ["--conf", os.environ["CEPH_GLANCE_CONF"], "--id", os.environ["CEPH_USER"]]
SOURCE, SPARSE, RESULT, NOTHING = (f"{IMAGES}/{name}" for name in ("image", "sparse", "result", "nothing"))

OURS, PYTHON, RBD = "glance-store", "Python glance_store", "rbd"


def rbd(*arguments):
    subprocess.run(["rbd", *USER, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def configuration(thin):
    path = f"{IMAGES}/thin.conf" if thin else f"{IMAGES}/thick.conf"
    with open(path, "w", encoding="utf-8") as config:
        config.write(f"[glance_store]\nstores = rbd\ndefault_store = rbd\nrbd_store_user = {os.environ['CEPH_USER']}\n"
                     f"rbd_store_ceph_conf = {os.environ['CEPH_GLANCE_CONF']}\nrbd_thin_provisioning = {thin}\n")
    return path


def remove(name):
    try:
        rbd("snap", "unprotect", f"images/{name}@snap")
        rbd("snap", "rm", "--no-progress", f"images/{name}@snap")
    except subprocess.CalledProcessError:
        pass  # `rbd import` makes none
    rbd("rm", "--no-progress", f"images/{name}")


def added(source, cost):
    """The cost of an add, whose image is compared with its source once and then removed."""
    checked = []

    def run():
        found = cost()
        if not checked:
            rbd("export", "--no-progress", "images/made", RESULT)
            subprocess.run(["cmp", source, RESULT], check=True)
            os.unlink(RESULT)
            checked.append(True)
        remove("made")
        return found
    return run


def ours(how, source, thin=False):
    return added(source, lambda: reported(f"{PROGRAMS}/transfer", f"add-fd{how}", configuration(thin), "made", source))


def python(source, *mode, thin=False):
    program = f"{HERE}/python_add.py"
    return added(source, lambda: reported(sys.executable, program, configuration(thin), "made", source, *mode))


def imported(source):
    return added(source, lambda: timed("rbd", *USER, "import", "--no-progress", source, "images/made"))


def contest(work, contestants):
    return Contest(work, NOTHING, NOTHING, contestants).run(ROUNDS)


def add_unknown():
    return contest(f"add {IMAGE // MIB} MiB, size unknown, MD5 and SHA-512",
                   {OURS: ours("", SOURCE), PYTHON: python(SOURCE)})


def add_known():
    return contest(f"add {IMAGE // MIB} MiB, size known, MD5 and SHA-512",
                   {OURS: ours("-known", SOURCE), PYTHON: python(SOURCE, "known")})


def add_bare():
    return contest(f"add {IMAGE // MIB} MiB, no digests", {OURS: ours("-known-bare", SOURCE), RBD: imported(SOURCE)})


def add_sparse():
    return contest(f"add {4 * IMAGE // MIB} MiB, a tenth data, thin", {
        OURS: ours("-known", SPARSE, thin=True), f"{OURS}, no digests": ours("-known-bare", SPARSE, thin=True),
        PYTHON: python(SPARSE, "known", thin=True), RBD: imported(SPARSE)})


def gets(work, source, contestants):
    rbd("import", "--no-progress", source, "images/stored")
    try:
        return Contest(work, source, RESULT, contestants).run(ROUNDS)
    finally:
        remove("stored")


def fetched(how):
    return lambda: reported(f"{PROGRAMS}/transfer", f"get-fd{how}", configuration(False), "rbd://stored", RESULT)


def exported():
    return timed("rbd", *USER, "export", "--no-progress", "images/stored", RESULT)


def fetched_by_python():
    return reported(sys.executable, f"{HERE}/python_get.py", configuration(False), "rbd://stored", RESULT)


def get():
    return gets(f"get {IMAGE // MIB} MiB", SOURCE, {OURS: fetched(""), RBD: exported, PYTHON: fetched_by_python})


def compared(cost):
    """The same, whose result is compared with its source by bytes alone: rbd fills some of the holes."""
    def run():
        found = cost()
        subprocess.run(["cmp", SPARSE, RESULT], check=True)
        os.unlink(RESULT)
        return found
    return run


def get_sparse():
    """Without Python, which fills all of them."""
    return gets(f"get {4 * IMAGE // MIB} MiB, a tenth data", SPARSE, {OURS: compared(fetched("-sparse")), RBD: compared(exported)})


def make_sources():
    with open(SOURCE, "wb") as image:
        for _mib in range(IMAGE // MIB):
            image.write(os.urandom(MIB))
    places = random.Random(1).sample(range(4 * IMAGE // MIB), max(1, 4 * IMAGE // MIB // 10))
    with open(SPARSE, "wb") as image:
        image.truncate(4 * IMAGE)
        for place in places:
            image.seek(place * MIB)
            image.write(os.urandom(MIB))


def report(contests):
    print(f"{ROUNDS} rounds, contestants in turn. A ratio of 2 says that the other takes twice our wall time.\n")
    print("| work | against | ratio, best | ratio, median |")
    print("|---|---|---:|---:|")
    for one in contests:
        first, *others = one.costs
        for name in others:
            print(f"| {one.work}: {first} | {name} | {one.best(name) / one.best(first):.2f} | "
                  f"{one.median(name) / one.median(first):.2f} |")
    print("\n| work | contestant | best s | median s | CPU s | peak MiB |")
    print("|---|---|---:|---:|---:|---:|")
    for one in contests:
        for name in one.costs:
            peak = f"{one.peak(name):.0f}" if one.peak(name) else ""
            print(f"| {one.work} | {name} | {one.best(name):.2f} | {one.median(name):.2f} | {one.cpu(name):.2f} | {peak} |")


def main():
    works = [add_unknown, add_known, add_bare, add_sparse, get, get_sparse]
    chosen = [work for work in works if ONLY in work.__name__]
    if not chosen:
        sys.exit(f"no work has {ONLY!r} in its name: {', '.join(work.__name__ for work in works)}")
    make_sources()
    report([work() for work in chosen])


main()
