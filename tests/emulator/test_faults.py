import json
from typing import Any

import pytest

from nanobanana_async.emulator import Answer, Cut, Picture, Reset, Settings, Silence
from nanobanana_async.emulator._faults import FAULTS
from nanobanana_async.emulator._wire import Outcome

from .driver import EXACTLY_10_S, Account, body, envelope, life_of, result_urls
from .shapes import ANSWERED, COMMON, CUT, SILENT, STATUSES, is_after, looks_like

API = ("submit", "check", "balance")
OF_CHECKS = ["unknown_state", "no_result", "empty_result", "bad_result", "times_missing"]
OF_CHECKS += ["times_reversed", "404", "forgotten"]
OF_DOWNLOADS = ["reset", "lost", "429", "429_retry_after", "307", "404", "cut", "slow", "silent"]
OF_DOWNLOADS += ["wrong_content"]
OF_DOWNLOADS += [f"{status}{dress}" for status in STATUSES for dress in ("", "_json", "_html")]
OF_DOWNLOADS += [f"{status}_empty" for status in STATUSES]


def test_the_names_are_kind_and_act() -> None:
    expected = {f"{kind}_{act}" for kind in API for act in (*COMMON, "slow")}
    expected |= {"submit_forgotten", *(f"check_{act}" for act in OF_CHECKS)}
    expected |= {f"download_{act}" for act in OF_DOWNLOADS}
    assert set(FAULTS) == expected


@pytest.mark.parametrize("probability", [1.5, -0.1, float("nan")])
def test_a_probability_is_from_0_to_1(probability: float) -> None:
    with pytest.raises(ValueError, match=r"from 0 to 1, not check_500="):
        Settings(faults={"check_500": probability})


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("submit_lots", "submit_lost"),
        ("check_503_htm", "check_503_html"),
        ("balance_no_result", "check_no_result"),
        ("any_502", "_502"),
    ],
)
def test_an_unknown_name_is_one_clear_error(name: str, near: str) -> None:
    with pytest.raises(ValueError, match=f"there is no fault '{name}'") as caught:
        Settings(faults={name: 0.1})
    said, _, hint = str(caught.value).partition("Near it: ")
    assert near in hint
    assert len(hint.split(", ")) <= 3
    assert all(kind in said for kind in (*API, "download", "any"))


def test_nothing_is_called_near_that_is_not() -> None:
    with pytest.raises(ValueError, match=r"_after, too$"):
        Settings(faults={"zzzzzz": 0.1})


def test_faults_of_a_kind_share_one_whole() -> None:
    Settings(faults={"submit_500": 0.7, "submit_503": 0.2, "submit_429": 0.1, "check_500": 1.0})
    with pytest.raises(ValueError, match="submit faults add up to more than 1"):
        Settings(faults={"submit_500": 0.7, "submit_503": 0.7})


def suffers(act: str, outcome: Outcome) -> None:
    if act in ANSWERED:
        assert isinstance(outcome, Answer)
        looks_like(act, outcome.status, outcome.headers, outcome.body)
    elif act in CUT:
        assert isinstance(outcome, Cut)
        assert isinstance(outcome.of, Answer)
        assert "date" in outcome.of.headers
    else:
        assert outcome == (Silence() if act in SILENT else Reset())


@pytest.mark.parametrize("act", COMMON)
def test_a_submit_with_a_fault_is_accepted_only_where_its_answer_is_lost(act: str) -> None:
    account = Account(faults={f"submit_{act}": 1.0}, balance=1.0)
    suffers(act, account.submit(0))
    ledger = account.core.ledger(0)
    accepted = int(is_after(act))
    assert (ledger.accepted, ledger.running) == (accepted, accepted)
    assert ledger.accepted_by_prompt == ({"a cat": 1} if accepted else {})
    assert (ledger.accepted_unheard, ledger.unheard_prompts) == (accepted, ("a cat",) * accepted)
    assert envelope(account.balance(0), 200)["data"] == {"balance": 1.0 - 0.04 * accepted}
    assert ledger.faults == {f"submit_{act}": 1}
    assert ledger.refused["fault"] == int(act in {"429", "429_retry_after", "200_code_429"})


@pytest.mark.parametrize("act", COMMON)
def test_a_check_with_a_fault_shows_nothing(act: str) -> None:
    account = Account(faults={f"check_{act}": 1.0}, service=EXACTLY_10_S)
    task_id = account.accepted(0)
    suffers(act, account.check(20, task_id))
    ledger = account.core.ledger(20)
    assert (ledger.finished_seen, ledger.faults) == (0, {f"check_{act}": 1})
    assert ledger.accepted_unheard == 0


@pytest.mark.parametrize("act", COMMON)
def test_a_balance_request_suffers_like_the_others(act: str) -> None:
    account = Account(faults={f"balance_{act}": 1.0})
    suffers(act, account.balance(0))
    assert account.core.ledger(0).faults == {f"balance_{act}": 1}


def parsed(outcome: Outcome) -> Any:
    assert isinstance(outcome, Answer)
    return json.loads(outcome.body)


def test_what_is_spoilt_after_the_work_is_the_true_answer() -> None:
    calm = Account()
    submitted = calm.submit(0)
    assert isinstance(submitted, Answer)
    true = parsed(submitted)

    def spoilt(act: str) -> Outcome:
        return Account(faults={f"submit_{act}": 1.0}).submit(0)

    half = spoilt("truncated_after")
    assert isinstance(half, Answer)
    assert half.body == submitted.body[: len(submitted.body) // 2]
    assert parsed(spoilt("wrong_shape_after")) == true | {"data": [true["data"]]}
    blown = parsed(spoilt("huge_after"))
    assert set(blown.pop("padding")) == {"x"}
    assert blown == true
    assert spoilt("cut_after") == Cut(submitted)
    for act in ("wrong_shape", "huge"):
        assert "taskId" not in json.dumps(parsed(spoilt(act))["data"])


def test_who_follows_a_redirect_asks_the_same_again() -> None:
    account = Account(faults={"check_307": 1.0, "submit_307_after": 1.0}, service=EXACTLY_10_S)
    answers = [account.submit(0), account.check(0, "task_é&1")]
    locations = [answer.headers["location"] for answer in answers if isinstance(answer, Answer)]
    assert locations == [
        "/api/v1/generateTask/nano-banana-2?again=1",
        "/api/v1/statusTask/nano-banana-2?taskId=task_%C3%A9%261&again=1",
    ]


def ask(kind: str, account: Account, task_id: str) -> Outcome:
    if kind == "submit":
        return account.submit(20)
    return account.check(20, task_id) if kind == "check" else account.balance(20)


@pytest.mark.parametrize("kind", API)
def test_a_slow_answer_is_the_true_one_and_leaves_later(kind: str) -> None:
    account = Account(
        faults={f"{kind}_slow": 1.0}, slow_seconds=7.0, latency=0.5, service=EXACTLY_10_S
    )
    calm = Account(latency=0.5, service=EXACTLY_10_S)
    task_id = account.accepted(0)
    assert calm.accepted(0) == task_id
    outcome, true = (ask(kind, someone, task_id) for someone in (account, calm))
    assert isinstance(outcome, Answer)
    assert isinstance(true, Answer)
    assert outcome.body == true.body
    assert account.delay - calm.delay == 7.0
    ledger = account.core.ledger(20)
    assert (ledger.accepted_unheard, ledger.finished_seen) == (0, int(kind == "check"))


# The acts that leave the status true but for one thing: what is left out, and what is changed.
@pytest.mark.parametrize(
    ("act", "gone", "changed"),
    [
        ("no_result", {"resultJson"}, {}),
        ("empty_result", set(), {"resultJson": '{"resultUrls": []}'}),
        ("bad_result", set(), {"resultJson": '{"resultUrls": ['}),
        ("times_missing", {"createTime", "completeTime", "costTime"}, {}),
        ("times_reversed", set(), {"completeTime": 1_699_999_999_000}),
        (
            "unknown_state",
            {"completeTime", "costTime", "resultJson"},
            {"state": "finalizing"},
        ),
    ],
)
def test_a_finished_task_is_shown_wrong(act: str, gone: set[str], changed: dict[str, Any]) -> None:
    account = Account(faults={f"check_{act}": 1.0}, service=EXACTLY_10_S)
    calm = Account(service=EXACTLY_10_S)
    task_id = account.accepted(0)
    true = calm.status(20, calm.accepted(0))
    expected = {name: value for name, value in true.items() if name not in gone} | changed
    assert account.status(20, task_id) == expected
    ledger = account.core.ledger(20)
    assert ledger.faults == {f"check_{act}": 1}
    assert ledger.finished_seen == int(act != "unknown_state")


@pytest.mark.parametrize("act", ["no_result", "empty_result", "bad_result", "times_reversed"])
def test_what_is_not_there_cannot_be_spoilt_and_counts_for_nothing(act: str) -> None:
    account = Account(faults={f"check_{act}": 1.0}, service=EXACTLY_10_S)
    calm = Account(service=EXACTLY_10_S)
    task_id = account.accepted(0)
    assert calm.accepted(0) == task_id
    assert account.check(5, task_id) == calm.check(5, task_id)
    assert account.core.ledger(5).faults == {}


@pytest.mark.parametrize("act", [*OF_CHECKS[:6], "forgotten"])
def test_an_unknown_task_or_key_has_no_status_to_spoil(act: str) -> None:
    account = Account(faults={f"check_{act}": 1.0})
    envelope(account.check(0, "task_1"), 404)
    task_id = account.accepted(0)
    path = "/api/v1/statusTask/nano-banana-2"
    envelope(account.send(0, "GET", path, query={"taskId": task_id}, headers={}), 401)
    assert account.core.ledger(0).faults == {}


def test_a_failed_task_has_no_result_to_lose() -> None:
    account = Account(faults={"check_no_result": 1.0}, service=EXACTLY_10_S)
    task_id = account.accepted(0, body("forbidden"))
    assert account.status(20, task_id)["state"] == "failed"
    ledger = account.core.ledger(20)
    assert (ledger.faults, ledger.finished_seen) == ({}, 1)


def test_not_found_this_once() -> None:
    account = Account(faults={"check_404": 0.5}, seed=2)
    task_id = account.accepted(0)
    answers = [account.check(0, task_id) for _ in range(20)]
    statuses = [answer.status for answer in answers if isinstance(answer, Answer)]
    assert statuses.count(404) == account.core.ledger(0).faults["check_404"] > 0
    assert statuses.index(404) < 20 - statuses[::-1].index(200)
    envelope(answers[statuses.index(404)], 404)


def test_a_task_forgotten_at_a_check_is_unknown_for_good() -> None:
    account = Account(faults={"check_forgotten": 0.2}, seed=2)
    task_id = account.accepted(0)
    answers = [account.check(0, task_id) for _ in range(50)]
    statuses = [answer.status for answer in answers if isinstance(answer, Answer)]
    assert statuses == sorted(statuses)
    assert {200, 404} == set(statuses)
    assert account.core.ledger(0).faults == {"check_forgotten": 1}


def test_a_task_forgotten_at_its_submit_is_answered_and_never_found() -> None:
    account = Account(faults={"submit_forgotten": 1.0}, concurrent_tasks=1)
    task_id = account.accepted(0)
    assert envelope(account.check(0, task_id), 404)["message"] == "Task not found"
    envelope(account.submit(0), 429)
    ledger = account.core.ledger(0)
    assert (ledger.accepted, ledger.running, ledger.accepted_unheard) == (1, 1, 0)
    assert ledger.faults == {"submit_forgotten": 1}


@pytest.mark.parametrize("act", [*OF_DOWNLOADS])
def test_a_download_with_a_fault_hands_out_nothing(act: str) -> None:
    account = Account(faults={f"download_{act}": 1.0}, service=EXACTLY_10_S)
    (url,) = result_urls(account.status(20, account.accepted(0)))
    outcome = account.download(20, url)
    if act == "404":
        assert isinstance(outcome, Answer)
        assert outcome.status == 404
    elif act == "307":
        assert isinstance(outcome, Answer)
        assert (
            outcome.headers["location"] == f"{url.removeprefix('http://emulator.invalid')}?again=1"
        )
    elif act == "cut":
        assert isinstance(outcome, Cut)
        assert isinstance(outcome.of, Picture)
    elif act == "slow":
        assert isinstance(outcome, Picture)
        assert account.delay == 10.0
    else:
        suffers(act, outcome)
    ledger = account.core.ledger(20)
    assert (ledger.downloads, ledger.faults) == (int(act == "slow"), {f"download_{act}": 1})


def test_unheard_are_all_that_were_accepted_and_not_told() -> None:
    account = Account(faults={"submit_lost": 0.3, "submit_502_html_after": 0.3}, seed=4)
    heard = 0
    for number in range(200):
        outcome = account.submit(0, body(f"{number % 50}"))
        heard += isinstance(outcome, Answer) and outcome.status == 200
    ledger = account.core.ledger(0)
    assert ledger.accepted == 200
    assert ledger.accepted_unheard == sum(ledger.faults.values()) == 200 - heard
    assert len(ledger.unheard_prompts) == ledger.accepted_unheard
    assert set(ledger.unheard_prompts) <= set(ledger.accepted_by_prompt)


def test_a_refused_submit_is_not_unheard() -> None:
    account = Account(faults={"submit_lost": 1.0}, concurrent_tasks=1)
    assert account.submit(0) == account.submit(0) == Reset()
    ledger = account.core.ledger(0)
    assert (ledger.accepted, ledger.accepted_unheard) == (1, 1)


def test_a_request_with_a_fault_counts_for_the_rate() -> None:
    account = Account(faults={"submit_reset": 1.0}, requests_per_minute=2)
    assert account.submit(0) == account.submit(0) == Reset()
    envelope(account.submit(0), 429)


def test_faults_come_as_often_as_they_are_asked_for() -> None:
    account = Account(faults={"check_500": 0.2, "check_429": 0.1})
    for _ in range(5_000):
        account.check(0, "task_1")
    faults = account.core.ledger(0).faults
    assert faults["check_500"] == pytest.approx(1_000, rel=0.1)
    assert faults["check_429"] == pytest.approx(500, rel=0.15)


def test_faults_do_not_shift_service_times() -> None:
    calm, rough = Account(seed=3), Account(seed=3, faults={"submit_500": 0.3, "check_lost": 0.5})
    # Ids are drawn at acceptance like service times, so they come in the same order.
    for number in range(200):
        task_id = calm.accepted(0, body(f"{number}"))
        while not rough_accepts(rough, task_id):
            pass
        assert life_of(calm, task_id) == life_of(rough, task_id)


def rough_accepts(rough: Account, task_id: str) -> bool:
    outcome = rough.submit(0, body("again and again"))
    assert isinstance(outcome, Answer)
    return bool(outcome.status == 200 and parsed(outcome)["data"]["taskId"] == task_id)
