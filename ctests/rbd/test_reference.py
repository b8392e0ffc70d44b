"""Images exchanged with the Python glance_store, with rbd export and import, and with qemu-img, over one pool."""

import json
import os
import subprocess
import unittest

from support import Case, Ours, images
from reference import Reference

MIB = 1024 * 1024


def settings(**more):
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f"""
[DEFAULT]
enabled_backends = ceph:rbd
[glance_store]
default_backend = ceph
[ceph]
rbd_store_pool = {os.environ["CEPH_POOL"]}
rbd_store_user = {os.environ["CEPH_USER"]}
rbd_store_ceph_conf = {os.environ["CEPH_GLANCE_CONF"]}
rbd_store_chunk_size = 1
{lines}"""


def rbd(*arguments):
    command = ["rbd", "--conf", os.environ["CEPH_GLANCE_CONF"], "--id", os.environ["CEPH_USER"], *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def names():
    return rbd("ls", "images").decode().split()


def contents():
    """Those that say something about objects of 1 MiB."""
    chosen = ["empty", "one-byte", "random", "ragged-holes", "boundary-1048576-1", "boundary-1048576+0", "boundary-4194304+1"]
    every = images()
    return {name: every[name] for name in chosen}


class Exchanged(Case):
    def described(self, name):
        info = json.loads(rbd("info", "--format", "json", f"images/{name}"))
        snapshots = json.loads(rbd("snap", "ls", "--format", "json", f"images/{name}"))
        return ({key: info[key] for key in ("size", "order", "object_size", "format", "features", "flags")},
                [(snapshot["name"], snapshot["size"], snapshot["protected"]) for snapshot in snapshots])

    def test_each_reads_sizes_and_deletes_what_the_other_stored(self):
        libraries = self.open_both(settings(), None)
        for name, content in contents().items():
            path = self.write("image", content)
            for adds, reads in (libraries, libraries[::-1]):
                with self.subTest(image=name, adds=type(adds).__name__):
                    stored = adds.add("im", path, len(content), store="ceph")
                    uri = stored[0]
                    self.assertEqual(reads.read(uri, "ceph"), content)
                    self.assertEqual(reads.get_size(uri, "ceph"), len(content))
                    with self.assertRaises(Exception) as caught:
                        reads.add("im", path, len(content), store="ceph")
                    self.assertEqual(type(caught.exception).__name__, "Duplicate")
                    reads.delete(uri, "ceph")
                    self.assertGone(adds, uri, "ceph")
                    self.assertEqual(names(), [])

    def test_both_store_the_same_thing(self):
        for thin in "false", "true":
            both = self.open_both(settings(rbd_thin_provisioning=thin), None)
            for name in "empty", "ragged-holes":
                content = contents()[name]
                path = self.write("image", content)
                with self.subTest(image=name, thin=thin):
                    found = []
                    for library in both:
                        stored = library.add("im", path, store="ceph")
                        found.append((stored, self.described("im"), rbd("export", "--no-progress", "images/im@snap", "-")))
                        library.delete(stored[0], "ceph")
                    self.assertEqual(found[0], found[1])
                    self.assertEqual(found[1][2], content)

    def test_failures_have_the_names_of_the_reference(self):
        both = self.open_both(settings(), None)
        fsid = os.environ["CEPH_FSID"]
        for uri in f"rbd://{fsid}/images/none/snap", "rbd://none":
            for action in (lambda library: library.get_size(uri, "ceph"), lambda library: library.delete(uri, "ceph")):
                with self.subTest(uri=uri):
                    self.assertEqual(self.names_of_failure(action, both), ["NotFound", "NotFound"])
        for uri in "rbd://a/b", "rbd://a/b/c/d/e", "rbd:///a":
            with self.subTest(uri=uri):
                self.assertEqual(self.names_of_failure(lambda library: library.get_size(uri, "ceph"), both),
                                 ["BadStoreUri", "BadStoreUri"])

    def test_images_go_out_by_export_and_come_in_by_import(self):
        ours = self.open(Ours, settings())
        content = contents()["ragged-holes"]
        uri = ours.add("im", self.write("image", content), store="ceph")[0]
        self.assertEqual(rbd("export", "--no-progress", "images/im@snap", "-"), content)
        ours.delete(uri, "ceph")
        rbd("import", "--no-progress", self.path("image"), "images/imported")
        self.assertEqual(ours.read("rbd://imported", "ceph"), content)
        ours.delete("rbd://imported", "ceph")
        self.assertEqual(names(), [])

    def test_qemu_reads_what_is_stored_and_writes_what_is_read(self):
        tried = subprocess.run(["qemu-img", "info", "rbd:images/none"], capture_output=True, timeout=60).stderr
        if b"qemu-block-extra" in tried or b"Unknown protocol" in tried:
            self.skipTest("qemu-img has no rbd here")
        ours = self.open(Ours, settings())
        content = contents()["random"][:3 * MIB]
        uri = ours.add("im", self.write("image", content), store="ceph")[0]
        options = f":id={os.environ['CEPH_USER']}:conf={os.environ['CEPH_GLANCE_CONF']}"
        convert = ["qemu-img", "convert", "-f", "raw", "-O", "raw"]
        subprocess.run([*convert, f"rbd:images/im@snap{options}", self.path("copy")], check=True, timeout=60)
        with open(self.path("copy"), "rb") as copy:
            self.assertEqual(copy.read(), content)
        subprocess.run([*convert, self.path("image"), f"rbd:images/made{options}"], check=True, timeout=60)
        self.assertEqual(ours.read("rbd://made", "ceph"), content)
        ours.delete("rbd://made", "ceph")
        ours.delete(uri, "ceph")


if __name__ == "__main__":
    unittest.main()
