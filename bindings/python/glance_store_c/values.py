"""What the library tells about images and locations, copied into plain Python objects."""

import dataclasses
import json

from . import _abi
from ._abi import decode, encode, lib
from ._handle import created


@dataclasses.dataclass(frozen=True)
class Image:
    """What an add stored, and where.

    uri       the storage URI to keep
    size      in bytes
    checksum  MD5, hex; "" when it was not wanted
    multihash hex, of hash_name; "" when none was asked for
    metadata  the location's metadata
    """

    uri: str
    size: int
    checksum: str
    multihash: str
    hash_name: str
    store_id: str
    metadata: dict

    @classmethod
    def _take(cls, pointer):
        """The image behind a `gs_image`, which is freed."""
        try:
            info = _abi.ImageInfo()
            lib.gs_image_get_info(pointer, info)
            return cls(decode(info.uri), info.size, decode(info.checksum), decode(info.multihash),
                       decode(info.hash_name), decode(info.store_id),
                       json.loads(info.metadata_json))
        finally:
            lib.gs_image_free(pointer)


@dataclasses.dataclass(frozen=True)
class Location:
    """A storage URI, checked and normalised.

    uri       canonical, for internal use: it may hold credentials
    safe_uri  the same with every secret replaced by "***"
    """

    uri: str = dataclasses.field(repr=False)
    safe_uri: str
    scheme: str
    store_id: str

    @classmethod
    def _parse(cls, registry, store, uri):
        pointer = created(lib.gs_location_parse, registry, store, encode(uri, "uri"))
        try:
            info = _abi.LocationInfo()
            lib.gs_location_get_info(pointer, info)
            return cls(decode(info.uri), decode(info.safe_uri), decode(info.scheme),
                       decode(info.store_id))
        finally:
            lib.gs_location_free(pointer)


@dataclasses.dataclass(frozen=True)
class Context:
    """On whose behalf a call is made; swift and cinder can use it."""

    user_id: str = None
    project_id: str = None
    auth_token: str = dataclasses.field(default=None, repr=False)
    service_catalog_json: str = dataclasses.field(default=None, repr=False)
    request_id: str = None

    def _structure(self):
        return _abi.Context(**{field.name: encode(getattr(self, field.name), field.name)
                               for field in dataclasses.fields(self)})


def redact(uri):
    """Any string, parseable or not, with its secrets replaced: safe to print."""
    text = encode(uri, "uri")
    buffer = bytearray(lib.gs_uri_redact(text, None, 0) + 1)
    lib.gs_uri_redact(text, (_abi.ctypes.c_char * len(buffer)).from_buffer(buffer), len(buffer))
    return buffer[:-1].decode()
