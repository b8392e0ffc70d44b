"""Images written by one library are read, sized and deleted by the other."""

import hashlib
import unittest

import glance_store_c as gs
from support import Case, images, sparse_file


class Exchange(Case):
    """What must hold in every mode; the modes below say how stores are configured."""

    settings = None
    stores = None

    def setUp(self):
        super().setUp()
        self.both = self.open_both(self.settings)

    def sources(self):
        """Every content as a plain and as a sparse file: (name, path, content)."""
        for name, content in images().items():
            path = self.write("source", content)
            yield name, path, content
            with sparse_file(self.path("sparse"), content) as path:
                yield name + " from holes", path, content

    def test_both_directions(self):
        for store in self.stores:
            for writer, reader in self.both, reversed(self.both):
                for name, path, content in self.sources():
                    with self.subTest(name, store=store, writer=type(writer).__name__):
                        self.exchange(writer, reader, path, content, store)

    def exchange(self, writer, reader, path, content, store):
        uri = writer.add("image", path, store=store)[0]
        self.assertEqual(reader.get_size(uri, store), len(content))
        self.assertTrue(reader.read(uri, store) == content, "the bytes differ")
        reader.delete(uri, store)
        self.assertGone(writer, uri, store)
        self.assertGone(reader, uri, store)

    def test_both_tell_the_same(self):
        """URI, size, checksum, multihash and metadata."""
        for store in self.stores:
            for name, path, content in self.sources():
                with self.subTest(name, store=store):
                    told = [self.add_and_delete(library, path, len(content), store)
                            for library in self.both]
                    self.assertEqual(*told)

    def add_and_delete(self, library, path, size, store, hash_name="sha512"):
        told = library.add("image", path, size, hash_name=hash_name, store=store)
        library.delete(told[0], store)
        return told

    def test_every_hash_that_both_know(self):
        path = self.write("source", images()["random"])
        names = set(gs.hash_names()) & hashlib.algorithms_available
        self.assertGreaterEqual(names, {"md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b"})
        for name in sorted(names):
            with self.subTest(name):
                self.assertEqual(*(self.add_and_delete(library, path, 0 if library is self.both[0]
                                                       else None, self.stores[0], name)
                                   for library in self.both))

    def test_every_way_to_read(self):
        """get in pieces, get of a part and random reads of what glance_store wrote."""
        reference, ours = self.both
        content = images()["random"]
        store = self.stores[0]
        told = reference.add("image", self.write("source", content), store=store)
        uri = told[0]
        image_store = ours.registry.resolve(uri)
        self.assertEqual(b"".join(image_store.chunks(uri)), content)
        self.assertEqual(image_store.read(uri, offset=65535, length=65538),
                         content[65535:65535 + 65538])
        with image_store.open(uri) as reader:
            self.assertEqual(reader.size, len(content))
            self.assertEqual(reader.pread(4096, len(content) - 4000), content[-4000:])
        examined = image_store.examine(uri, hash_name="sha512")
        self.assertEqual((examined.uri, examined.size, examined.checksum, examined.multihash),
                         told[:4])
        with open(self.path("copy"), "wb", buffering=0) as target:
            image_store.get(uri, target, expect_checksum=hashlib.md5(content).hexdigest())
        with open(self.path("copy"), "rb") as target:
            self.assertEqual(target.read(), content)

    def test_both_spellings_of_the_scheme(self):
        reference, ours = self.both
        store = self.stores[0]
        uri = reference.add("image", self.write("source", b"abc"), store=store)[0]
        for spelling in uri, uri.replace("file://", "filesystem://"), uri.replace(
                "file:///", "file:////"):
            with self.subTest(spelling):
                self.assertEqual(ours.read(spelling, store), b"abc")
                self.assertEqual(reference.read(spelling, store), b"abc")


class SingleStore(Exchange):
    settings = """
[glance_store]
stores = file
default_store = file
filesystem_store_datadir = {directory}/images
"""
    stores = [None]


class MultiStore(Exchange):
    settings = """
[DEFAULT]
enabled_backends = fast:file, cheap:file
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = {directory}/fast
[cheap]
filesystem_store_datadir = {directory}/cheap
filesystem_store_chunk_size = 1000
"""
    stores = ["fast", "cheap"]

    def test_the_default_store(self):
        """An add that names no store goes to the same place."""
        path = self.write("source", b"abc")
        told = [self.add_and_delete(library, path, 3, None) for library in self.both]
        self.assertEqual(*told)
        self.assertEqual(told[0][4], {"store": "fast"})


def load_tests(loader, _tests, _pattern):
    return unittest.TestSuite(loader.loadTestsFromTestCase(case)
                              for case in (SingleStore, MultiStore))


if __name__ == "__main__":
    unittest.main()
