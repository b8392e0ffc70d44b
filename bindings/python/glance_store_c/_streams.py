"""Python's sources and targets of bytes, as the library's callbacks see them."""

import errno
import io

from . import _abi


def descriptor(stream):
    """The file descriptor of a stream that has no buffer of its own, else None."""
    if isinstance(stream, int):
        return stream
    if isinstance(stream, io.FileIO):
        return stream.fileno()
    return None


def reader(source):
    """`source` as the read callback of an add: a file object, bytes, or an iterable of bytes."""
    fill = _filler(source)

    def read(address, length):
        with _abi.writable(address, length) as view:
            return _blocked(fill(view))
    return read


def _filler(source):
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source).readinto
    if hasattr(source, "readinto"):
        return source.readinto
    if hasattr(source, "read"):
        return _reading(source.read)
    return _Pieces(source).readinto


def _reading(read):
    def fill(view):
        data = read(len(view))
        if not data:
            return data if data is None else 0
        if len(data) > len(view):
            raise ValueError(f"read({len(view)}) returned {len(data)} bytes")
        view[:len(data)] = data
        return len(data)
    return fill


class _Pieces:
    """Pours an iterable of bytes into buffers of any size."""

    def __init__(self, pieces):
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readinto(self, view):
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def writer(target):
    """`target`, a file object, as the write callback of a get; holes are sought over."""
    unanswered = _blocked if isinstance(target, io.RawIOBase) else lambda count: count

    def write(address, length, _offset):
        if address is None:
            target.seek(length, io.SEEK_CUR)
            return 0
        with _abi.readable(address, length) as view:
            written = 0
            while written < length:
                count = unanswered(target.write(view[written:]))
                written = length if count is None else written + count
        return 0
    return write


def _blocked(count):
    """A raw stream answers None when it would have to wait."""
    if count is None:
        raise BlockingIOError(errno.EAGAIN, "the stream does not block; the library cannot wait for it")
    return count
