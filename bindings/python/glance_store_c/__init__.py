"""Virtual machine images into any backend and out again: glance-store for Python.

    with Registry(Config("glance-api.conf")) as registry:
        with open("disk.raw", "rb", buffering=0) as source:
            image = registry.default.add("c0ffee", source, hash_name="sha512")
        print(image.uri, image.size, image.checksum)
"""

from . import exceptions
from ._abi import decode, encode, lib, strings
from ._handle import Cancel
from .config import Config
from .exceptions import GlanceStoreException, Status
from .reader import Reader
from .registry import Registry
from .store import Capability, Store
from .values import Context, Image, Location, redact

__all__ = ["Cancel", "Capability", "Config", "Context", "GlanceStoreException", "Image", "Location",
           "Reader", "Registry", "Status", "Store", "exceptions", "has", "hash_names", "redact",
           "version"]


def version():
    """The version of the loaded library."""
    return decode(lib.gs_version())


def has(feature):
    """Whether the loaded library has a feature, such as "driver:rbd" or "hash:sha512"."""
    return lib.gs_has(encode(feature, "feature"))


def hash_names():
    """The names that `hash_name` can have."""
    return strings(lib.gs_hash_names())
