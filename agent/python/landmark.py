"""Landmark's agent for Python: reports a program's landmarks to its sidecar, landmarkd.

A program copies this file and report_pb2.py. They need Linux, Python 3.10 or later,
grpcio and protobuf: Debian's python3-grpcio has both.

    marks = landmark.Set()
    loop = marks.loop("main loop", within=1.0)         # stalled if it does not answer for 1 s
    agent = landmark.start("epg", marks)
    aio.add_reader(loop, loop.answer)                  # asyncio; or selector.register(loop, ...)
    aio.run_until_complete(serve())
    agent.close()                                      # goodbye; an exit without it is a crash

docs/embedding.md says which landmark to put where. The names and rules are those of the
Go agent. Times are in seconds. A wrong declaration raises ValueError; after that nothing
raises, and nothing waits for landmarkd, except close, for a second at most.

The agent's threads read the landmarks and send what they read. They reach none: only
the program's own code does. Code that keeps the interpreter's lock for a long time also
keeps the agent from reporting, and the program becomes stale instead of stalled.

A pass takes about a microsecond, and a piece of work three. Landmarks are safe for use
by several threads, and by signal handlers. Make the set, and start the agent, after the
last fork: threads and landmarks do not survive it.
"""

import functools
import logging
import math
import os
import queue
import random
import re
import secrets
import sys
import threading
import time
import urllib.parse

import grpc

import report_pb2 as pb

log = logging.getLogger("landmark")

# What a failing landmark does. Each kind has a default.
CRITICAL = pb.IMPACT_CRITICAL  # fails liveness and readiness; the default of Alive, Deadline and Loop
READINESS = pb.IMPACT_READINESS  # fails readiness only; the default of Condition
DEGRADING = pb.IMPACT_DEGRADING  # lowers the weight only; the default of Level
INFORMATIONAL = pb.IMPACT_INFORMATIONAL  # is only shown

MAX_LANDMARKS = 1024
MAX_REASON = 255  # bytes


def _now():
    """The time in microseconds, by the clock that all processes of the host share."""
    return time.monotonic_ns() // 1000


class Set:
    """The landmarks of one program. Landmarks may be declared at any time."""

    def __init__(self):
        self._lock = threading.RLock()
        self._landmarks = []  # only ever appended to
        self._agents = []
        self._pid = os.getpid()

    def alive(self, name, within, *, impact=CRITICAL, start_within=0):
        """A landmark in a loop that never sleeps for long: it fails if not reached for within."""
        return Alive(self, name, pb.KIND_ALIVE, impact, within=within, start_within=start_within)

    def loop(self, name, within, *, impact=CRITICAL, start_within=0):
        """A landmark of a main loop that may sleep: it fails if it does not answer for within."""
        return Loop(self, name, pb.KIND_LOOP, impact, within=within, start_within=start_within)

    def deadline(self, name, within, *, impact=CRITICAL, start_within=0):
        """A landmark around pieces of work: it fails if one of them is open for over within."""
        return Deadline(self, name, pb.KIND_DEADLINE, impact, within=within, start_within=start_within)

    def level_above(self, name, degrade_at, fail_at, *, impact=DEGRADING, start_within=0):
        """A number that should stay small, such as the length of a queue."""
        return Level(self, name, pb.KIND_LEVEL, impact, limits=(degrade_at, fail_at, False), start_within=start_within)

    def level_below(self, name, degrade_at, fail_at, *, impact=DEGRADING, start_within=0):
        """A number that should stay large, such as free space."""
        return Level(self, name, pb.KIND_LEVEL, impact, limits=(degrade_at, fail_at, True), start_within=start_within)

    def condition(self, name, *, ttl=0, impact=READINESS, start_within=0):
        """Something that is met or not. With ttl, it fails if it was not set for that time."""
        return Condition(self, name, pb.KIND_CONDITION, impact, ttl=ttl, start_within=start_within)

    def _declare(self, landmark):
        with self._lock:
            if any(landmark.declaration.name == l.declaration.name for l in self._landmarks):
                raise ValueError(f"landmark {landmark.declaration.name!r}: declared twice; give each a name of its own")
            if len(self._landmarks) == MAX_LANDMARKS:
                raise ValueError(f"landmark {landmark.declaration.name!r}: a set holds at most {MAX_LANDMARKS}")
            self._landmarks.append(landmark)
        self._wake()

    def _wake(self):
        for agent in self._agents:
            agent._wake()


def _microseconds(name, seconds, minimum):
    """The duration, 0 for none if the minimum allows that."""
    if not minimum <= seconds <= 86400:
        raise ValueError(f"{name} must be {minimum} to 86400 s, not {seconds}")
    return round(seconds * 1e6)


class _Landmark:
    """What the landmarks of all kinds have in common. Times are in microseconds here."""

    def __init__(self, marks, name, kind, impact, *, within=None, ttl=0, start_within=0, limits=None):
        if not 1 <= len(name.encode()) <= 128 or not name.isprintable():
            raise ValueError(f"landmark {name!r}: a name is 1 to 128 bytes of printable characters")
        try:
            self.declaration = pb.Landmark(
                name=name,
                kind=kind,
                impact=impact,
                within_us=0 if within is None else _microseconds("within", within, 0.1),
                ttl_us=_microseconds("ttl", ttl, 0.001 if ttl else 0),
                start_within_us=_microseconds("start_within", start_within, 0.001 if start_within else 0),
            )
            if limits is not None:
                degrade_at, fail_at, below = limits
                if not math.isfinite(degrade_at) or not math.isfinite(fail_at):
                    raise ValueError("limits are finite numbers")
                if (fail_at > degrade_at) if below else (fail_at < degrade_at):
                    raise ValueError("it fails before it degrades; use level_above or level_below, as fits the limits")
                self.declaration.limits.CopyFrom(pb.Limits(degrade_at=degrade_at, fail_at=fail_at, below=below))
        except ValueError as e:
            raise ValueError(f"landmark {name!r}: {e}") from None
        self.limit = self.declaration.within_us or self.declaration.ttl_us  # the age at which it fails; 0 = none
        self.reported = pb.Fact()  # the latest that was reported; belongs to the agent
        self._set = marks
        self._lock = threading.RLock()  # guards the fields below; a signal handler may interrupt its holder
        self._count = 0  # passes, pieces of work begun, answers or settings
        self._at = _now()  # of the latest; at first, of the declaration
        self._awaited = True  # the next one is worth a report at once
        marks._declare(self)

    def _reach(self, important=False):
        """Counts one, and returns whether the agents must be woken. The caller holds the lock."""
        self._count += 1
        self._at = _now()
        awaited, self._awaited = self._awaited, False
        return awaited or important

    def sample(self, now):
        with self._lock:
            age = max(0, now - self._at)
            if self.limit and age >= self.limit / 2:
                self._awaited = True
            fact = pb.Fact(reached=self._count > 0, age_us=age, count=self._count)
            self._describe(fact, now)
            return fact

    def _describe(self, fact, now):
        """Adds what landmarks of this kind have beyond the others."""

    def needs_report(self, fact, now, reported_at, next_report):
        """Whether the change since the latest report is worth one before the next is due."""
        last = self.reported
        if fact.reached != last.reached:
            return True
        if fact.count == last.count and fact.pending == last.pending:
            return False
        if fact.met != last.met or self._zone(fact.value) != self._zone(last.value):
            return True
        if self.limit == 0 or self.declaration.kind == pb.KIND_DEADLINE and not last.open:
            return False  # it cannot fail by age
        renewed = now - fact.age_us > reported_at - last.age_us
        return renewed and last.age_us + next_report - reported_at >= self.limit

    def _zone(self, number):
        """0 for a good number, 1 for a degraded, 2 for a failing one."""
        if not self.declaration.HasField("limits"):
            return 0
        limits = self.declaration.limits
        sign = -1 if limits.below else 1
        if sign * number >= sign * limits.fail_at:
            return 2
        return 1 if sign * number > sign * limits.degrade_at else 0


class Alive(_Landmark):
    def reach(self):
        """Records that the program passes here. Call it only from the code whose work it shows."""
        with self._lock:
            wake = self._reach()
        if wake:
            self._set._wake()


class Loop(_Landmark):
    """The main loop waits until this is readable, as for a socket, and then calls answer."""

    def __init__(self, *args, **kwargs):
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._open = False  # a command was sent and is not answered yet
        self._sent = 0
        self._lag = 0
        super().__init__(*args, **kwargs)

    def fileno(self):
        return self._fd

    def answer(self):
        """Answers the get-state command, if one is open. Call it on the main loop itself: only
        then does it prove that this loop works."""
        if os.getpid() != self._set._pid:
            return  # the command is the parent's
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return
        with self._lock:
            if not self._open:
                return
            wake = self._reach()
            self._open = False
            self._lag = max(0, self._at - self._sent)
        if wake:
            self._set._wake()

    def send(self, now):
        """Opens a command unless one is open, and returns the number of answers before it."""
        with self._lock:
            if not self._open:
                self._open, self._sent = True, now
                os.eventfd_write(self._fd, 1)
            return self._count

    def request(self, now):
        """Is send for one who waits for the answer."""
        with self._lock:
            self._awaited = True
            return self.send(now)

    def _describe(self, fact, now):
        fact.open, fact.lag_us = self._open, self._lag


class Deadline(_Landmark):
    def __init__(self, *args, **kwargs):
        self._works = {}  # when each open piece of work began, in that order
        super().__init__(*args, **kwargs)

    def begin(self):
        """Records that a piece of work begins. End it with Work.end, or use it in a with statement."""
        work = Work(self)
        with self._lock:
            self._works[work] = _now()
            self._count += 1
            first = self._count == 1
        if first:
            self._set._wake()
        return work

    def _end(self, work):
        with self._lock:
            began = self._works.pop(work, None)
            if began is None:
                return
            self._at = _now()
            late = self._at - began >= self.limit / 2
        if late:
            self._set._wake()

    def _describe(self, fact, now):
        fact.pending = len(self._works)
        fact.open = fact.pending > 0
        if fact.open:
            fact.age_us = max(0, now - next(iter(self._works.values())))


class Work:
    """A piece of work that was begun. It may be ended by any thread, and twice."""

    def __init__(self, deadline):
        self._deadline = deadline

    def end(self):
        self._deadline._end(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Level(_Landmark):
    _number = 0.0

    def set(self, number):
        """Records the number. One that is not finite is recorded as the worst there is."""
        if not math.isfinite(number):
            number = -sys.float_info.max if self.declaration.limits.below else sys.float_info.max
        with self._lock:
            wake = self._reach(important=self._zone(number) != self._zone(self._number))
            self._number = number
        if wake:
            self._set._wake()

    def _describe(self, fact, now):
        fact.value = self._number


class Condition(_Landmark):
    _met, _reason = False, ""

    def set(self, met, reason=""):
        """Records whether it is met, and why. The reason is cut to 255 bytes."""
        reason = reason.encode(errors="replace")[:MAX_REASON].decode(errors="ignore")
        with self._lock:
            wake = self._reach(important=met != self._met)
            self._met, self._reason = met, reason
        if wake:
            self._set._wake()

    def _describe(self, fact, now):
        fact.met, fact.reason = self._met, self._reason


def start(service, marks, *, instance="", socket=""):
    """Starts to report the set to landmarkd as a process of the service, and returns an Agent at once.

    The instance distinguishes the processes of a service; without one, it is a unique
    name. The socket is the path of landmarkd's agent.sock; without one, it is
    $LANDMARK_SOCKET, else landmarkd's default.
    """
    return Agent(service, marks, instance or _process_name(), socket or _default_socket())


def _check_service(name):
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,89}", name):
        raise ValueError(f"landmark: service {name!r}: a name is a letter or digit, then at most 89 of these, '.', '_' and '-'")
    if name.rpartition("-")[2] in ("readiness", "liveness", "startup"):
        raise ValueError(f"landmark: service {name!r}: means an aspect of a service; choose another name")


@functools.cache
def _process_name():
    return f"{os.getpid()}-" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(8))


def _default_socket():
    user_directory = os.environ.get("XDG_RUNTIME_DIR")
    directory = f"{user_directory}/landmark" if user_directory and os.geteuid() != 0 else "/run/landmark"
    return os.environ.get("LANDMARK_SOCKET") or f"{directory}/agent.sock"


def _clock_name():
    """Names the clock of _now, or is empty if it is not known."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as f:
            return f.read().strip() + "/" + os.readlink("/proc/self/ns/time")
    except OSError:
        return ""


_identities = set()  # of this process's agents: of two with one identity, only the newer would count

_STREAM = "/landmark.intake.v1.IntakeService/Stream"
_CHANNEL = [
    ("grpc.use_local_subchannel_pool", 1),  # each dial is a new connection, at once
    ("grpc.enable_retries", 0),
    ("grpc.default_authority", "localhost"),
    ("grpc.max_receive_message_length", 64 << 10),
    ("grpc.http2.bdp_probe", 0),  # no pings to measure the connection
]
# The sidecar refuses the program until a person changes something.
_REFUSED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
}
_MIN_DELAY, _MAX_DELAY, _REFUSED_DELAY = 0.05, 0.5, 5.0  # between two dials
_CLOSE_TIMEOUT = 1.0
_MIN_STEP_GAP = 5_000  # between two steps that changes cause


class _Stream:
    """One session with the sidecar. It takes one message at a time from the agent."""

    def __init__(self):
        self.messages = queue.SimpleQueue()  # holds the one that the stream asked for; None = end
        self.call = None  # gRPC's
        self.ended = False
        self.declared = -1  # landmarks; -1 = none were declared yet
        self.latest = 0  # the number of the newest GetState; 0 = none
        self.reported = 0  # the highest number that was reported as answered
        self.loops = {}  # for each Loop that counts for readiness: its _Requests

    def answered(self):
        """The number of the newest GetState that every Loop has answered."""
        return min((r.answered for r in self.loops.values()), default=self.latest)


class _Requests:
    """The GetState requests that one Loop has answered. Its next answer after a request answers it;
    a command that was open already counts, because its answer comes after the request."""

    def __init__(self, answered):
        self.answers = 0  # the Loop's count at the latest request
        self.requested = 0  # the newest request that the next answer answers
        self.answered = answered

    def request(self, number, loop, now):
        answers = loop.request(now)
        self.update(answers)
        self.answers, self.requested = answers, number

    def update(self, answers):
        if answers > self.answers:
            self.answered = max(self.answered, self.requested)


class Agent:
    """Reports a set of landmarks to the sidecar, from start to close."""

    def __init__(self, service, marks, instance, socket):
        if marks._pid != os.getpid():
            raise RuntimeError("landmark: the set was made before a fork; make it in the child")
        _check_service(service)
        if not 1 <= len(instance) <= 128 or not (instance.isascii() and instance.isprintable()):
            raise ValueError(f"landmark: instance {instance!r}: a name is 1 to 128 bytes of printable ASCII")
        if "," in socket:
            raise ValueError(f"landmark: the socket's path {socket!r} has a comma, which separates addresses in gRPC; use another")
        self._identity = (socket, service, instance)
        if self._identity in _identities:
            raise ValueError(f"landmark: this process reports {service} as {instance!r} already; use one set, or two instances")
        _identities.add(self._identity)
        self._marks = marks
        self._path = socket
        self._hello = pb.StreamRequest(hello=pb.Hello(service=service, instance=instance, clock=_clock_name()))
        self._draining = False
        self._closing = threading.Event()
        self._conversation = None  # the latest _Stream
        # Belong to the thread _report, which runs the functions in events.
        self._events = queue.SimpleQueue()  # its put is safe in a signal handler
        self._woken = False
        self._stream = None  # the latest
        self._idle = False  # the stream waits for a message
        self._due = False  # a report is due as soon as the stream waits
        self._next_step = self._next_report = self._reported_at = 0
        self._change_seen = False  # since the latest step
        self._changed_at = 0  # the latest step after a change
        self._next_command = {}  # of each Loop
        marks._agents.append(self)
        self._threads = [threading.Thread(target=f, daemon=True, name="landmark") for f in (self._report, self._connect)]
        for t in self._threads:
            t.start()

    def drain(self):
        """Asks for no new work, at once and on each new connection. The program stays alive: its main loop goes on."""
        self._set_draining(True)

    def resume(self):
        """Ends drain."""
        self._set_draining(False)

    def _set_draining(self, draining):
        self._draining = draining
        self._events.put(self._report_now)

    def close(self):
        """Says goodbye: the program stops on purpose. Without it, its exit is a crash."""
        if self._closing.is_set():
            return
        self._end()
        stream = self._conversation
        if stream:
            stream.messages.put(pb.StreamRequest(goodbye=pb.Goodbye()))
        self._threads[1].join(_CLOSE_TIMEOUT)
        if self._threads[1].is_alive():
            log.warning("landmarkd did not confirm the goodbye, so it may treat the exit as a crash")
            stream.call.cancel()

    def _end(self):
        self._closing.set()
        self._events.put(self._changed)  # so that its thread sees it
        _identities.discard(self._identity)

    # The thread that reads the landmarks, sends the commands and makes the messages,
    # each when it is due, with or without a stream.

    def _report(self):
        while not self._closing.is_set():
            now = _now()
            if now >= self._next_step:
                self._step(now)
            try:
                self._events.get(timeout=max(0, self._next_step - _now()) / 1e6)()
            except queue.Empty:
                pass

    def _step(self, now):
        self._woken = False
        if self._change_seen:
            self._change_seen, self._changed_at = False, now
        marks = list(self._marks._landmarks)
        interval = _report_interval(marks)
        facts = [m.sample(now) for m in marks]
        stream = self._stream
        if stream:
            for m, fact in zip(marks, facts):
                if m in stream.loops:
                    stream.loops[m].update(fact.count)
        self._due = (
            self._due
            or now >= self._next_report
            or any(m.needs_report(f, now, self._reported_at, self._next_report) for m, f in zip(marks, facts))
            or stream is not None and stream.answered() > stream.reported
        )
        if now >= self._next_report:
            self._next_report = now + interval
        if self._due and self._idle:
            self._send(stream, marks, facts, now)
        # After the report, so that a command that it shows as open has been open for a while.
        self._next_step = self._next_report
        for m in marks:
            if isinstance(m, Loop):
                if now >= self._next_command.get(m, 0):
                    self._next_command[m] = now + min(max(m.limit // 4, 25_000), 1_000_000)
                    m.send(now)
                self._next_step = min(self._next_step, self._next_command[m])

    def _send(self, stream, marks, facts, now):
        """Gives the stream its next message: the declaration of new landmarks, or the report."""
        self._idle = False
        if stream.declared < len(marks):
            for m in marks[max(0, stream.declared) :]:
                if isinstance(m, Loop) and m.declaration.impact <= READINESS:
                    stream.loops[m] = _Requests(stream.reported)
                    if stream.latest > stream.reported:
                        stream.loops[m].request(stream.latest, m, now)
            stream.declared = len(marks)
            declaration = pb.Declaration(landmarks=[m.declaration for m in marks])
            stream.messages.put(pb.StreamRequest(declaration=declaration))
            return  # the report is still due
        self._due = False
        self._reported_at = now
        for m, fact in zip(marks, facts):
            m.reported = fact
        stream.reported = stream.answered()
        report = pb.Report(facts=facts, answered=stream.reported, draining=self._draining)
        if self._hello.hello.clock:
            report.read_at_us = now
        stream.messages.put(pb.StreamRequest(report=report))

    # Events of that thread.

    def _report_now(self):
        self._due = True
        self._next_step = 0

    def _changed(self):
        """A landmark changed. Only a change just before delays the next step, unless the sidecar waits for it."""
        self._change_seen = True
        waited = self._stream is not None and self._stream.latest > self._stream.reported
        self._next_step = min(self._next_step, 0 if waited else self._changed_at + _MIN_STEP_GAP)

    def _ready(self, stream):
        """The stream waits for a message. A new one needs the whole state."""
        if stream.ended:
            return
        if stream is not self._stream:
            self._stream, self._due = stream, True
        self._idle = True
        if self._due:
            self._next_step = 0

    def _request(self, stream, number):
        """The sidecar requests the state: each Loop gets the command."""
        if stream is not self._stream or stream.declared < 0 or number <= stream.latest:
            return
        stream.latest = number
        for loop, requests in stream.loops.items():
            requests.request(number, loop, _now())
        if stream.answered() > stream.reported:
            self._next_step = 0

    def _wake(self):
        """Called by the program's threads when a landmark changed."""
        if not self._woken:
            self._woken = True
            self._events.put(self._changed)

    # The thread that keeps a stream to the sidecar open.

    def _connect(self):
        delay, logged = _MIN_DELAY, None
        while not self._closing.is_set():
            code, why, established = self._converse()
            if self._closing.is_set():
                return
            if established:
                delay, logged = 0, None
            if why != logged:
                logged = why
                self._log(code, why)
            if code == grpc.StatusCode.ABORTED:
                self._end()
                return
            self._closing.wait((_REFUSED_DELAY if code in _REFUSED else delay) * random.uniform(0.8, 1.2))
            delay = min(max(2 * delay, _MIN_DELAY), _MAX_DELAY)

    def _converse(self):
        """Opens a stream and works until it ends. Returns why, and whether it lasted for a while."""
        stream, welcomed_at = _Stream(), None
        code, why = grpc.StatusCode.UNAVAILABLE, "landmarkd ended the stream"
        with grpc.insecure_channel("unix:" + urllib.parse.quote(self._path), options=_CHANNEL) as channel:
            method = channel.stream_stream(
                _STREAM,
                request_serializer=pb.StreamRequest.SerializeToString,
                response_deserializer=pb.StreamResponse.FromString,
            )
            stream.call = method(self._messages(stream))
            self._conversation = stream
            if self._closing.is_set():
                stream.call.cancel()  # close may not have seen this stream
            try:
                for response in stream.call:
                    if response.HasField("get_state"):
                        self._events.put(functools.partial(self._request, stream, response.get_state.number))
                    elif welcomed_at is None:
                        welcomed_at = time.monotonic()
                        log.info("reporting to landmarkd at %s", self._path)
            except grpc.RpcError as e:
                code, why = e.code(), e.details()
            stream.ended = True
            stream.messages.put(None)
        return code, why, welcomed_at is not None and time.monotonic() - welcomed_at >= _MAX_DELAY

    def _messages(self, stream):
        """The messages of a stream. gRPC asks for the next one when the previous one was sent."""
        message = self._hello
        while message is not None:
            yield message
            if message.HasField("goodbye"):
                return
            self._events.put(functools.partial(self._ready, stream))
            message = stream.messages.get()

    def _log(self, code, why):
        if code == grpc.StatusCode.ABORTED:
            log.error(
                "another process replaced this instance, so this one no longer reports; "
                "give each process its own instance name and restart this one: %s",
                why,
            )
        elif code in _REFUSED:
            log.error("landmarkd at %s refused this program; retrying every 5 s: %s", self._path, why)
        else:
            log.warning(
                "not connected to landmarkd at %s; retrying; start it, or set LANDMARK_SOCKET to its -agent-socket: %s",
                self._path,
                why,
            )


def _report_interval(marks):
    """How often to report when nothing changes: a quarter of the smallest limit, 25 to 500 ms."""
    limits = [m.limit for m in marks if m.limit]
    return min(max(min(limits) // 4, 25_000), 500_000) if limits else 500_000
