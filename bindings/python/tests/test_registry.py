import gc
import logging
import os
import warnings
import weakref

import glance_store_c as gs
from glance_store_c import exceptions

from .support import StoreCase


class Multi(StoreCase):
    def setUp(self):
        super().setUp()
        path = self.path("glance-api.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""
[DEFAULT]
enabled_backends = fast:file, cheap:file
[glance_store]
default_backend = cheap
[fast]
filesystem_store_datadir = {self.directory}/fast
store_description = Quick and dear
weight = 5
[cheap]
filesystem_store_datadir = {self.directory}/cheap
[staging]
filesystem_store_datadir = {self.directory}/staging
""")
        self.multi = gs.Registry(gs.Config(path).reserve_store("staging", "file"))
        self.addCleanup(self.multi.close)

    def test_lists_its_stores(self):
        self.assertEqual(len(self.multi), 3)
        self.assertEqual([store.id for store in self.multi], ["fast", "cheap", "staging"])
        fast = self.multi["fast"]
        self.assertEqual(
            (fast.driver, fast.description, fast.schemes, fast.add_disabled, fast.weight,
             fast.is_default, fast.is_reserved),
            ("file", "Quick and dear", ["file", "filesystem"], None, 5, False, False))
        self.assertEqual(int(fast.capabilities), 0x4F)
        self.assertIn(gs.Capability.READ_RANDOM, fast.capabilities)
        self.assertTrue(self.multi["cheap"].is_default)
        self.assertTrue(self.multi["staging"].is_reserved)
        self.assertEqual(self.multi.default, self.multi["cheap"])
        self.assertNotEqual(self.multi.default, fast)

    def test_unknown_ids(self):
        self.assertIn("fast", self.multi)
        self.assertNotIn("slow", self.multi)
        with self.assertRaises(KeyError):
            self.multi["slow"]

    def test_resolves_by_directory(self):
        image = self.multi["fast"].add("image", b"abc")
        self.assertEqual(self.multi.resolve(image.uri).id, "fast")
        self.assertEqual((image.store_id, image.metadata), ("fast", {"store": "fast"}))
        with self.assertRaises(exceptions.UnknownScheme) as caught:
            self.multi.resolve("nope:///x")
        self.assertEqual(caught.exception.status, gs.Status.UNKNOWN_SCHEME)

    def test_locations(self):
        uri = f"file://{self.directory}/fast/image"
        location = self.multi.location(uri)
        self.assertEqual((location.uri, location.safe_uri, location.scheme, location.store_id),
                         (uri, uri, "file", "fast"))
        self.assertEqual(self.multi.location(uri, self.multi["fast"]), location)
        with self.assertRaises(exceptions.BadStoreUri):
            self.multi.location("file://")


class Configuration(StoreCase):
    def test_a_missing_file(self):
        with self.assertRaises(exceptions.BadStoreConfiguration) as caught:
            gs.Config(self.path("nothing.conf"))
        self.assertIn("nothing.conf", caught.exception.message)

    def test_an_unknown_key(self):
        with self.assertRaises(exceptions.BadStoreConfiguration) as caught:
            self.open_registry({"filesystem_store_datadri": "/x"})
        self.assertIn("filesystem_store_datadir", str(caught.exception))

    def test_later_settings_replace(self):
        registry = self.open_registry({"filesystem_store_datadir": self.path("second")})
        image = registry.default.add("image", b"abc")
        self.assertEqual(image.uri, "file://" + self.path("second", "image"))

    def test_logs_to_a_logger_until_the_registry_is_closed(self):
        class Logger(logging.Logger):
            """A logger that can be referenced weakly and counted."""
        logger, records = Logger("images", logging.DEBUG), []
        logger.addHandler(_Collector(records))
        seen = weakref.ref(logger)
        with gs.Config() as config:
            config.set("filesystem_store_datadir", self.path("logged"), "glance_store")
            config.set("stores", "file", "glance_store")
            registry = gs.Registry(config.log_to(logger))
        registry.default.add("image", b"abc")
        del logger
        self.assertIsNotNone(seen())
        registry.close()
        gc.collect()
        self.assertIsNone(seen())
        self.assertTrue(records)


class _Collector(logging.Handler):
    def __init__(self, records):
        super().__init__()
        self.records = records

    def emit(self, record):
        self.records.append(record.getMessage())


class Lifetimes(StoreCase):
    def test_a_closed_registry_is_no_crash(self):
        uri = self.store.add("image", b"abc").uri
        reader = self.store.open(uri)
        self.registry.close()
        self.registry.close()
        self.assertTrue(self.registry.closed)
        for call in (lambda: len(self.registry), lambda: self.registry.default,
                     lambda: self.store.read(uri), lambda: self.store.add("b", b"")):
            with self.assertRaisesRegex(ValueError, "registry is closed"):
                call()
        self.assertEqual(reader.pread(3, 0), b"abc")
        reader.close()

    def test_a_store_keeps_its_registry(self):
        registry = self.open_registry({})
        store, seen = registry.default, weakref.ref(registry)
        self._cleanups.pop()  # the case's own reference
        del registry
        gc.collect()
        self.assertEqual(store.read(store.add("image", b"abc").uri), b"abc")
        del store
        gc.collect()
        self.assertIsNone(seen())

    def test_close_in_a_callback_waits_for_the_call(self):
        registry = self.open_registry({})
        image = registry.default.add("image", b"abc", verify=lambda _view: registry.close())
        self.assertEqual(self.store.read(image.uri), b"abc")


    def test_a_forked_child_is_told(self):
        uri = self.store.add("image", b"abc").uri
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer Pythons warn of fork beside threads
            child = os.fork()
        if not child:
            os._exit(_status_of(lambda: self.store.read(uri)))
        _pid, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), gs.Status.FORKED)
        self.assertEqual(self.store.read(uri), b"abc")


def _status_of(call):
    try:
        call()
    except gs.GlanceStoreException as error:
        return error.status
    return 0


class Module(StoreCase):
    def test_tells_about_the_library(self):
        self.assertRegex(gs.version(), r"^\d+\.\d+\.\d+$")
        self.assertTrue(gs.has("driver:file"))
        self.assertFalse(gs.has("driver:floppy"))
        self.assertIn("sha512", gs.hash_names())

    def test_redacts(self):
        self.assertEqual(gs.redact("swift://user:secret@host/c/o"), "swift://***@host/c/o")
        self.assertEqual(gs.redact("file:///images/größe"), "file:///images/größe")
