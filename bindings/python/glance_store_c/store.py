"""One store of a registry: where images go and come from."""

import ctypes
import enum
import functools
import io
import queue
import threading

from . import _abi, _streams
from ._abi import decode, encode, lib
from ._call import Call
from ._handle import Cancel, call, created
from .reader import Reader
from .values import Image


class Capability(enum.IntFlag):
    """What a store can do; the bits of glance_store.capabilities.BitMasks."""

    READ = 0x01
    READ_OFFSET = 0x03
    READ_CHUNK = 0x05
    READ_RANDOM = 0x07
    WRITE = 0x08
    WRITE_OFFSET = 0x18
    WRITE_CHUNK = 0x28
    WRITE_RANDOM = 0x38
    DRIVER_REUSABLE = 0x40


class Store:
    """A store, as long as its registry is open.

    Options that every call takes by name: `cancel`, a Cancel; `context`, a Context; `timeout` of
    the whole call in seconds.  Those that move an image also take `progress`, called with the bytes
    done and the total or None; `hash_name`, `expect_checksum` and `expect_multihash`, hashes in hex
    that the data must have.  `add`, `copy_from` and `examine` also take `verify`, which sees every
    byte before an image is committed, and `checksum=False` for no MD5.  An exception that a callback
    raises stops the call and comes out of it.
    """

    def __init__(self, registry, pointer):
        self._registry = registry
        self._pointer = pointer
        info = _abi.StoreInfo()
        lib.gs_store_get_info(pointer, info)
        self.id = decode(info.id)
        self.driver = decode(info.driver)
        self.description = decode(info.description)
        self.schemes = _abi.strings(info.schemes)
        self.add_disabled = decode(info.add_disabled)
        self.capabilities = Capability(info.capabilities)
        self.weight = info.weight
        self.is_default = info.is_default
        self.is_reserved = info.is_reserved

    def __repr__(self):
        return f"<Store {self.id!r}, driver {self.driver!r}>"

    def __eq__(self, other):
        return isinstance(other, Store) and (self._registry, self._pointer) == (
            other._registry, other._pointer)

    def __hash__(self):
        return hash(self._pointer)

    def add(self, image_id, source, size=None, **options):
        """Stores an image, all of it or nothing, and returns an Image.

        source  a file object, bytes, an iterable of bytes, or a file descriptor; the library reads
                a descriptor, or a file opened with buffering=0, by itself and keeps its holes
        size    in bytes, None while it is not known; any other length of the source is an error
        """
        options = Call(**options)
        name = encode(image_id, "image_id")
        promised = _abi.SIZE_UNKNOWN if size is None else _size(size)
        fd = _streams.descriptor(source)
        if fd is None:
            add, data = lib.gs_add, (options.callback(_abi.READ, _streams.reader(source)), None)
        else:
            add, data = lib.gs_add_fd, (fd,)
        return self._run(options, lambda pointer, opts: Image._take(
            created(add, pointer, name, promised, *data, opts)))

    def copy_from(self, image_id, source, uri, **options):
        """Stores the image that another store, `source`, has at `uri`; returns an Image."""
        name, origin = encode(image_id, "image_id"), encode(uri, "uri")

        def copy(pointer, opts):
            with source._registry._use():
                return Image._take(created(lib.gs_copy, pointer, name, source._pointer, origin, opts))
        return self._run(Call(**options), copy)

    def get(self, uri, target, **options):
        """Writes an image, or `length` bytes from `offset`, to a file object or file descriptor.

        With sparse=True holes are not written but sought over: the target must be seekable and
        empty from its position on.
        """
        call_options = Call(**options)
        origin = encode(uri, "uri")
        fd = _streams.descriptor(target)
        if fd is None:
            get, sink = lib.gs_get, (call_options.callback(_abi.WRITE, _streams.writer(target)), None)
        else:
            get, sink = lib.gs_get_fd, (fd,)
        self._run(call_options, lambda pointer, opts: call(get, pointer, origin, *sink, opts))
        if fd is None and options.get("sparse"):
            target.truncate()

    def read(self, uri, **options):
        """The bytes of an image, or `length` of them from `offset`."""
        target = io.BytesIO()
        self.get(uri, target, **options)
        return target.getvalue()

    def chunks(self, uri, **options):
        """Iterates over the bytes of an image, in pieces of no fixed size.

        Leaving the loop early stops the transfer.  What `expect_checksum` finds comes after the
        last piece.
        """
        ours = None
        if options.get("cancel") is None:
            ours = options["cancel"] = Cancel()
        return _chunks(functools.partial(self.get, uri, **options), ours)

    def get_size(self, uri, **options):
        """The size of an image in bytes."""
        origin = encode(uri, "uri")

        def get_size(pointer, opts):
            size = ctypes.c_uint64()
            call(lib.gs_get_size, pointer, origin, opts, ctypes.byref(size))
            return size.value
        return self._run(Call(**options), get_size)

    def examine(self, uri, **options):
        """Reads an image and returns the Image that an add of it would; stores nothing.

        It takes the options of `add`.
        """
        origin = encode(uri, "uri")
        return self._run(Call(**options), lambda pointer, opts: Image._take(
            created(lib.gs_examine, pointer, origin, opts)))

    def delete(self, uri, **options):
        """Removes an image."""
        origin = encode(uri, "uri")
        self._run(Call(**options), lambda pointer, opts: call(lib.gs_delete, pointer, origin, opts))

    def set_acls(self, uri, public=False, readers=(), writers=(), **options):
        """Says which projects may read and write an image."""
        origin = encode(uri, "uri")
        lists = _abi.string_array(readers, "reader"), _abi.string_array(writers, "writer")
        self._run(Call(**options), lambda pointer, opts: call(
            lib.gs_set_acls, pointer, origin, public, *lists, opts))

    def open(self, uri, **options):
        """Opens an image for random reads; returns a Reader."""
        origin = encode(uri, "uri")
        return self._run(Call(**options), lambda pointer, opts: Reader(
            self._registry, created(lib.gs_reader_open, pointer, origin, opts)))

    def _run(self, options, work):
        with self._registry._use():
            return options.run(lambda opts: work(self._pointer, opts))


def _size(size):
    if not 0 <= size < _abi.SIZE_UNKNOWN:
        raise ValueError(f"size must not be negative, or None while it is not known: {size}")
    return size


class _Left(Exception):
    """Nobody wants the rest of the image."""


class _Queue:
    """The target of a get on one thread, and what another thread takes the pieces from."""

    def __init__(self):
        self._pieces = queue.Queue(maxsize=4)
        self._left = False

    def write(self, view):
        if self._left:
            raise _Left
        self._pieces.put(bytes(view))

    def end(self, error=None):
        self._pieces.put(error)

    def leave(self):
        self._left = True
        while not self._pieces.empty():
            self._pieces.get()

    def __iter__(self):
        while True:
            piece = self._pieces.get()
            if piece is None:
                return
            if isinstance(piece, BaseException):
                raise piece
            yield piece


def _chunks(get, cancel):
    pieces = _Queue()

    def transfer():
        try:
            get(pieces)
            pieces.end()
        except BaseException as error:
            pieces.end(error)

    thread = threading.Thread(target=transfer, name="glance-store", daemon=True)
    try:
        thread.start()
        yield from pieces
    finally:
        if cancel:
            cancel.trigger()
        pieces.leave()
        if thread.is_alive():
            thread.join()
