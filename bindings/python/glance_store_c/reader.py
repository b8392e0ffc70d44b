"""An image opened for random reads."""

import ctypes
import io

from ._abi import lib
from ._handle import Handle, call


class Reader(io.RawIOBase):
    """A readable, seekable raw stream; `pread` and `pread_into` may be called by any thread.

    Wrap it in io.BufferedReader for many small reads.
    """

    def __init__(self, registry, pointer):
        super().__init__()
        self._registry = registry  # not to be collected before its reader
        self._handle = Handle(pointer, lib.gs_reader_free)
        self._position = 0
        self.size = lib.gs_reader_size(pointer)

    def pread(self, length, offset):
        """Up to `length` bytes from `offset`; fewer only at the end of the image."""
        buffer = bytearray(max(0, min(length, self.size - offset)))
        count = self.pread_into(buffer, offset)
        return bytes(memoryview(buffer)[:count])

    def pread_into(self, buffer, offset):
        """Fills a writable buffer from `offset`; returns how many bytes it got."""
        if offset < 0:
            raise ValueError(f"offset must not be negative: {offset}")
        with memoryview(buffer) as view:
            if not view.nbytes:
                return 0
            address = ctypes.addressof(ctypes.c_char.from_buffer(view))
            count = ctypes.c_size_t()
            with self._handle._use() as pointer:
                call(lib.gs_reader_pread, pointer, address, view.nbytes, offset,
                     ctypes.byref(count))
            return count.value

    def readable(self):
        return True

    def seekable(self):
        return True

    def readinto(self, buffer):
        count = self.pread_into(buffer, self._position)
        self._position += count
        return count

    def seek(self, offset, whence=io.SEEK_SET):
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError(f"cannot seek before the start of the image: {start + offset}")
        self._position = start + offset
        return self._position

    def tell(self):
        return self._position

    def close(self):
        self._handle.close()
        super().close()
