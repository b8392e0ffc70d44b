"""Images exchanged with qemu-img, which $QEMU_IMG is, over one pool."""

import json
import os
import unittest

from pool import names, rbd, run, settings
from support import Case, Ours, images

CONTENTS = ["empty", "one-byte", "random", "ragged-holes", "hole-first", "boundary-1048576+0", "boundary-4194304+1"]
RAW = ["-f", "raw", "-O", "raw"]


def qemu_img(*arguments):
    return run(os.environ["QEMU_IMG"], *arguments)


def of_qemu(name):
    """An image of the pool, as qemu-img calls it."""
    return f"rbd:images/{name}:id={os.environ['CEPH_USER']}:conf={os.environ['CEPH_GLANCE_CONF']}"


def contents():
    """Of whole sectors: of others in rbd it reads too much and aborts."""
    every = images()
    return {name: every[name] + bytes(-len(every[name]) % 512) for name in CONTENTS}


class Exchanged(Case):
    def test_qemu_reads_what_is_stored(self):
        for thin in "false", "true":
            ours = self.open(Ours, settings(rbd_thin_provisioning=thin))
            for name, content in contents().items():
                with self.subTest(image=name, thin=thin):
                    image = f"{name}-{thin}"
                    uri = ours.add(image, self.write("image", content), store="ceph")[0]
                    stored = of_qemu(f"{image}@snap")
                    self.assertEqual(json.loads(qemu_img("info", "--output", "json", stored))["virtual-size"], len(content))
                    qemu_img("convert", *RAW, stored, self.path("copy"))
                    with open(self.path("copy"), "rb") as copy:
                        self.assertEqual(copy.read(), content)
                    ours.delete(uri, "ceph")
        self.assertEqual(names(), [])

    def test_what_qemu_writes_is_read(self):
        ours = self.open(Ours, settings())
        for name, content in contents().items():
            with self.subTest(image=name):
                qemu_img("convert", *RAW, self.write("image", content), of_qemu(name))
                self.assertEqual(ours.read(f"rbd://{name}", "ceph"), content)
                rbd("snap", "create", "--no-progress", f"images/{name}@mine")
                uri = f"rbd://{os.environ['CEPH_FSID']}/images/{name}/mine"
                self.assertEqual(ours.get_size(uri, "ceph"), len(content))
                self.assertEqual(ours.read(uri, "ceph"), content)
                ours.delete(uri, "ceph")
        self.assertEqual(names(), [])


if __name__ == "__main__":
    unittest.main()
