"""Ways to stop a call that runs: cancel, deadline, Ctrl-C."""

import os
import signal
import socket
import threading
import time

import glance_store_c as gs
from glance_store_c import exceptions

from .support import StoreCase


def _holds_data(receiver):
    try:
        return bool(receiver.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False


class Endless(StoreCase):
    """Adds from a socket that sends nothing more; each test stops one."""

    def setUp(self):
        super().setUp()
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)
        self.ours.sendall(b"the beginning")

    def when_it_waits(self, action):
        """Does `action` once the call has read all that there is."""
        def watch():
            while _holds_data(self.theirs):
                time.sleep(0.001)
            action()
        thread = threading.Thread(target=watch)
        thread.start()
        self.addCleanup(thread.join)

    def test_cancel(self):
        with gs.Cancel() as cancel:
            self.when_it_waits(cancel.trigger)
            with self.assertRaises(gs.GlanceStoreException) as caught:
                self.store.add("endless", self.theirs.fileno(), cancel=cancel)
        self.assertEqual(caught.exception.status, gs.Status.CANCELLED)
        self.assertNothingStored()

    def test_cancel_before_the_call(self):
        cancel = gs.Cancel()
        cancel.trigger()
        with self.assertRaises(gs.GlanceStoreException) as caught:
            self.store.add("endless", self.theirs.fileno(), cancel=cancel)
        self.assertEqual(caught.exception.status, gs.Status.CANCELLED)
        self.assertNothingStored()

    def test_deadline(self):
        with self.assertRaises(exceptions.TimeoutError) as caught:
            self.store.add("endless", self.theirs.fileno(), timeout=0.05)
        self.assertEqual(caught.exception.status, gs.Status.TIMEOUT)
        self.assertNothingStored()

    def test_ctrl_c_stops_a_descriptor(self):
        self.when_it_waits(lambda: os.kill(os.getpid(), signal.SIGINT))
        with self.assertRaises(KeyboardInterrupt):
            self.store.add("endless", self.theirs.fileno())
        self.assertNothingStored()

    def test_ctrl_c_in_a_callback_is_not_the_end_of_the_data(self):
        calls = []

        class Source:
            def readinto(self, view):
                calls.append(len(view))
                if len(calls) == 3:
                    os.kill(os.getpid(), signal.SIGINT)
                view[:1] = b"x"
                return 1
        with self.assertRaises(KeyboardInterrupt):
            self.store.add("endless", Source())
        self.assertNothingStored()

    def test_callbacks_run_where_the_call_was_made_beside_the_main_thread(self):
        seen = []

        def add():
            self.store.add("image", b"abc", verify=lambda _view: seen.append(threading.get_ident()))
            seen.append(threading.get_ident())
        thread = threading.Thread(target=add)
        thread.start()
        thread.join()
        self.assertEqual(seen[0], seen[1])


class Leaving(StoreCase):
    def test_a_cancelled_token_stays_cancelled(self):
        cancel = gs.Cancel()
        cancel.trigger()
        for _ in range(2):
            with self.assertRaises(gs.GlanceStoreException):
                self.store.add("image", b"abc", cancel=cancel)
        self.store.add("image", b"abc")
        cancel.close()
        with self.assertRaisesRegex(ValueError, "cancel is closed"):
            cancel.trigger()
