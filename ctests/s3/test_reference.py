"""Images in S3, written by this library or the Python glance_store and read, sized and deleted by the other."""

import hashlib
import os
import random
import subprocess
import unittest

from reference import Reference
from support import Case, Ours

MIB = 1 << 20
URL, BUCKET = os.environ["S3_URL"], os.environ["S3_BUCKET"]
HOST = URL.split("://")[1]
ACCESS, SECRET = os.environ["S3_ACCESS_KEY"], os.environ["S3_SECRET_KEY"]
OPTIONS = f"""s3_store_host = {URL}
s3_store_bucket = {BUCKET}
s3_store_access_key = {ACCESS}
s3_store_secret_key = {SECRET}
s3_store_large_object_size = 6
s3_store_large_object_chunk_size = 5
"""
SINGLE = f"[glance_store]\nstores = s3\ndefault_store = s3\n{OPTIONS}"
MULTI = f"[DEFAULT]\nenabled_backends = objects:s3\n[glance_store]\ndefault_backend = objects\n[objects]\n{OPTIONS}"
OLD_FORM = "s3_store_credentials_in_location = true\n"
SIZES = 0, 1, 5120, 6 * MIB - 1, 6 * MIB, 11 * MIB + 17


def holdings():
    command = [*os.environ["S3_TOOL"].split(), "list", BUCKET]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Interop(Case):
    def setUp(self):
        super().setUp()
        self.before = holdings()
        self.addCleanup(lambda: self.assertEqual(self.before, holdings()))

    def exchange(self, writer, reader, image_id, size, told, store=None):
        """An image goes in by the one and out by the other; how it was told, and its digests."""
        content = random.Random(size).randbytes(size)
        path = self.write("content", content)
        uri, stored, checksum, multihash, metadata = writer.add(image_id, path, told, "sha256", store)
        self.assertEqual((stored, checksum), (size, hashlib.md5(content).hexdigest()))
        self.assertEqual(multihash, hashlib.sha256(content).hexdigest())
        self.assertEqual(reader.get_size(uri, store), size)
        self.assertEqual(reader.read(uri, store), content)
        held = [line for line in holdings().splitlines() if image_id in line]
        reader.delete(uri, store)
        self.assertGone(writer, uri, store)
        return uri, metadata, held

    def test_images_of_the_reference_are_ours(self):
        both = self.open_both(SINGLE)
        for size in SIZES:
            for told in size, 0:
                with self.subTest(size=size, told=told):
                    self.exchange(*both, f"theirs-{size}-{told}", size, told)

    def test_images_of_ours_are_the_references(self):
        reference, ours = self.open_both(SINGLE)
        for size in SIZES:
            for told in size, None:
                with self.subTest(size=size, told=told):
                    self.exchange(ours, reference, f"ours-{size}-{told}", size, told)

    def test_what_is_stored_and_told_is_the_same(self):
        reference, ours = self.open_both(MULTI)
        for size in 5120, 11 * MIB + 17:
            with self.subTest(size=size):
                theirs = self.exchange(reference, ours, f"same-{size}", size, size, "objects")
                mine = self.exchange(ours, reference, f"same-{size}", size, size, "objects")
                self.assertEqual(theirs, mine)
                self.assertEqual(mine[0], f"s3://{HOST}/{BUCKET}/same-{size}")
                self.assertEqual(mine[1], {"store": "objects"})

    def test_locations_of_older_references_name_the_same_images(self):
        reference, ours = self.open(Reference, SINGLE), self.open(Ours, SINGLE + OLD_FORM)
        old, size, *_ = ours.add("old-form", self.write("content", b"content"), 7)
        self.assertEqual((old, size), (f"s3://{ACCESS}:{SECRET}@{HOST}/{BUCKET}/old-form", 7))
        self.assertEqual(reference.read(old), b"content")
        for uri in f"s3://{HOST}/{BUCKET}/old-form", f"s3+http://{HOST}/{BUCKET}/old-form":
            self.assertEqual(ours.read(uri), b"content")
            self.assertEqual(reference.read(uri), b"content")
        reference.delete(old)
        self.assertGone(ours, old)

    def test_refusals_have_the_same_names(self):
        reference, _ = both = self.open_both(SINGLE)
        path = self.write("content", b"content")
        uri = reference.add("taken", path, 7)[0]
        self.assertEqual(self.names_of_failure(lambda library: library.add("taken", path, 7), both), ["Duplicate"] * 2)
        reference.delete(uri)
        for action in (lambda library: library.read(uri), lambda library: library.get_size(uri),
                       lambda library: library.delete(uri)):
            self.assertEqual(self.names_of_failure(action, both), ["NotFound"] * 2)
        wrong = "s3://host/only"
        self.assertEqual(self.names_of_failure(lambda library: library.get_size(wrong), both), ["BadStoreUri"] * 2)
        poor = SINGLE.replace(f"s3_store_bucket = {BUCKET}", "s3_store_bucket =")
        self.assertEqual(self.names_of_failure(lambda library: library.add("x", path, 7), self.open_both(poor)),
                         ["StoreAddDisabled"] * 2)


if __name__ == "__main__":
    unittest.main()
