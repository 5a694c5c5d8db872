"""Two clients with one key in one process: one warning, and none too many."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nanobanana_async import NanoBananaClient
from nanobanana_async._sharing import Sharing

ACCOUNT = ("sk-secret", "https://api.example/api/v1")


class User:
    """Whoever uses an account."""


def test_the_second_user_of_an_account_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    subject, users = Sharing(), [User() for _ in range(3)]
    for user in users:
        subject.begin(user, *ACCOUNT)
        subject.begin(user, *ACCOUNT)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "sk-secret" not in caplog.text


def test_one_after_the_other_is_no_sharing(caplog: pytest.LogCaptureFixture) -> None:
    subject, first, second = Sharing(), User(), User()
    subject.begin(first, *ACCOUNT)
    subject.end(first, *ACCOUNT)
    subject.begin(second, *ACCOUNT)
    subject.end(first, *ACCOUNT)
    del first
    subject.begin(second, *ACCOUNT)
    assert caplog.records == []


def test_nor_are_other_keys_other_hosts_and_those_that_were_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    subject, users = Sharing(), [User() for _ in range(3)]
    subject.begin(users[0], *ACCOUNT)
    subject.begin(users[1], "sk-another", ACCOUNT[1])
    subject.begin(users[2], ACCOUNT[0], "https://other.example/api/v1")
    users.clear()
    gc.collect()
    newcomer = User()
    subject.begin(newcomer, *ACCOUNT)
    assert caplog.records == []


@asynccontextmanager
async def opened(key: str) -> AsyncIterator[None]:
    async with NanoBananaClient(key, base_url="http://127.0.0.1:9"):
        yield


async def test_clients_are_users(caplog: pytest.LogCaptureFixture) -> None:
    async with opened("sk-one"):
        pass
    async with opened("sk-one"), opened("sk-two"):
        assert caplog.records == []
        async with opened("sk-one"):
            assert "Two clients with one API key" in caplog.text
