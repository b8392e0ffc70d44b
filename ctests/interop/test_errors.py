"""Both libraries refuse the same things, by the same names."""

import os
import unittest

from support import Case


class Names(Case):
    def setUp(self):
        super().setUp()
        self.source = self.write("source", b"abc")

    def single(self, more=""):
        return self.open_both("[glance_store]\nstores = file\n"
                              "filesystem_store_datadir = {directory}/images\n" + more)

    def assertSame(self, action, both, name):
        self.assertEqual(self.names_of_failure(action, both), [name, name])

    def test_operations(self):
        both = self.single()
        both[0].add("taken", self.source)
        os.mkdir(self.path("images", "directory"))
        absent = "file://" + self.path("images", "absent")
        cases = {
            "same id": (lambda it: it.add("taken", self.source), "Duplicate"),
            "too long": (lambda it: it.add("long", self.source, 2), "Invalid"),
            "too short": (lambda it: it.add("short", self.source, 4), "Invalid"),
            "hash": (lambda it: it.add("hash", self.source, hash_name="nope"), "UnknownHashingAlgo"),
            "hash in capitals": (lambda it: it.add("hash", self.source, hash_name="SHA256"),
                                 "UnknownHashingAlgo"),
            "read absent": (lambda it: it.read(absent), "NotFound"),
            "size absent": (lambda it: it.get_size(absent), "NotFound"),
            "delete absent": (lambda it: it.delete(absent), "NotFound"),
            "delete directory": (lambda it: it.delete("file://" + self.path("images", "directory")),
                                 "Forbidden"),
            "no path": (lambda it: it.read("file://"), "BadStoreUri"),
        }
        for what, (action, name) in cases.items():
            with self.subTest(what):
                self.assertSame(action, both, name)
        self.assertEqual(sorted(os.listdir(self.path("images"))), ["directory", "taken"])

    def test_a_store_that_cannot_be_written(self):
        cases = {
            "no read for the owner": "filesystem_store_file_perm = 7\n",
            "no metadata file": "filesystem_store_metadata_file = {directory}/absent.json\n",
            "both kinds of directories": "filesystem_store_datadirs = {directory}/b\n",
        }
        readable = self.single()[0].add("image", self.source)[0]
        for what, option in cases.items():
            with self.subTest(what):
                both = self.single(option)
                self.assertSame(lambda it: it.add("x", self.source), both, "StoreAddDisabled")
                self.assertSame(lambda it: it.delete(readable), both, "StoreDeleteNotSupported")
                for library in both:
                    self.assertEqual(library.capabilities(), 0x47)
                    self.assertEqual(library.read(readable), b"abc")

    def test_a_store_that_can(self):
        for library in self.single():
            self.assertEqual(library.capabilities(), 0x4F)

    def test_stores_that_do_not_exist(self):
        both = self.open_both("""
[DEFAULT]
enabled_backends = s:file
[glance_store]
default_backend = s
[s]
filesystem_store_datadir = {directory}/s
""")
        ours = both[1].registry
        uri = both[0].add("image", self.source)[0]
        self.assertEqual(self.names_of_failure(lambda it: it.read(uri, "t"), both),
                         ["UnknownScheme", "KeyError"])
        self.assertEqual(ours.resolve(uri).id, "s")


if __name__ == "__main__":
    unittest.main()
