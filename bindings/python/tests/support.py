"""A file store in a directory of its own, for each test."""

import os
import tempfile
import unittest

import glance_store_c as gs


class StoreCase(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.registry = self.open_registry({})
        self.store = self.registry.default

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def open_registry(self, settings):
        with gs.Config() as config:
            config.set("stores", "file", "glance_store")
            config.set("filesystem_store_datadir", self.path("images"), "glance_store")
            for key, value in settings.items():
                config.set(key, value, "glance_store")
            registry = gs.Registry(config)
        self.addCleanup(registry.close)
        return registry

    def assertNothingStored(self):
        self.assertEqual(os.listdir(self.path("images")), [])


def pattern(size):
    """`size` bytes in which no two places look alike soon."""
    block = b"".join(number.to_bytes(4, "big") for number in range(16384))
    return (block * (size // len(block) + 1))[:size]
