"""The emulated API as a state machine: a request and the time go in, an outcome comes out.

No clock, no socket, no thread. A request passes, in this order: the route, the rate limit, the
faults, the key, and then the work itself.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Final

from attrs import define, evolve

from nanobanana_async.emulator import _envelope
from nanobanana_async.emulator._archive import Archive
from nanobanana_async.emulator._book import Book
from nanobanana_async.emulator._callback_faults import CallbackFaults
from nanobanana_async.emulator._callbacks import Callbacks, Delivery
from nanobanana_async.emulator._clock import ServerClock
from nanobanana_async.emulator._content import OBJECTION_SECONDS, objection
from nanobanana_async.emulator._dimensions import dimensions
from nanobanana_async.emulator._faults import FAULTS
from nanobanana_async.emulator._injector import FaultInjector
from nanobanana_async.emulator._ledger import Ledger
from nanobanana_async.emulator._limits import tasks_over_time
from nanobanana_async.emulator._order import InvalidOrderError, Order, read_order
from nanobanana_async.emulator._places import Places
from nanobanana_async.emulator._rate import rate_limit
from nanobanana_async.emulator._routes import Kind, find_route
from nanobanana_async.emulator._rules import MODELS
from nanobanana_async.emulator._settings import Settings
from nanobanana_async.emulator._status import StatusView
from nanobanana_async.emulator._task import Life, Task
from nanobanana_async.emulator._wallet import Wallet
from nanobanana_async.emulator._wire import Answer, Outcome, Picture, Request

NOWHERE: Final = "http://emulator.invalid"


@define
class _Call:
    """A request on its way through the core."""

    now: float
    request: Request
    target: str
    answered: bool
    """False: the work is done, and its answer gets lost."""
    held: float = 0.0
    """Seconds for which a fault holds the answer back; the work may set it."""


def _stream(*seed: object) -> Random:
    """Return a generator of its own, so that one kind of draw never shifts another."""
    return Random(":".join(map(str, seed)))


class EmulatorCore:
    """The server's side of one account: no clock, no socket; time is handed in."""

    def __init__(self, settings: Settings, *, epoch: float, base_url: str = NOWHERE) -> None:
        """Begin with an unused account.

        `epoch` is the Unix time in seconds at `now == 0`; result URLs begin with `base_url`. `now` is
        in seconds in all that follows, and never goes back.
        """
        self._settings = settings
        self._bearer = f"Bearer {settings.api_key}"
        self._rate = rate_limit(settings)
        self._places = Places(
            tasks_over_time(settings.concurrent_tasks, settings.limit_changes),
            settings.freed_late,
        )
        self._wallet = Wallet(settings.balance, settings.price)
        self._faults = FaultInjector(
            settings.faults, settings.episodes, _stream(settings.seed, "faults")
        )
        self._service = _stream(settings.seed, "service")
        # With the epoch in it a restarted server never hands out an id of its former life.
        self._ids = _stream(settings.seed, "ids", epoch)
        self._clock = ServerClock(epoch, settings.clock_offset, settings.clock_jumps)
        self._view = StatusView(clock=self._clock, base_url=base_url, pictures=settings.pictures)
        kept = settings.forget_after
        self._tasks = Archive(None if kept is None else kept / settings.speed)
        self._book = Book(settings.window_offset, keep=settings.keep_ledger)
        self._callbacks = Callbacks(
            settings.speed,
            self._callback_body,
            CallbackFaults(settings.faults, lambda name: _stream(settings.seed, name)),
            self._book,
        )
        self._work = {
            "submit": self._submit,
            "check": self._check,
            "balance": self._balance,
            "download": self._download,
        }

    def handle(self, now: float, request: Request) -> tuple[float, Outcome]:
        """Work on a request at `now`, in seconds.

        Returns the seconds until the outcome leaves the server, and the outcome; an answer has the
        `date` of that moment.
        """
        self._tasks.tidy(now)
        outcome, held = self._outcome(now, request)
        delay = self._settings.latency + held
        return delay, self._clock.dated(outcome, now + delay)

    def ledger(self, now: float) -> Ledger:
        """Take a snapshot of what was seen so far, at `now`, in seconds."""
        return self._book.ledger(self._places.running(now))

    def next_delivery_at(self) -> float | None:
        """Return when the next callback is due, in seconds, or None."""
        return self._callbacks.next_at()

    def take_deliveries(self, now: float) -> list[Delivery]:
        """Return the callbacks that are due at `now`, in seconds; answer for each with `delivered`."""
        return self._callbacks.take(now)

    def delivered(self, now: float, delivery: Delivery, *, ok: bool) -> None:
        """Note how a delivery went, at `now`, in seconds; `ok` is an answer 200 within 30 s."""
        self._callbacks.delivered(now, delivery, ok=ok)

    def notify(self, sooner: Callable[[], None] | None) -> None:
        """Call `sooner` when `next_delivery_at` is earlier than it was; None: call nobody."""
        self._callbacks.notify(sooner)

    def _outcome(self, now: float, request: Request) -> tuple[Outcome, float]:
        """Return the outcome and the seconds for which a fault holds it back."""
        route = find_route(request)
        if isinstance(route, Answer):
            return route, 0.0
        kind = route.kind
        self._book.arrived(now, kind)
        if kind != "download" and not self._rate.admit(now):
            return self._refuse("rate"), 0.0
        call = _Call(now, request, route.target, answered=True)
        name = self._faults.draw(kind, now)
        if name is None:
            return self._authorised(kind, call), call.held
        return self._spoilt(name, kind, call)

    def _spoilt(self, name: str, kind: Kind, call: _Call) -> tuple[Outcome, float]:
        act = FAULTS[name]
        true: Answer | Picture = _envelope.BLANK
        if act.work != "none":
            call = evolve(call, answered=act.work == "heard")
            true = self._authorised(kind, call)
        outcome = act.spoil(call.request, true)
        if outcome is None:
            return true, call.held
        self._book.injected(name, refuses=act.refuses)
        if act.forgets and isinstance(true, Answer):
            self._tasks.forget(json.loads(true.body)["data"]["taskId"])
        return outcome, call.held + (self._settings.slow_seconds if act.slow else 0.0)

    def _refuse(self, reason: str) -> Answer:
        self._book.refused(reason)
        return _envelope.TOO_MANY

    def _authorised(self, kind: Kind, call: _Call) -> Answer | Picture:
        key = call.request.headers.get("authorization")
        if kind == "download":
            if key is not None:
                self._book.key_leaked()
        elif key != self._bearer:
            return _envelope.UNAUTHORISED
        return self._work[kind](call)

    def _submit(self, call: _Call) -> Answer:
        rules = MODELS.get(call.target)
        if rules is None:
            return _envelope.MODEL_NOT_FOUND
        try:
            order = read_order(
                call.request.body,
                rules,
                self._settings.extra_fields,
                data_urls=self._settings.data_urls,
            )
        except InvalidOrderError as error:
            return _envelope.invalid(str(error))
        if not self._wallet.suffices():
            return _envelope.BALANCE_TOO_LOW
        if not self._places.free(call.now):
            return self._refuse("concurrency")
        return _envelope.good({"taskId": self._accept(call, order).id})

    def _accept(self, call: _Call, order: Order) -> Task:
        life = self._life(call.now, order)
        task = Task(f"task_{self._ids.getrandbits(64):016x}", call.target, order, life)
        self._tasks.add(task)
        self._wallet.pay()
        self._places.take(task.life.end)
        self._book.accepted(task, self._places.running(call.now), heard=call.answered)
        if order.callback_url is not None:
            call.held = self._callbacks.expect(task, order.callback_url)
        return task

    def _life(self, now: float, order: Order) -> Life:
        # Drawn in any case: an objection must not shift the service times of later tasks.
        service = self._settings.service.draw(self._service, order.resolution)
        seconds, failure = service.seconds, objection(order)
        if failure is None:
            failure = service.failure
        else:
            seconds = min(seconds, OBJECTION_SECONDS)
        return Life(now, now + seconds / self._settings.speed, failure)

    def _check(self, call: _Call) -> Answer:
        if call.target not in MODELS:
            return _envelope.MODEL_NOT_FOUND
        task_id = call.request.query.get("taskId")
        if not task_id:
            return _envelope.invalid("taskId: required")
        task = self._tasks.find(task_id)
        if task is None or task.model != call.target:
            return _envelope.TASK_NOT_FOUND
        self._book.checked(call.now, task, answered=call.answered)
        return _envelope.good(self._view.data(task, call.now))

    def _callback_body(self, task: Task, now: float) -> bytes:
        return _envelope.good(self._view.data(task, now)).body

    def _balance(self, _: _Call) -> Answer:
        return _envelope.good({"balance": self._wallet.left})

    def _download(self, call: _Call) -> Answer | Picture:
        task_id, _, name = call.target.partition("/")
        task = self._tasks.find(task_id)
        if task is None or not self._exists(task, name, call.now):
            return _envelope.plain(404, "404: Not Found")
        if call.now >= task.life.end + self._settings.result_lifetime / self._settings.speed:
            return _envelope.plain(410, "410: Gone")
        if call.answered:
            self._book.downloaded()
        order, full_size = task.order, self._settings.full_size
        size = dimensions(order.aspect_ratio, order.resolution, full_size=full_size)
        return Picture(order.prompt, *size, order.format)

    def _exists(self, task: Task, name: str, now: float) -> bool:
        numbers = range(1, self._settings.pictures + 1)
        return task.life.state(now) == "success" and name in {
            f"{number}.{task.order.format}" for number in numbers
        }
