import hashlib
import io
import os
import socket
import tempfile
import threading

import glance_store_c as gs
from glance_store_c import exceptions

from .support import StoreCase, pattern

DATA = pattern(3 * 1024 * 1024 + 1)


class Source:
    """The least a file object can be."""

    def __init__(self, data):
        self._stream = io.BytesIO(data)

    def read(self, length):
        return self._stream.read(min(length, 70001))


class Target:
    def __init__(self):
        self.data = bytearray()

    def write(self, view):
        """Takes less than it is given, as raw streams may."""
        piece = view[:50001]
        self.data += piece
        return len(piece)


class Add(StoreCase):
    def test_tells_what_was_stored(self):
        image = self.store.add("one", io.BytesIO(DATA), len(DATA), hash_name="sha256")
        self.assertEqual(image, gs.Image(
            uri="file://" + self.path("images", "one"), size=len(DATA),
            checksum=hashlib.md5(DATA).hexdigest(), multihash=hashlib.sha256(DATA).hexdigest(),
            hash_name="sha256", store_id="file", metadata={}))

    def test_takes_every_kind_of_source(self):
        path = self.path("source")
        with open(path, "wb") as file:
            file.write(DATA)
        pieces = [DATA[:1], b"", bytearray(DATA[1:1000]), memoryview(DATA[1000:])]
        with open(path, "rb") as buffered, open(path, "rb", buffering=0) as raw, \
                open(path, "rb") as lent:
            sources = {
                "buffered": buffered, "raw": raw, "fd": lent.fileno(), "bytes": DATA,
                "bytearray": bytearray(DATA), "memoryview": memoryview(DATA),
                "BytesIO": io.BytesIO(DATA), "read only": Source(DATA), "list": pieces,
                "generator": (piece for piece in pieces),
            }
            for name, source in sources.items():
                with self.subTest(name):
                    image = self.store.add(name.replace(" ", "-"), source)
                    self.assertEqual(self.store.read(image.uri), DATA)

    def test_reads_a_pipe_of_unknown_size(self):
        ours, theirs = socket.socketpair()

        def send():
            with ours:
                ours.sendall(DATA)
        thread = threading.Thread(target=send)
        thread.start()
        with theirs:
            image = self.store.add("pipe", theirs.fileno())
        thread.join()
        self.assertEqual(self.store.read(image.uri), DATA)

    def test_empty_image(self):
        for size in None, 0:
            image = self.store.add(f"empty-{size}", b"", size)
            self.assertEqual((image.size, self.store.read(image.uri)), (0, b""))

    def test_without_checksum(self):
        image = self.store.add("plain", b"abc", checksum=False)
        self.assertEqual((image.checksum, image.multihash), ("", ""))

    def test_wrong_size_leaves_nothing(self):
        for size in 2, 4:
            with self.subTest(size), self.assertRaises(exceptions.Invalid) as caught:
                self.store.add("short", b"abc", size)
            self.assertEqual(caught.exception.status, gs.Status.SIZE_MISMATCH)
        self.assertNothingStored()

    def test_a_source_that_raises_leaves_nothing(self):
        def pieces():
            yield b"abc"
            raise LookupError("the disk is gone")
        with self.assertRaisesRegex(LookupError, "the disk is gone"):
            self.store.add("torn", pieces())
        self.assertNothingStored()

    def test_a_source_that_is_no_bytes_is_refused(self):
        for source in io.StringIO("text"), "text", ["text"], [7], 3.5:
            with self.subTest(repr(source)), self.assertRaises(TypeError):
                self.store.add("odd", source)
        self.assertNothingStored()

    def test_a_source_that_reads_too_much_is_refused(self):
        class Greedy:
            def read(self, length):
                return bytes(length + 1)
        with self.assertRaisesRegex(ValueError, "returned"):
            self.store.add("greedy", Greedy())
        self.assertNothingStored()

    def test_a_stream_that_does_not_block_is_refused(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        theirs.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.store.add("waiting", theirs.makefile("rb", buffering=0))
        self.assertNothingStored()

    def test_verify_sees_all_and_may_refuse(self):
        seen = hashlib.sha1()
        self.store.add("seen", DATA, verify=seen.update)
        self.assertEqual(seen.hexdigest(), hashlib.sha1(DATA).hexdigest())

        def refuse(_view):
            raise PermissionError("not signed")
        with self.assertRaisesRegex(PermissionError, "not signed"):
            self.store.add("refused", DATA, verify=refuse)
        self.assertEqual(os.listdir(self.path("images")), ["seen"])

    def test_expected_hashes(self):
        md5, sha512 = hashlib.md5(DATA).hexdigest(), hashlib.sha512(DATA).hexdigest()
        self.store.add("good", DATA, hash_name="sha512", expect_checksum=md5,
                       expect_multihash=sha512)
        with self.assertRaises(exceptions.Invalid) as caught:
            self.store.add("bad", DATA, expect_checksum="0" * 32)
        self.assertEqual(caught.exception.status, gs.Status.VERIFY_FAILED)
        self.assertEqual(os.listdir(self.path("images")), ["good"])

    def test_progress_reports_and_its_exception_stops(self):
        reports = []
        self.store.add("known", DATA, len(DATA), progress=lambda *report: reports.append(report))
        self.assertEqual(reports[-1], (len(DATA), len(DATA)))
        self.store.add("unknown", io.BytesIO(DATA),
                       progress=lambda *report: reports.append(report))
        self.assertEqual(reports[-1][0], len(DATA))

        def stop(_done, _total):
            raise StopIteration("enough")
        with self.assertRaisesRegex(StopIteration, "enough"):
            self.store.add("stopped", DATA, progress=stop)
        self.assertEqual(sorted(os.listdir(self.path("images"))), ["known", "unknown"])


class Get(StoreCase):
    def setUp(self):
        super().setUp()
        self.uri = self.store.add("image", DATA).uri

    def test_into_every_kind_of_target(self):
        buffered, raw = open(self.path("a"), "wb"), open(self.path("b"), "wb", buffering=0)
        lent, odd, memory = open(self.path("c"), "wb"), Target(), io.BytesIO()
        with buffered, raw, lent:
            for target in buffered, raw, lent.fileno(), odd, memory:
                self.assertIsNone(self.store.get(self.uri, target))
        for name in "abc":
            with open(self.path(name), "rb") as file:
                self.assertEqual(file.read(), DATA)
        self.assertEqual(odd.data, DATA)
        self.assertEqual(memory.getvalue(), DATA)

    def test_a_part(self):
        self.assertEqual(self.store.read(self.uri, offset=5, length=7), DATA[5:12])
        self.assertEqual(self.store.read(self.uri, offset=len(DATA) - 3), DATA[-3:])
        self.assertEqual(self.store.read(self.uri, offset=len(DATA)), b"")
        for bad in {"length": 0}, {"length": -1}, {"offset": -1}:
            with self.subTest(bad), self.assertRaises(ValueError):
                self.store.read(self.uri, **bad)

    def test_in_chunks(self):
        self.assertEqual(b"".join(self.store.chunks(self.uri)), DATA)

    def test_chunks_left_early_stop_the_transfer(self):
        chunks = self.store.chunks(self.uri)
        first = next(chunks)
        chunks.close()
        self.assertTrue(DATA.startswith(first))

    def test_chunks_raise_what_the_get_raises(self):
        with self.assertRaises(exceptions.NotFound):
            next(self.store.chunks(self.uri + "x"))
        with self.assertRaises(exceptions.Invalid):
            for _ in self.store.chunks(self.uri, expect_checksum="0" * 32):
                pass

    def test_a_target_that_raises(self):
        class Full:
            def write(self, _view):
                raise OSError(28, "no room")
        with self.assertRaises(OSError) as caught:
            self.store.get(self.uri, Full())
        self.assertEqual(caught.exception.errno, 28)

    def test_expected_checksum(self):
        self.store.read(self.uri, expect_checksum=hashlib.md5(DATA).hexdigest())
        with self.assertRaises(exceptions.Invalid):
            self.store.read(self.uri, expect_checksum="0" * 32)

    def test_holes_stay_holes(self):
        size = 8 * 1024 * 1024
        with open(self.path("sparse"), "w+b", buffering=0) as source:
            source.write(b"head")
            source.truncate(size)
            source.seek(0)
            uri = self.store.add("sparse", source).uri
        for buffering in 0, -1:
            with self.subTest(buffering=buffering), \
                    tempfile.TemporaryFile(dir=self.directory, buffering=buffering) as target:
                self.store.get(uri, target, sparse=True)
                target.seek(0)
                self.assertEqual(target.read(), b"head" + bytes(size - 4))
                self.assertLess(os.fstat(target.fileno()).st_blocks * 512, size)


class Others(StoreCase):
    def test_size_and_delete(self):
        uri = self.store.add("image", b"abc").uri
        self.assertEqual(self.store.get_size(uri), 3)
        self.store.delete(uri)
        for gone in self.store.get_size, self.store.delete, self.store.read, self.store.open:
            with self.subTest(gone.__name__), self.assertRaises(exceptions.NotFound):
                gone(uri)

    def test_examine(self):
        added = self.store.add("image", DATA, hash_name="sha512")
        seen = hashlib.sha1()
        self.assertEqual(self.store.examine(added.uri, hash_name="sha512", verify=seen.update,
                                            expect_multihash=added.multihash), added)
        self.assertEqual(seen.hexdigest(), hashlib.sha1(DATA).hexdigest())
        with self.assertRaises(exceptions.Invalid):
            self.store.examine(added.uri, expect_checksum="0" * 32)
        with self.assertRaises(exceptions.NotFound):
            self.store.examine(added.uri + "x")

    def test_set_acls_is_answered_by_the_store(self):
        uri = self.store.add("image", b"abc").uri
        with self.assertRaises(gs.GlanceStoreException) as caught:
            self.store.set_acls(uri, public=True, readers=["a", "b"], writers=["c"])
        self.assertEqual(caught.exception.status, gs.Status.NOT_SUPPORTED)

    def test_copy(self):
        uri = self.store.add("image", DATA).uri
        other = self.open_registry({"filesystem_store_datadir": self.path("others")}).default
        image = other.copy_from("copy", self.store, uri, hash_name="sha1")
        self.assertEqual(image.multihash, hashlib.sha1(DATA).hexdigest())
        self.assertEqual(other.read(image.uri), DATA)

    def test_a_context_is_taken_and_hides_its_secrets(self):
        context = gs.Context(user_id="u", project_id="p", auth_token="s3cret")
        self.store.add("image", b"abc", context=context)
        self.assertNotIn("s3cret", repr(context))

    def test_options_that_a_call_does_not_use_are_refused(self):
        uri = self.store.add("image", b"abc").uri
        with self.assertRaises(exceptions.Invalid):
            self.store.get_size(uri, offset=1)
        with self.assertRaises(TypeError):
            self.store.get_size(uri, ofset=1)
        with self.assertRaises(ValueError):
            self.store.get_size(uri, timeout=0)
        self.store.get_size(uri, timeout=60)


class Strings(StoreCase):
    def test_a_nul_is_refused_not_cut(self):
        for call in (lambda: self.store.add("a\0b", b""), lambda: self.store.read("file:///a\0b"),
                     lambda: self.registry["file\0"], lambda: gs.redact("a\0")):
            with self.assertRaisesRegex(ValueError, "NUL"):
                call()

    def test_only_text_is_text(self):
        with self.assertRaisesRegex(TypeError, "image_id must be a str"):
            self.store.add(7, b"")

    def test_names_beyond_ascii(self):
        image = self.store.add("größe-大", b"abc")
        self.assertTrue(os.path.exists(self.path("images", "größe-大")))
        self.assertEqual(self.store.read(image.uri), b"abc")
