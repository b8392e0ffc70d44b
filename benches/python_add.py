"""The Python glance_store's side of the benches: python_add.py CONFIG IMAGE-ID FILE [sync|known]

Prints "wall-seconds cpu-seconds peak-KiB" of one add with MD5 and SHA-512, without what Python needs
to start.  With "sync" the image is on the disk before the clock stops; with "known" the size is told.
"""

import os
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


def sync(uri):
    for path in uri[len("file://"):], os.path.dirname(uri[len("file://"):]):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def main(config, image_id, path, *mode):
    backend.register_opts(cfg.CONF)
    cfg.CONF([], project="glance", default_config_files=[config])
    backend.create_stores(cfg.CONF)
    with open(path, "rb") as source:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as references:
            references.write("5")
        resident, cpu_start, start = memory("VmRSS:"), cpu(), time.perf_counter()
        size = os.path.getsize(path) if "known" in mode else 0
        uri = backend.add_to_backend_with_multihash(cfg.CONF, image_id, source, size, "sha512")[0]
        if "sync" in mode:
            sync(uri)
        wall = time.perf_counter() - start
        print(f"{wall:.6f} {cpu() - cpu_start:.6f} {memory('VmHWM:') - resident}")


main(*sys.argv[1:])
