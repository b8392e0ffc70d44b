"""Objects of the library that Python owns."""

import ctypes
import threading
import weakref

from . import exceptions
from ._abi import lib


class _Guard:
    """A pointer that is freed once: when it is closed and the last call that uses it is over."""

    def __init__(self, pointer, free):
        self._lock = threading.RLock()  # re-entrant: a signal handler may trigger or close in between
        self._pointer = pointer
        self._free = free
        self._users = 0
        self._closed = False

    def enter(self, what):
        with self._lock:
            if self._closed:
                raise ValueError(f"this {what} is closed")
            self._users += 1
            return self._pointer

    def leave(self):
        with self._lock:
            self._users -= 1
            last = self._closed and not self._users
        if last:
            self._free(self._pointer)

    def close(self):
        with self._lock:
            unused = not self._closed and not self._users
            self._closed = True
        if unused:
            self._free(self._pointer)


class Handle:
    """Something of the library with a lifetime: `with` or `close` ends it, else the collector or
    the end of the program does."""

    def __init__(self, pointer, free):
        self._guard = _Guard(pointer, free)
        self._finalizer = weakref.finalize(self, self._guard.close)

    def close(self):
        """Frees it now.  Calls that are still running finish; new ones raise ValueError."""
        self._finalizer()

    @property
    def closed(self):
        return not self._finalizer.alive

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()

    def _use(self):
        return _Use(self)


class _Use:
    """The time in which a call needs a handle's pointer."""

    def __init__(self, handle):
        self._handle = handle

    def __enter__(self):
        return self._handle._guard.enter(type(self._handle).__name__.lower())

    def __exit__(self, *_exception):
        self._handle._guard.leave()


def call(function, *arguments):
    """Calls a function that reports a `gs_error`, and raises that."""
    error = ctypes.c_void_p()
    if function(*arguments, ctypes.byref(error)):
        raise exceptions.take(error)


def created(function, *arguments):
    """Calls a function that hands out an object before it reports its error."""
    pointer = ctypes.c_void_p()
    call(function, *arguments, ctypes.byref(pointer))
    return pointer.value


class Cancel(Handle):
    """A switch that stops the calls that were given it, from any thread, for good."""

    def __init__(self):
        super().__init__(lib.gs_cancel_new(), lib.gs_cancel_free)

    def trigger(self):
        with self._use() as pointer:
            lib.gs_cancel_trigger(pointer)
