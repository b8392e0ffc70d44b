"""HTTP messages as they go over a connection: read piece by piece, and written as they were read."""

import select
import socket

PIECE = 65536


class Closed(Exception):
    """The connection is at its end, or has to be."""


class Stream:
    """A connection with a buffer for what was read ahead."""

    def __init__(self, connection):
        self.connection, self.ahead = connection, b""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.connection.sendall(data)

    def more(self):
        data = self.connection.recv(PIECE)
        if not data:
            raise Closed
        self.ahead += data

    def line(self):
        while b"\r\n" not in self.ahead:
            self.more()
        line, _, self.ahead = self.ahead.partition(b"\r\n")
        return line.decode("latin-1")

    def some(self, most):
        if not self.ahead:
            self.more()
        piece, self.ahead = self.ahead[:most], self.ahead[most:]
        return piece

    def has_ended(self):
        """Whether the other side has hung up while we were busy, whatever it sent before that."""
        poll = select.poll()
        poll.register(self.connection, select.POLLRDHUP)
        return bool(poll.poll(0))

    def close(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()


class Message:
    def __init__(self, start, headers):
        self.start, self.headers = start, headers

    @classmethod
    def read(cls, stream):
        start, headers = stream.line(), []
        while line := stream.line():
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        return cls(start, headers)

    @property
    def status(self):
        return int(self.start.split(" ", 2)[1])

    def get(self, name):
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")

    def set(self, name, value):
        """An empty value removes the header."""
        self.headers = [one for one in self.headers if one[0].lower() != name.lower()]
        if value:
            self.headers.append((name, value))

    def head(self):
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def is_chunked(self):
        return self.get("Transfer-Encoding").lower() == "chunked"

    def is_framed(self):
        """Whether the body's end can be told before the connection's."""
        return self.is_chunked() or bool(self.get("Content-Length"))

    def body(self, stream):
        if self.is_chunked():
            return self._chunks(stream)
        if self.get("Content-Length"):
            return self._counted(stream, int(self.get("Content-Length")))
        return self._to_the_end(stream) if self.start.startswith("HTTP/") else iter(())

    @staticmethod
    def _counted(stream, left):
        while left:
            piece = stream.some(min(left, PIECE))
            left -= len(piece)
            yield piece

    def _chunks(self, stream):
        while length := int(stream.line().partition(";")[0], 16):
            yield from self._counted(stream, length)
            stream.line()
        while stream.line():
            pass

    @staticmethod
    def _to_the_end(stream):
        try:
            while True:
                yield stream.some(PIECE)
        except Closed:
            return

    def wrapped(self, piece):
        """A piece of the body as this message carries it."""
        return b"%x\r\n%s\r\n" % (len(piece), piece) if piece and self.is_chunked() else piece

    def ending(self):
        return b"0\r\n\r\n" if self.is_chunked() else b""
