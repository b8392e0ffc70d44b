"""The Python glance_store's side of the benches over HTTP: python_get.py CONFIG URI FILE

Prints "wall-seconds cpu-seconds peak-KiB" of one get, without what Python needs to start.
"""

import resource
import sys
import time

from glance_store import backend
from oslo_config import cfg


def memory(line):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(text.split()[1]) for text in status if text.startswith(line))


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(config, uri, path):
    backend.register_opts(cfg.CONF)
    cfg.CONF([], project="glance", default_config_files=[config])
    backend.create_stores(cfg.CONF)
    with open(path, "wb") as target:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as references:
            references.write("5")
        resident, cpu_start, start = memory("VmRSS:"), cpu(), time.perf_counter()
        pieces, _size = backend.get_from_backend(uri)
        for piece in pieces:
            target.write(piece)
        wall = time.perf_counter() - start
        print(f"{wall:.6f} {cpu() - cpu_start:.6f} {memory('VmHWM:') - resident}")


main(*sys.argv[1:])
