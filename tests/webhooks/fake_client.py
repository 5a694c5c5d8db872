"""A client that only notes what is delivered, and answers as a test says."""

from typing import cast

from attrs import define, field

from nanobanana_async import NanoBananaClient


@define
class FakeClient:
    """Stands in for both the client and its `webhooks`."""

    answer: int | Exception = 200
    taken: list[tuple[bytes, str]] = field(factory=list)

    @property
    def webhooks(self) -> "FakeClient":
        return self

    async def deliver(self, body: bytes, token: str) -> int:
        self.taken.append((body, token))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def find(self) -> NanoBananaClient:
        return cast("NanoBananaClient", self)
