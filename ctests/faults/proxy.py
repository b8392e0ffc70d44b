"""Stands between an HTTP client and servers, and spoils what it is told to: proxy.py NAME=HOST:PORT...

Prints shell assignments, FAULTS_NAME='http://127.0.0.1:PORT' for each server, and an empty line. Then it takes a
command a line from standard input, answers each with lines and a line ".", and ends with its input.

  rule METHOD PATTERN TIMES ACTION...   what happens to requests; METHOD may be *, PATTERN is one of the shell,
                      for "NAME:/path?query"; TIMES counts the requests that match: 2, 2-3, 2- or *
  clear               forgets the rules and what was recorded, and lets go what is held
  log                 what was asked: NAME METHOD TARGET STATUS HEADERS BODY a line, the last two as JSON
  await HOLD          returns when a request is held there
  release HOLD        lets it go on, and all later ones
  settle              returns when no request is under way

Actions, several of which may be combined (NAME=VALUE, quoted as in the shell):
  status=503 header="Retry-After: 1" body=TEXT   is the answer; the server does not hear of the request
  early=1             with status: answers before the request's body was read, and hangs up
  cut-request=N       hangs up on both sides after N bytes of the request's body
  cut-answer=N        hangs up on both sides after N bytes of the answer's body
  cut=request|answer  hangs up when the request comes, or when the server has answered
  after=N             with cut=within or status: hangs up on both sides once N bytes of the request's body have come,
                      with status after that answer
  hold=NAME at=request|within|answer|N   waits for "release NAME" when the request is there, when as many bytes of its
                      body have come as after=N says, when the server has answered, or after N bytes of the answer's body
  hold=NAME at=body   waits when all of the request is there, and sends it on though its client is gone by then
  request-header="Name: value"    sets a header of the request; an empty value removes it
  answer-header="Name: value"     sets a header of the answer; an empty value removes it
  answer-status=N answer-body=TEXT   take the place of the server's

Servers' addresses in JSON and in headers of answers are replaced by those of this proxy, so that a client finds
its way from one to the next through here."""

import fnmatch
import json
import shlex
import socket
import sys
import threading

from messages import Closed, Message, Stream

RECORDED_BODY = 4096
LARGEST_REWRITTEN = 1 << 20


class Rule:
    def __init__(self, line):
        self.method, self.pattern, times, *actions = shlex.split(line)
        first, dash, last = times.partition("-")
        self.first = 1 if times == "*" else int(first)
        self.last = float("inf") if times == "*" or dash and not last else int(last or first)
        self.actions = {}
        for action in actions:
            name, _, value = action.partition("=")
            self.actions.setdefault(name, []).append(value)
        self.matched = 0

    def applies(self, method, target):
        if self.method not in ("*", method) or not fnmatch.fnmatchcase(target, self.pattern):
            return False
        self.matched += 1
        return self.first <= self.matched <= self.last

    def one(self, name):
        return self.actions.get(name, [None])[-1]


class Faults:
    """What the threads of all connections share."""

    def __init__(self):
        self.changed = threading.Condition()
        self.rules, self.records = [], []
        self.held, self.released = set(), set()
        self.under_way = 0
        self.addresses = {}

    def begin(self, record):
        with self.changed:
            self.records.append(record)
            self.under_way += 1
            target = f"{record['name']}:{record['target']}"
            # Every rule counts, the first that applies acts.
            applying = [rule for rule in self.rules if rule.applies(record["method"], target)]
            return applying[0] if applying else Rule("* * *")

    def end(self):
        with self.changed:
            self.under_way -= 1
            self.changed.notify_all()

    def hold(self, name):
        with self.changed:
            self.held.add(name)
            self.changed.notify_all()
            self.changed.wait_for(lambda: name in self.released)

    def rewritten(self, text):
        for server, proxy in self.addresses.items():
            text = text.replace(server, proxy)
        return text

    # ---- Commands ----

    def do_rule(self, line):
        with self.changed:
            self.rules.append(Rule(line))

    def do_clear(self, _):
        with self.changed:
            self.released |= self.held
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.under_way == 0)
            self.rules, self.records, self.held, self.released = [], [], set(), set()

    def do_log(self, _):
        with self.changed:
            return [f"{one['name']} {one['method']} {one['target']} {one['status']} "
                    f"{json.dumps(one['headers'])} {json.dumps(one['body'].decode('latin-1'))}"
                    for one in self.records]

    def do_await(self, name):
        with self.changed:
            self.changed.wait_for(lambda: name in self.held)

    def do_release(self, name):
        with self.changed:
            self.released.add(name)
            self.changed.notify_all()

    def do_settle(self, _):
        with self.changed:
            self.changed.wait_for(lambda: self.under_way == 0)


class Exchange:
    """One request and its answer."""

    def __init__(self, faults, name, server, client):
        self.faults, self.name, self.server, self.client = faults, name, server, client
        self.upstream = None

    def run(self):
        """Whether the client's connection may carry another request."""
        request = Message.read(self.client)
        method, target, _ = request.start.split(" ", 2)
        self.record = {"name": self.name, "method": method, "target": target, "status": "-",
                       "headers": dict(request.headers), "body": b""}
        self.rule = self.faults.begin(self.record)
        try:
            return self._exchange(request, method)
        finally:
            if self.upstream:
                self.upstream.close()
            self.faults.end()

    def _exchange(self, request, method):
        if self.rule.one("cut") == "request":
            raise Closed
        self._hold("request")
        if request.get("Expect"):
            request.set("Expect", "")
            # Whoever refuses early does not ask for the body.
            if not self.rule.one("early"):
                self.client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        stays = request.get("Connection").lower() != "close"
        if self.rule.one("status") and not self.rule.one("after"):
            return self._answer_itself(request) and stays
        self._forward(request)
        answer = Message.read(self.upstream)
        while answer.status == 100:
            answer = Message.read(self.upstream)
        if self.rule.one("cut") == "answer":
            raise Closed
        self._hold("answer")
        return self._relay(answer, method) and stays

    def _hold(self, place):
        if self.rule.one("hold") and self.rule.one("at") == place:
            self.faults.hold(self.rule.one("hold"))
            if self.client.has_ended():
                raise Closed

    def _note(self, piece):
        self.record["body"] += piece[:RECORDED_BODY - len(self.record["body"])]

    def _answer_itself(self, request):
        early = self.rule.one("early")
        if not early:
            for piece in request.body(self.client):
                self._note(piece)
        self._say()
        return not early

    def _say(self):
        body = (self.rule.one("body") or "").encode()
        answer = Message(f"HTTP/1.1 {self.rule.one('status')} Said", [])
        for header in self.rule.actions.get("header", []):
            answer.set(*header.split(": ", 1))
        answer.set("Content-Length", str(len(body)))
        self.record["status"] = answer.status
        self.client.send(answer.head() + (b"" if self.record["method"] == "HEAD" else body))

    def _forward(self, request):
        for header in self.rule.actions.get("request-header", []):
            request.set(*header.split(": ", 1) if ": " in header else (header.rstrip(":"), ""))
        body = self._body(request)
        self.upstream = Stream(socket.create_connection(self.server))
        self.upstream.send(request.head())
        if self.rule.one("after"):
            self._forward_some(request, body, int(self.rule.one("after")))
        left = self.rule.one("cut-request")
        left = None if left is None else int(left)
        for piece in body:
            self._note(piece)
            if left is not None and len(piece) > left:
                self.upstream.send(request.wrapped(piece[:left]))
                raise Closed
            left = None if left is None else left - len(piece)
            self.upstream.send(request.wrapped(piece))
        if left is not None:
            raise Closed
        self.upstream.send(request.ending())

    def _forward_some(self, request, body, left):
        """What comes before the place that the rule tells of, and what happens there."""
        rest = b""
        while left > 0 and (piece := next(body, b"")):
            self._note(piece)
            self.upstream.send(request.wrapped(piece[:left]))
            rest, left = piece[left:], left - len(piece)
        self._hold("within")
        if self.rule.one("status"):
            self._say()
        if self.rule.one("status") or self.rule.one("cut") == "within":
            raise Closed
        self.upstream.send(request.wrapped(rest))

    def _body(self, request):
        """Of a request that is held, all of it before the server sees any: its client may be gone by then."""
        place = self.rule.one("at")
        if place not in ("request", "body"):
            return request.body(self.client)
        pieces = list(request.body(self.client))
        if place == "body":
            self.faults.hold(self.rule.one("hold"))
        elif self.client.has_ended():
            raise Closed
        return pieces

    def _relay(self, answer, method):
        for header in self.rule.actions.get("answer-header", []):
            answer.set(*header.split(": ", 1) if ": " in header else (header.rstrip(":"), ""))
        if self.rule.one("answer-status"):
            answer.start = f"HTTP/1.1 {self.rule.one('answer-status')} Changed"
        for name in ("X-Storage-Url", "Location"):
            answer.set(name, self.faults.rewritten(answer.get(name)))
        self.record["status"] = answer.status
        bodiless = method == "HEAD" or answer.status in (204, 304)
        if not bodiless and self._is_rewritten(answer):
            body = b"".join(answer.body(self.upstream))
            changed = self.rule.one("answer-body")
            body = changed.encode() if changed is not None else self.faults.rewritten(body.decode("latin-1")).encode("latin-1")
            answer.set("Transfer-Encoding", "")
            answer.set("Content-Length", str(len(body)))
            pieces = [body]
        else:
            pieces = [] if bodiless else answer.body(self.upstream)
        self.client.send(answer.head())
        self._relay_body(answer, pieces)
        if not bodiless:
            self.client.send(answer.ending())
        return bodiless or answer.is_framed()

    def _is_rewritten(self, answer):
        if self.rule.one("answer-body") is not None:
            return True
        return "json" in answer.get("Content-Type") and int(answer.get("Content-Length") or 0) < LARGEST_REWRITTEN

    def _relay_body(self, answer, pieces):
        done = 0
        cut, hold = self.rule.one("cut-answer"), self.rule.one("hold") and self.rule.one("at")
        stops = {int(at) for at in (cut, hold) if at and at.isdigit()}
        for piece in pieces:
            for stop in sorted(stops):
                if done <= stop < done + len(piece):
                    self.client.send(answer.wrapped(piece[:stop - done]))
                    piece, done = piece[stop - done:], stop
                    self._stop(stop, cut)
            self.client.send(answer.wrapped(piece))
            done += len(piece)
        if cut is not None and int(cut) >= done:
            raise Closed

    def _stop(self, stop, cut):
        self._hold(str(stop))
        if cut is not None and int(cut) == stop:
            raise Closed


def serve_connection(faults, name, server, client):
    try:
        while Exchange(faults, name, server, client).run():
            pass
    except (Closed, OSError):
        pass
    finally:
        client.close()


def serve(faults, name, server, listener):
    while True:
        client = Stream(listener.accept()[0])
        threading.Thread(target=serve_connection, args=(faults, name, server, client), daemon=True).start()


def main(arguments):
    faults = Faults()
    for argument in arguments:
        name, _, address = argument.partition("=")
        host, _, port = address.rpartition(":")
        listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        own = f"127.0.0.1:{listener.getsockname()[1]}"
        faults.addresses[address] = own
        print(f"FAULTS_{name.upper()}='http://{own}'")
        threading.Thread(target=serve, args=(faults, name, (host, int(port)), listener), daemon=True).start()
    print(flush=True)
    for line in sys.stdin:
        command, _, rest = line.strip().partition(" ")
        answer = getattr(faults, f"do_{command}")(rest)
        print("\n".join([*(answer or []), "."]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
