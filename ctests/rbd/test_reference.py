"""Images exchanged with the Python glance_store, and with rbd export and import, over one pool."""

import json
import os
import unittest

from pool import names, rbd, settings
from support import Case, Ours, images
from reference import Reference


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


if __name__ == "__main__":
    unittest.main()
