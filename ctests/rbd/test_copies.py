"""Copies from a web server that is slower than the buffers it fills."""

import http.server
import os
import threading
import time

import glance_store_c as gs
from pool import names
from support import Case

PIECE = bytes(range(100))
PIECES = 40


class Trickle(http.server.BaseHTTPRequestHandler):
    """An image whose every piece is handed on by itself: nobody waits long for more."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(PIECES * len(PIECE)))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        for _piece in range(PIECES):
            self.wfile.write(PIECE)
            self.wfile.flush()
            time.sleep(0.11)

    def log_message(self, *_arguments):
        pass


class Copied(Case):
    def test_pieces_that_are_smaller_than_their_buffers(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        settings = {"stores": "rbd,http", "default_store": "rbd", "rbd_store_user": os.environ["CEPH_USER"],
                    "rbd_store_ceph_conf": os.environ["CEPH_GLANCE_CONF"], "transfer_memory": "8"}
        config = gs.Config()
        for key, value in settings.items():
            config.set(key, value, "glance_store")
        with gs.Registry(config) as registry:
            store = registry["rbd"]
            image = store.copy_from("slow", registry["http"], f"http://127.0.0.1:{server.server_port}/image", timeout=60)
            self.assertEqual(store.read(image.uri), PIECE * PIECES)
            store.delete(image.uri)
        self.assertEqual(names(), [])
