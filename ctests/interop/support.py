"""Both libraries over one directory and one configuration file."""

import contextlib
import json
import os
import random
import tempfile
import unittest

import glance_store_c as gs
from reference import Reference

KIB = 1024
CHUNK = 64 * KIB  # filesystem_store_chunk_size, unless set


class Ours:
    """This library, with the methods of Reference."""

    def __init__(self, path, reserved=None):
        with gs.Config(path) as config:
            for store_id, driver in (reserved or {}).items():
                config.reserve_store(store_id, driver)
            self.registry = gs.Registry(config)

    def _store(self, store_id):
        return self.registry[store_id] if store_id else self.registry.default

    def add(self, image_id, path, size=None, hash_name="sha512", store=None, context=None):
        with open(path, "rb", buffering=0) as source:
            image = self._store(store).add(image_id, source, size, hash_name=hash_name,
                                           context=_context(context))
        return image.uri, image.size, image.checksum, image.multihash, image.metadata

    def read(self, uri, store=None, context=None):
        return self._store(store).read(uri, context=_context(context))

    def get_size(self, uri, store=None, context=None):
        return self._store(store).get_size(uri, context=_context(context))

    def delete(self, uri, store=None, context=None):
        self._store(store).delete(uri, context=_context(context))

    def capabilities(self, store=None):
        return int(self._store(store).capabilities)

    def close(self):
        self.registry.close()


def _context(attributes):
    """What is a context to Reference as one of this library."""
    if not attributes:
        return None
    others = dict(attributes)
    return gs.Context(service_catalog_json=json.dumps(others.pop("service_catalog")), **others)


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def write(self, name, content):
        """A file in the test's directory; `{directory}` in a text stands for that."""
        if isinstance(content, str):
            content = content.replace("{directory}", self.directory).encode()
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def open(self, kind, settings, reserved=None):
        """The stores of a configuration file with these settings: a Reference or Ours."""
        library = kind(self.write("glance-api.conf", settings), reserved)
        self.addCleanup(library.close)
        return library

    def open_both(self, settings, reserved=None):
        """(the Python glance_store, this library) with the same configuration file."""
        return [self.open(kind, settings, reserved) for kind in (Reference, Ours)]

    def names_of_failure(self, action, both):
        """The name of the exception that `action` raises with each library."""
        names = []
        for library in both:
            with self.assertRaises(Exception) as caught:
                action(library)
            names.append(type(caught.exception).__name__)
        return names

    def assertGone(self, library, uri, store=None):
        with self.assertRaises(Exception) as caught:
            library.get_size(uri, store)
        self.assertEqual(type(caught.exception).__name__, "NotFound")


def images():
    """Contents that have tripped image stores, by name."""
    source = random.Random(7)
    contents = {
        "empty": b"",
        "one-byte": b"\x00",
        "small": b"I am a bootable image, I promise",
        "sector": source.randbytes(512),
        "zeros": bytes(3 * CHUNK),
        "random": source.randbytes(3 * 1024 * KIB + 12345),
        "hole-first": bytes(20 * CHUNK) + b"x",
        "hole-last": b"x" + bytes(20 * CHUNK),
        "holes": b"".join(source.randbytes(CHUNK) + bytes(9 * CHUNK) for _ in range(8)),
        "ragged-holes": b"".join(source.randbytes(1000) + bytes(CHUNK + 3) for _ in range(20)),
    }
    for size in CHUNK, 256 * KIB, 1024 * KIB, 4096 * KIB:
        for beside in -1, 0, 1:
            contents[f"boundary-{size}{beside:+d}"] = source.randbytes(size + beside)
    return contents


@contextlib.contextmanager
def sparse_file(path, content):
    """`content` in a file whose runs of zeros are holes."""
    with open(path, "wb") as file:
        for start in range(0, len(content), 4 * KIB):
            piece = content[start:start + 4 * KIB]
            if any(piece):
                file.seek(start)
                file.write(piece)
        file.truncate(len(content))
    yield path
    os.unlink(path)
