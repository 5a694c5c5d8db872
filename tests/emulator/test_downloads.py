import pytest

from nanobanana_async.emulator import Answer, FailFast, Picture, Stuck
from nanobanana_async.emulator._dimensions import dimensions

from .driver import KEY, Account, body, result_urls

DAY = 86_400.0


def finished(account: Account, **changes: str) -> str:
    """Submit at 0, look at 10 and return the picture's URL."""
    (url,) = result_urls(account.status(10, account.accepted(0, body("a fox", **changes))))
    return url


def status(outcome: object) -> int:
    assert isinstance(outcome, Answer)
    assert outcome.headers["content-type"].startswith("text/plain")
    return outcome.status


def test_the_front_is_told_what_to_draw() -> None:
    account = Account(service=Stuck(10))
    url = finished(account, aspect_ratio="16:9", output_format="jpg")
    date = "Tue, 14 Nov 2023 22:13:30 GMT"
    assert account.download(10, url) == Picture("a fox", 256, 144, "jpeg", date)
    assert account.core.ledger(10).downloads == 1


def test_a_key_that_comes_along_is_noted() -> None:
    account = Account(service=Stuck(10))
    url = finished(account)
    assert isinstance(account.download(10, url, authorization=KEY), Picture)
    assert isinstance(account.download(10, url), Picture)
    assert account.core.ledger(10).keys_leaked == 1


def test_only_what_was_promised_is_there() -> None:
    account = Account(service=Stuck(10))
    url = finished(account)
    for wrong in (url.replace("task_", "task_0"), url.replace("1.png", "2.png")):
        assert status(account.download(10, wrong)) == 404
    for wrong in (url.replace("png", "jpeg"), url.replace("1.png", "0.png")):
        assert status(account.download(10, wrong)) == 404


def test_a_picture_is_there_from_the_tasks_end() -> None:
    account = Account(service=Stuck(10))
    url = finished(account)
    assert status(account.download(9.99, url)) == 404
    assert isinstance(account.download(10, url), Picture)


def test_a_failed_task_has_no_picture() -> None:
    account = Account(service=FailFast(1))
    task_id = account.accepted(0)
    assert status(account.download(5, f"/pictures/{task_id}/1.png")) == 404


@pytest.mark.parametrize(("speed", "end"), [(1.0, 10 + 15 * DAY), (10.0, 1 + 1.5 * DAY)])
def test_pictures_expire(speed: float, end: float) -> None:
    account = Account(service=Stuck(10), speed=speed)
    url = finished(account)
    assert isinstance(account.download(end - 1, url), Picture)
    assert status(account.download(end, url)) == 410


@pytest.mark.parametrize(
    ("ratio", "resolution", "small", "full"),
    [
        ("auto", "1K", (256, 256), (1_024, 1_024)),
        ("1:1", "2K", (256, 256), (2_048, 2_048)),
        ("3:2", "4K", (256, 171), (4_096, 2_731)),
        ("9:16", "4K", (144, 256), (2_304, 4_096)),
        ("21:9", "1K", (256, 110), (1_024, 439)),
        ("1:8", "1K", (32, 256), (128, 1_024)),
        ("8:1", "2K", (256, 32), (2_048, 256)),
    ],
)
def test_the_longest_side_is_the_resolutions(
    ratio: str, resolution: str, small: tuple[int, int], full: tuple[int, int]
) -> None:
    assert dimensions(ratio, resolution, full_size=False) == small
    assert dimensions(ratio, resolution, full_size=True) == full
