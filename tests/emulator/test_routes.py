import pytest

from nanobanana_async.emulator import Answer, Request

from .driver import Account, envelope

SUBMIT = "/api/v1/generateTask/nano-banana-2"
CHECK = "/api/v1/statusTask/nano-banana-2"
BALANCE = "/api/v1/apikeys/current-balance"


@pytest.mark.parametrize(
    "path", ["/", "/api/v1", "/api/v1/generateTask/", f"{SUBMIT}/more", "/pictures/x", "/v1/models"]
)
def test_an_unknown_path_is_answered_without_an_envelope(path: str) -> None:
    account = Account()
    answer = account.send(0, "GET", path)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (404, b"404: Not Found")
    assert answer.headers["content-type"].startswith("text/plain")
    assert set(account.core.ledger(0).requests.values()) == {0}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", SUBMIT, "POST"),
        ("POST", CHECK, "GET"),
        ("DELETE", BALANCE, "GET"),
        ("HEAD", "/pictures/task_1/1.png", "GET"),
    ],
)
def test_a_wrong_method_is_answered_without_an_envelope(
    method: str, path: str, allowed: str
) -> None:
    answer = Account().send(0, method, path)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(("method", "path"), [("POST", SUBMIT), ("GET", CHECK), ("GET", BALANCE)])
@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer wrong"}, {"authorization": "sk-emulator"}],
    ids=["none", "wrong", "no scheme"],
)
def test_without_the_right_key_nothing_is_said_and_the_request_counts(
    method: str, path: str, headers: dict[str, str]
) -> None:
    account = Account(requests_per_minute=1)
    answer = account.send(0, method, path, headers=headers)
    assert envelope(answer, 401)["message"] == "Invalid or missing API key"
    envelope(account.send(0, method, path, headers=headers), 429)


def test_an_unknown_model_is_answered_in_an_envelope() -> None:
    account = Account()
    assert envelope(account.submit(0, model="nano-banana-3"), 404)["message"] == "Model not found"
    envelope(account.check(0, "task_1", model="nano-banana-3"), 404)


def test_an_unknown_task_is_answered_in_an_envelope() -> None:
    account = Account()
    assert envelope(account.check(0, "task_1"), 404)["message"] == "Task not found"


def test_a_task_belongs_to_its_model() -> None:
    account = Account()
    task_id = account.accepted(0)
    envelope(account.check(0, task_id, model="nano-banana"), 404)


def test_a_check_names_a_task() -> None:
    answer = Account().send(0, "GET", CHECK)
    assert envelope(answer, 400)["data"]["error"].startswith("taskId:")


def test_every_answer_takes_the_latency() -> None:
    core = Account(latency=0.3).core
    assert core.handle(0, _request())[0] == 0.3
    assert Account().core.handle(0, _request())[0] == 0.0


def _request() -> Request:
    return Request("GET", BALANCE, {}, {}, b"")
