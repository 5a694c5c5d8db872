"""Keeps the figures of the ledger, in constant time a request."""

from collections import Counter

from nanobanana_async.emulator._ledger import Ledger
from nanobanana_async.emulator._routes import Kind
from nanobanana_async.emulator._task import Task
from nanobanana_async.emulator._windows import FixedWindow, SlidingWindow


class Book:
    """Notes what happens, in order of time."""

    def __init__(self, window_offset: float, *, keep: bool = True) -> None:
        """`window_offset` is the second at which a fixed window begins.

        Without `keep` there is nothing in it that grows with the number of tasks.
        """
        self._keep = keep
        self._sliding = SlidingWindow()
        self._fixed = FixedWindow(window_offset)
        self._fullest_window = 0
        self._fullest_fixed_window = 0
        self._requests = dict.fromkeys(("submit", "check", "balance", "download"), 0)
        self._refused = dict.fromkeys(("rate", "concurrency", "fault"), 0)
        self._accepted = 0
        self._unheard = 0
        self._accepted_at: list[float] = []
        self._service_times: list[float] = []
        self._lag_of: list[float | None] = []
        self._ids: list[str] = []
        self._told_at: list[float | None] = []
        self._told_nobody: list[int] = []
        self._unheard_prompts: list[str] = []
        self._by_prompt: dict[str, int] = {}
        self._twice: dict[str, int] = {}
        self._most_tasks = 0
        self._seen = 0
        self._checks_of_seen = 0
        self._lags = 0.0
        self._longest_lag = 0.0
        self._callbacks = {True: 0, False: 0}
        self._faults: Counter[str] = Counter()
        self._downloads = 0
        self._keys_leaked = 0

    def arrived(self, now: float, kind: Kind) -> None:
        """Note a request, whatever becomes of it."""
        self._requests[kind] += 1
        if kind == "download":
            return
        self._sliding.add(now)
        self._fixed.add(now)
        self._fullest_window = max(self._fullest_window, self._sliding.count(now))
        self._fullest_fixed_window = max(self._fullest_fixed_window, self._fixed.count(now))

    def refused(self, reason: str) -> None:
        """Note a 429: rate, concurrency or fault."""
        self._refused[reason] += 1

    def injected(self, name: str, *, refuses: bool) -> None:
        """Note a fault."""
        self._faults[name] += 1
        if refuses:
            self.refused("fault")

    def accepted(self, task: Task, running: int, *, heard: bool) -> None:
        """Note a new task; `running` counts it; `heard` unless its answer gets lost."""
        self._accepted += 1
        self._unheard += not heard
        self._most_tasks = max(self._most_tasks, running)
        if self._keep:
            self._note(task, heard=heard)

    def _note(self, task: Task, *, heard: bool) -> None:
        task.number = len(self._accepted_at)
        self._accepted_at.append(task.life.accepted)
        self._service_times.append(task.life.end - task.life.accepted)
        self._lag_of.append(None)
        self._ids.append(task.id)
        self._told_at.append(None)
        prompt = task.order.prompt
        if not heard:
            self._unheard_prompts.append(prompt)
        times = self._by_prompt[prompt] = self._by_prompt.get(prompt, 0) + 1
        if times > 1:
            self._twice[prompt] = times

    def checked(self, now: float, task: Task, *, answered: bool) -> None:
        """Note a status request; `answered` unless its answer gets lost."""
        task.checks += 1
        if task.seen:
            self._checks_of_seen += 1
        elif answered and now >= task.life.end:
            task.seen = True
            self._seen += 1
            self._checks_of_seen += task.checks
            lag = now - task.life.end
            self._lags += lag
            self._longest_lag = max(self._longest_lag, lag)
            if self._keep:
                self._lag_of[task.number] = lag

    def downloaded(self) -> None:
        """Note a picture that was handed out."""
        self._downloads += 1

    def key_leaked(self) -> None:
        """Note an API key at a place that is none of its business."""
        self._keys_leaked += 1

    def called_back(self, *, ok: bool) -> None:
        """Note a delivery of a callback."""
        self._callbacks[ok] += 1

    def told(self, now: float, task: Task) -> None:
        """Note the first good delivery of a task's end."""
        if self._keep:
            self._told_at[task.number] = now - task.life.end

    def told_nobody(self, task: Task) -> None:
        """Note that no delivery of this task's end will ever be a good one."""
        if self._keep:
            self._told_nobody.append(task.number)

    def ledger(self, running: int) -> Ledger:
        """Take a snapshot."""
        seen = max(1, self._seen)
        return Ledger(
            requests=dict(self._requests),
            refused=dict(self._refused),
            fullest_window=self._fullest_window,
            fullest_fixed_window=self._fullest_fixed_window,
            accepted=self._accepted,
            accepted_unheard=self._unheard,
            accepted_at=tuple(self._accepted_at),
            service_times=tuple(self._service_times),
            lags=tuple(self._lag_of),
            task_ids=tuple(self._ids),
            told_at=tuple(self._told_at),
            callbacks_lost=tuple(self._told_nobody),
            accepted_by_prompt=dict(self._by_prompt),
            accepted_twice=dict(self._twice),
            unheard_prompts=tuple(self._unheard_prompts),
            running=running,
            most_tasks=self._most_tasks,
            finished_seen=self._seen,
            checks_per_task=self._checks_of_seen / seen,
            mean_lag=self._lags / seen,
            longest_lag=self._longest_lag,
            downloads=self._downloads,
            keys_leaked=self._keys_leaked,
            faults=dict(self._faults),
            callbacks_delivered=self._callbacks[True],
            callbacks_failed=self._callbacks[False],
        )
