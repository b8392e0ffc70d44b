"""The Python glance_store, opened from an oslo.config file in a process of its own.

It keeps its stores and its configuration process-wide, so every configuration gets a fresh process.
"""

import logging
import multiprocessing
import multiprocessing.managers
import types

import glance_store
from glance_store import backend, multi_backend
from oslo_config import cfg

logging.disable(logging.CRITICAL)


class Single:
    """Single-store mode: [glance_store] stores and default_store."""

    def __init__(self, conf):
        self._conf = conf
        backend.register_opts(conf)
        backend.create_stores(conf)
        backend.verify_default_store()

    def add(self, image_id, source, size, hash_name, _store, context):
        return backend.add_to_backend_with_multihash(self._conf, image_id, source, size, hash_name,
                                                     context=context)

    def get(self, uri, _store, context):
        return backend.get_from_backend(uri, context=context)

    def get_size(self, uri, _store, context):
        return backend.get_size_from_backend(uri, context=context)

    def delete(self, uri, _store, context):
        backend.delete_from_backend(uri, context=context)


class Multi:
    """Multi-store mode: [DEFAULT] enabled_backends and [glance_store] default_backend."""

    def __init__(self, conf, reserved):
        self._conf = conf
        multi_backend.register_store_opts(conf, reserved_stores=reserved)
        multi_backend.create_multi_stores(conf, reserved_stores=reserved)
        multi_backend.verify_store()

    def add(self, image_id, source, size, hash_name, store, context):
        return multi_backend.add_with_multihash(self._conf, image_id, source, size, store,
                                                hash_name, context=context)

    def get(self, uri, store, context):
        return multi_backend.get(uri, store, context=context)

    def get_size(self, uri, store, context):
        return multi_backend.get_size_from_uri_and_backend(uri, store, context=context)

    def delete(self, uri, store, context):
        multi_backend.delete(uri, store, context=context)


class Stores:
    """What both modes can do, in values that travel between processes."""

    def __init__(self, path, reserved):
        conf = cfg.CONF
        conf.register_opt(cfg.DictOpt("enabled_backends"))
        conf([], project="glance", default_config_files=[path])
        self._stores = Multi(conf, reserved) if conf.enabled_backends else Single(conf)

    def add(self, image_id, path, size, hash_name, store, context):
        """Adds the file at `path`; size 0 is "not known" to glance_store."""
        with open(path, "rb") as source:
            return self._stores.add(image_id, source, size, hash_name, store, context)

    def read(self, uri, store, context):
        chunks, _size = self._stores.get(uri, store, context)
        return b"".join(chunks)

    def get_size(self, uri, store, context):
        return self._stores.get_size(uri, store, context)

    def delete(self, uri, store, context):
        self._stores.delete(uri, store, context)

    def capabilities(self, store):
        if store:
            found = glance_store.get_store_from_store_identifier(store)
        else:
            found = backend.get_store_from_scheme("file")
        return int(found.capabilities)


class _Manager(multiprocessing.managers.BaseManager):
    pass


_Manager.register("Stores", Stores)
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def _attributes(context):
    return context and types.SimpleNamespace(**context)


class Reference:
    """The stores of the configuration file at `path`; close() ends their process.  A context is a dictionary
    with what the context of a request has."""

    def __init__(self, path, reserved=None):
        self._manager = _Manager(ctx=_processes)
        self._manager.start()
        self._stores = self._manager.Stores(path, reserved)

    def add(self, image_id, path, size=0, hash_name="sha512", store=None, context=None):
        """(uri, size, checksum, multihash, metadata), as glance_store tells it."""
        return tuple(self._stores.add(image_id, path, size, hash_name, store, _attributes(context)))

    def read(self, uri, store=None, context=None):
        return self._stores.read(uri, store, _attributes(context))

    def get_size(self, uri, store=None, context=None):
        return self._stores.get_size(uri, store, _attributes(context))

    def delete(self, uri, store=None, context=None):
        self._stores.delete(uri, store, _attributes(context))

    def capabilities(self, store=None):
        return self._stores.capabilities(store)

    def close(self):
        self._manager.shutdown()
