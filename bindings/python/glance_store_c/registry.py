"""All configured stores, opened."""

from ._abi import encode, lib
from ._handle import Handle, created
from .store import Store
from .values import Location


class Registry(Handle):
    """The stores of a configuration, in its order; `registry["fast"]` is one of them.

    Its stores can be used until it is closed.
    """

    def __init__(self, config):
        with config._use() as settings:
            pointer = created(lib.gs_registry_open, settings)
        super().__init__(pointer, lib.gs_registry_free)

    def __len__(self):
        with self._use() as pointer:
            return lib.gs_registry_count(pointer)

    def __bool__(self):
        return True

    def __iter__(self):
        for index in range(len(self)):
            with self._use() as pointer:
                store = Store(self, lib.gs_registry_at(pointer, index))
            yield store

    def __getitem__(self, store_id):
        with self._use() as pointer:
            found = lib.gs_registry_get(pointer, encode(store_id, "store_id"))
            if not found:
                raise KeyError(store_id)
            return Store(self, found)

    def __contains__(self, store_id):
        with self._use() as pointer:
            return bool(lib.gs_registry_get(pointer, encode(store_id, "store_id")))

    @property
    def default(self):
        """The default store, None when there is none."""
        with self._use() as pointer:
            found = lib.gs_registry_get(pointer, None)
            return Store(self, found) if found else None

    def resolve(self, uri):
        """The store that a storage URI belongs to."""
        with self._use() as pointer:
            return Store(self, created(lib.gs_registry_resolve, pointer, encode(uri, "uri")))

    def location(self, uri, store=None):
        """Checks and normalises a URI without any I/O; without a store it is resolved."""
        with self._use() as pointer:
            return Location._parse(pointer, store and store._pointer, uri)
