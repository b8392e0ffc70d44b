import unittest

import glance_store_c as gs
from glance_store_c import exceptions

from .support import StoreCase


class Mapping(StoreCase):
    def test_carries_what_the_library_told(self):
        uri = "file://" + self.path("images", "absent")
        with self.assertRaises(exceptions.NotFound) as caught:
            self.store.read(uri)
        error = caught.exception
        self.assertIsInstance(error, gs.GlanceStoreException)
        self.assertEqual(error.status, gs.Status.NOT_FOUND)
        self.assertIn("absent", error.message)
        self.assertEqual((str(error), error.msg), (error.message, error.message))
        self.assertEqual((error.http_status, error.retryable), (0, False))

    def test_names_follow_the_status(self):
        uri = self.store.add("image", b"abc").uri
        cases = {
            exceptions.Duplicate: lambda: self.store.add("image", b"abc"),
            exceptions.UnknownHashingAlgo: lambda: self.store.add("b", b"", hash_name="sha0"),
            exceptions.Invalid: lambda: self.store.add("../b", b""),
            exceptions.UnknownScheme: lambda: self.registry.resolve("nope://x"),
            exceptions.BadStoreUri: lambda: self.store.read("file://"),
            exceptions.Forbidden: lambda: self.store.read("file:///etc/passwd"),
            exceptions.NotFound: lambda: self.store.read(uri + "x"),
        }
        for kind, call in cases.items():
            with self.subTest(kind.__name__), self.assertRaises(kind):
                call()

    def test_a_store_that_cannot_be_written(self):
        registry = self.open_registry({"filesystem_store_file_perm": "7"})
        self.assertTrue(registry.default.add_disabled)
        with self.assertRaises(exceptions.StoreAddDisabled):
            registry.default.add("image", b"abc")


class Statuses(unittest.TestCase):
    def test_a_status_of_a_newer_library(self):
        self.assertIs(gs.Status(99), gs.Status.FAILED)
