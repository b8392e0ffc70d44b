"""One call of the library: its options, its callbacks, and on which thread it runs."""

import concurrent.futures
import contextlib
import contextvars
import ctypes
import errno
import threading

from . import _abi
from ._abi import encode
from ._handle import Cancel


class Call:
    """The options of one call, kept alive while it runs.

    An exception that a callback raises is kept, stops the call, and is raised again from `run`.
    """

    def __init__(self, *, cancel=None, context=None, timeout=None, progress=None, verify=None,
                 hash_name=None, checksum=True, expect_checksum=None, expect_multihash=None,
                 offset=0, length=None, sparse=False):
        if length is not None and length < 1:
            raise ValueError(f"length must be at least 1, or None for the rest, not {length}")
        if offset < 0:
            raise ValueError(f"offset must not be negative: {offset}")
        self._cancel = cancel
        self._raised = []
        self._opts = _abi.Opts(
            context=context and ctypes.pointer(context._structure()),
            hash_name=encode(hash_name, "hash_name"),
            expect_checksum=encode(expect_checksum, "expect_checksum"),
            expect_multihash=encode(expect_multihash, "expect_multihash"),
            offset=offset, length=length or 0, timeout_ms=_milliseconds(timeout),
            flags=(_abi.SPARSE if sparse else 0) | (0 if checksum else _abi.NO_CHECKSUM))
        if progress:
            self._opts.progress = self.callback(_abi.PROGRESS, _progress(progress))
        if verify:
            self._opts.verify = self.callback(_abi.VERIFY, _verify(verify))

    def callback(self, prototype, function):
        """`function` as a C callback; it returns what the ABI wants and may raise anything."""
        raised = self._raised

        def guarded(_user, *arguments):
            try:
                return function(*arguments)
            except BaseException as error:
                raised.append(error)
                return -(isinstance(error, OSError) and error.errno or errno.EIO)
        return prototype(guarded)

    def run(self, work):
        """Runs `work(pointer to the options)`.

        The main thread hands it to a helper: Python delivers signals to the main thread only, and
        there they would wait until a C call returns or, worse, be raised at the entry of a callback,
        where ctypes drops them and returns garbage.  So Ctrl-C cancels the call and is raised here.
        """
        if threading.current_thread() is not threading.main_thread():
            return self._perform(work, self._cancel)
        with contextlib.ExitStack() as stack:
            cancel = self._cancel or stack.enter_context(Cancel())
            return _interruptible(lambda: self._perform(work, cancel), cancel.trigger)

    def _perform(self, work, cancel):
        with contextlib.ExitStack() as stack:
            if cancel:
                self._opts.cancel = stack.enter_context(cancel._use())
            try:
                result = work(ctypes.byref(self._opts))
            except BaseException:
                if not self._raised:
                    raise
        if self._raised:
            raise self._raised.pop(0)
        return result


def _interruptible(work, cancel):
    """`work()` on another thread; an exception while waiting, as Ctrl-C, cancels it first."""
    outcome = concurrent.futures.Future()
    context = contextvars.copy_context()

    def perform():
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            outcome.set_result(context.run(work))
        except BaseException as error:
            outcome.set_exception(error)

    try:
        threading.Thread(target=perform, name="glance-store", daemon=True).start()
        concurrent.futures.wait([outcome])
    except BaseException:
        if not outcome.cancel():
            cancel()
            concurrent.futures.wait([outcome])
        raise
    try:
        return outcome.result()
    finally:
        outcome = None  # else the exception and this frame would hold each other


def _milliseconds(seconds):
    if seconds is None:
        return 0
    if seconds <= 0:
        raise ValueError(f"timeout must be positive, or None for no limit: {seconds}")
    return min(max(1, round(seconds * 1000)), 2 ** 32 - 1)


def _progress(function):
    def report(done, total):
        function(done, None if total == _abi.SIZE_UNKNOWN else total)
        return 0
    return report


def _verify(function):
    def check(address, length):
        with _abi.readable(address, length) as view:
            function(view)
        return 0
    return check
