"""The C ABI in ctypes' words: structures, callback types, prototypes, and the loaded library."""

import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char_p, c_int, c_int32, c_int64,
                    c_size_t, c_uint32, c_uint64, c_void_p)

SONAME = "libglance_store.so.0"
SIZE_UNKNOWN = 2 ** 64 - 1
SPARSE = 1 << 0
NO_CHECKSUM = 1 << 1

READ = CFUNCTYPE(c_int64, c_void_p, c_void_p, c_size_t)
WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, c_uint64)
PROGRESS = CFUNCTYPE(c_int, c_void_p, c_uint64, c_uint64)
VERIFY = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
LOG = CFUNCTYPE(None, c_void_p, c_int32, c_char_p, c_char_p)
FREE = CFUNCTYPE(None, c_void_p)

ERROR = POINTER(c_void_p)
STRINGS = POINTER(c_char_p)


class _Sized(Structure):
    """A structure of the ABI: it tells the library how large its caller believes it to be."""

    def __init__(self, **fields):
        super().__init__(struct_size=ctypes.sizeof(self), **fields)


class StoreInfo(_Sized):
    _fields_ = [("struct_size", c_size_t), ("id", c_char_p), ("driver", c_char_p),
                ("description", c_char_p), ("schemes", STRINGS), ("add_disabled", c_char_p),
                ("capabilities", c_uint32), ("weight", c_int32), ("is_default", c_bool),
                ("is_reserved", c_bool)]


class LocationInfo(_Sized):
    _fields_ = [("struct_size", c_size_t), ("uri", c_char_p), ("safe_uri", c_char_p),
                ("scheme", c_char_p), ("store_id", c_char_p)]


class ImageInfo(_Sized):
    _fields_ = [("struct_size", c_size_t), ("uri", c_char_p), ("checksum", c_char_p),
                ("multihash", c_char_p), ("hash_name", c_char_p), ("store_id", c_char_p),
                ("metadata_json", c_char_p), ("size", c_uint64)]


class Context(_Sized):
    _fields_ = [("struct_size", c_size_t), ("user_id", c_char_p), ("project_id", c_char_p),
                ("auth_token", c_char_p), ("service_catalog_json", c_char_p),
                ("request_id", c_char_p)]


class Opts(_Sized):
    _fields_ = [("struct_size", c_size_t), ("cancel", c_void_p), ("context", POINTER(Context)),
                ("progress", PROGRESS), ("progress_user", c_void_p),
                ("verify", VERIFY), ("verify_user", c_void_p), ("hash_name", c_char_p),
                ("expect_checksum", c_char_p), ("expect_multihash", c_char_p),
                ("offset", c_uint64), ("length", c_uint64), ("timeout_ms", c_uint32),
                ("flags", c_uint32)]


_OPTS = POINTER(Opts)
_OUT = POINTER(c_void_p)

_PROTOTYPES = {
    "gs_error_status": (c_int32, c_void_p),
    "gs_error_message": (c_char_p, c_void_p),
    "gs_error_name": (c_char_p, c_void_p),
    "gs_error_errno": (c_int, c_void_p),
    "gs_error_http_status": (c_int, c_void_p),
    "gs_error_retryable": (c_bool, c_void_p),
    "gs_error_free": (None, c_void_p),
    "gs_version": (c_char_p,),
    "gs_has": (c_bool, c_char_p),
    "gs_hash_names": (STRINGS,),
    "gs_cancel_new": (c_void_p,),
    "gs_cancel_trigger": (None, c_void_p),
    "gs_cancel_free": (None, c_void_p),
    "gs_config_new": (c_void_p,),
    "gs_config_load": (c_int32, c_void_p, c_char_p, ERROR),
    "gs_config_set": (c_int32, c_void_p, c_char_p, c_char_p, c_char_p, ERROR),
    "gs_config_reserve_store": (c_int32, c_void_p, c_char_p, c_char_p, ERROR),
    "gs_config_set_log": (None, c_void_p, c_int32, LOG, c_void_p, FREE),
    "gs_config_free": (None, c_void_p),
    "gs_registry_open": (c_int32, c_void_p, _OUT, ERROR),
    "gs_registry_free": (None, c_void_p),
    "gs_registry_count": (c_size_t, c_void_p),
    "gs_registry_at": (c_void_p, c_void_p, c_size_t),
    "gs_registry_get": (c_void_p, c_void_p, c_char_p),
    "gs_registry_resolve": (c_int32, c_void_p, c_char_p, _OUT, ERROR),
    "gs_store_get_info": (None, c_void_p, POINTER(StoreInfo)),
    "gs_location_parse": (c_int32, c_void_p, c_void_p, c_char_p, _OUT, ERROR),
    "gs_location_get_info": (None, c_void_p, POINTER(LocationInfo)),
    "gs_location_free": (None, c_void_p),
    "gs_uri_redact": (c_size_t, c_char_p, c_char_p, c_size_t),
    "gs_add": (c_int32, c_void_p, c_char_p, c_uint64, READ, c_void_p, _OPTS, _OUT, ERROR),
    "gs_add_fd": (c_int32, c_void_p, c_char_p, c_uint64, c_int, _OPTS, _OUT, ERROR),
    "gs_copy": (c_int32, c_void_p, c_char_p, c_void_p, c_char_p, _OPTS, _OUT, ERROR),
    "gs_image_get_info": (None, c_void_p, POINTER(ImageInfo)),
    "gs_image_free": (None, c_void_p),
    "gs_get": (c_int32, c_void_p, c_char_p, WRITE, c_void_p, _OPTS, ERROR),
    "gs_get_fd": (c_int32, c_void_p, c_char_p, c_int, _OPTS, ERROR),
    "gs_get_size": (c_int32, c_void_p, c_char_p, _OPTS, POINTER(c_uint64), ERROR),
    "gs_examine": (c_int32, c_void_p, c_char_p, _OPTS, _OUT, ERROR),
    "gs_delete": (c_int32, c_void_p, c_char_p, _OPTS, ERROR),
    "gs_set_acls": (c_int32, c_void_p, c_char_p, c_bool, STRINGS, STRINGS, _OPTS, ERROR),
    "gs_reader_open": (c_int32, c_void_p, c_char_p, _OPTS, _OUT, ERROR),
    "gs_reader_size": (c_uint64, c_void_p),
    "gs_reader_pread": (c_int32, c_void_p, c_void_p, c_size_t, c_uint64, POINTER(c_size_t), ERROR),
    "gs_reader_free": (None, c_void_p),
}


def _load():
    path = os.environ.get("GLANCE_STORE_LIBRARY") or SONAME
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"cannot load {path}: {error}; install glance-store or set GLANCE_STORE_LIBRARY "
            "to the path of the library") from error
    for name, (result, *arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


lib = _load()


def encode(text, what):
    """`text` for a C string; a NUL inside would cut it short without a word."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    if "\0" in text:
        raise ValueError(f"{what} holds a NUL character: {text!r}")
    return text.encode()


def decode(data):
    return None if data is None else data.decode()


def strings(array):
    """The strings of a NULL-terminated array."""
    found = []
    while array[len(found)] is not None:
        found.append(array[len(found)].decode())
    return found


def string_array(texts, what):
    """A NULL-terminated array of C strings."""
    encoded = [encode(text, what) for text in texts]
    return (c_char_p * (len(encoded) + 1))(*encoded)


_PYBUF_READ, _PYBUF_WRITE = 0x100, 0x200
_view = ctypes.PYFUNCTYPE(ctypes.py_object, c_void_p, ctypes.c_ssize_t, c_int)(
    ("PyMemoryView_FromMemory", ctypes.pythonapi))


def readable(address, length):
    """A view of the library's memory; whoever gets it must copy what it keeps."""
    return _view(address, length, _PYBUF_READ)


def writable(address, length):
    """The same, to be filled."""
    return _view(address, length, _PYBUF_WRITE)
