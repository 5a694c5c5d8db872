"""How a task looks from outside: the data of a status answer, of a callback, its result URLs."""

from collections.abc import Iterator
from typing import Any

from nanobanana_async.emulator._clock import ServerClock
from nanobanana_async.emulator._envelope import compact
from nanobanana_async.emulator._task import Task


class StatusView:
    """Shows tasks in the API's words. Stamps are Unix milliseconds of the server's clock."""

    def __init__(self, *, clock: ServerClock, base_url: str, pictures: int) -> None:
        """`clock` stamps each event with what it shows then."""
        self._clock = clock
        self._base_url = base_url
        self._pictures = pictures

    def data(self, task: Task, now: float) -> dict[str, Any]:
        """Return `data` of the envelope at `now`."""
        life = task.life
        state = life.state(now)
        created = self._clock.stamp(life.accepted)
        data: dict[str, Any] = {"taskId": task.id, "state": state, "createTime": created}
        if now < life.end:
            return data
        data["completeTime"] = self._clock.stamp(life.end)
        data["costTime"] = self._clock.milliseconds(life.accepted, life.end)
        if life.failure is not None:
            return data | {"failCode": life.failure.code, "failMsg": life.failure.message}
        # A string of JSON inside the JSON, as the API has it.
        data["resultJson"] = compact({"resultUrls": list(self._urls(task))})
        return data

    def _urls(self, task: Task) -> Iterator[str]:
        for number in range(1, self._pictures + 1):
            yield f"{self._base_url}/pictures/{task.id}/{number}.{task.order.format}"
