"""What the library hands out is freed, once, and callbacks are let go of."""

import contextlib
import gc
import threading
import unittest.mock
import weakref

import glance_store_c as gs
from glance_store_c._abi import lib

from .support import StoreCase, pattern


class Frees(StoreCase):
    def setUp(self):
        super().setUp()
        self.uri = self.store.add("image", pattern(8 * 1024 * 1024)).uri

    @contextlib.contextmanager
    def frees(self, **expected):
        """Expects so many calls of `gs_<name>_free`, and none of the others."""
        names = ["cancel", "config", "error", "image", "location", "reader", "registry"]
        with contextlib.ExitStack() as stack:
            spies = {name: self.spy(stack, f"gs_{name}_free") for name in names}
            yield
            gc.collect()
        for name, spy in spies.items():
            self.assertEqual(spy.call_count, expected.get(name, 0), name)

    def spy(self, stack, name):
        real = getattr(lib, name)
        return stack.enter_context(unittest.mock.patch.object(lib, name, side_effect=real))

    # Each call on the main thread has a gs_cancel of its own, for Ctrl-C.

    def test_images(self):
        with self.frees(image=3, cancel=3):
            image = self.store.add("other", b"abc")
            self.store.examine(image.uri)
            self.store.copy_from("copy", self.store, image.uri)

    def test_errors(self):
        with self.frees(error=2, cancel=2):
            for call in self.store.get_size, self.store.read:
                with self.assertRaises(gs.GlanceStoreException):
                    call(self.uri + "x")

    def test_errors_of_calls_that_a_callback_stopped(self):
        def refuse(_view):
            raise LookupError
        with self.frees(error=1, cancel=1), self.assertRaises(LookupError):
            self.store.add("other", b"abc", verify=refuse)

    def test_locations(self):
        with self.frees(location=1):
            self.registry.location(self.uri)

    def test_registries_and_configurations(self):
        with self.frees(config=1, registry=1):
            self.open_registry({}).close()
        with self.frees(config=1, error=1), self.assertRaises(gs.GlanceStoreException):
            self.open_registry({"nonsense": "1"})

    def test_a_registry_that_a_callback_closes(self):
        registry = self.open_registry({})
        with self.frees(image=1, cancel=1):
            registry.default.add("other", b"abc")
        with contextlib.ExitStack() as stack:
            free = self.spy(stack, "gs_registry_free")
            registry = self.open_registry({})

            def close(_view):
                registry.close()
                free.assert_not_called()
            registry.default.add("third", b"abc", verify=close)
            free.assert_called_once()

    def test_readers(self):
        with self.frees(reader=2, cancel=2):
            self.store.open(self.uri).close()
            self.store.open(self.uri).pread(1, 0)

    def test_chunks(self):
        with self.frees(cancel=2, error=1):
            for _ in self.store.chunks(self.uri):
                pass
            next(self.store.chunks(self.uri))

    def test_chunks_left_early_cancel_and_end_their_thread(self):
        threads = threading.active_count()
        with contextlib.ExitStack() as stack:
            trigger = self.spy(stack, "gs_cancel_trigger")
            chunks = self.store.chunks(self.uri)
            next(chunks)
            trigger.assert_not_called()
            chunks.close()
            trigger.assert_called_once()
        self.assertEqual(threading.active_count(), threads)

    def test_callbacks(self):
        class Source:
            def __iter__(self):
                return iter([b"abc"])

        def watch(*_anything):
            pass
        source, seen = Source(), weakref.ref(watch)
        self.store.add("other", source, verify=watch, progress=watch)
        seen_source = weakref.ref(source)
        del watch, source
        gc.collect()
        self.assertIsNone(seen())
        self.assertIsNone(seen_source())
