"""The tree of errors: drawn as it is, telling all that is known, safe to copy and to pickle."""

import inspect
import pickle
from typing import Any

import pytest

from nanobanana_async import _errors
from nanobanana_async._errors import (
    APIStatusError,
    FieldFault,
    InvalidRequestError,
    NanoBananaError,
    QueueTimeoutError,
    ResultUnreadableError,
    TaskError,
    TaskFailedError,
    TaskTimeoutError,
    fresh,
)

EVERY_KIND = [
    kind
    for _, kind in inspect.getmembers(_errors, inspect.isclass)
    if issubclass(kind, NanoBananaError)
]
FAULT = FieldFault("prompt", "''", "text of 1 to 20,000 characters")
OWN_DETAILS: dict[type[NanoBananaError], dict[str, Any]] = {
    InvalidRequestError: {"faults": (FAULT,)},
    TaskFailedError: {
        "fail_code": "GENERATION_FAILED",
        "fail_message": "out of luck",
        "group": "processing",
        "retryable": True,
    },
    ResultUnreadableError: {"raw": {"resultJson": "{"}},
    TaskTimeoutError: {"task": None},
}


def detailed(kind: type[NanoBananaError]) -> NanoBananaError:
    return kind(
        "It went wrong",
        task_id="task_1",
        status=418,
        code=419,
        api_message="I am a teapot",
        advice="Drink coffee",
        **OWN_DETAILS.get(kind, {}),
    )


def details(error: NanoBananaError) -> dict[str, Any]:
    return {"message": error.args, **vars(error)}


def drawn_tree(text: str) -> dict[str, str | None]:
    """Read the docstring's drawing: each class with the one that it hangs below."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in text.split("::", 1)[1].splitlines():
        branch = line[2:].replace("│", " ").replace("├── ", "    ").replace("└── ", "    ")
        if not branch.strip():
            continue
        depth = (len(branch) - len(branch.lstrip())) // 4
        name = branch.split()[0]
        parents[name] = above[depth - 1] if depth else None
        above[depth:] = [name]
    return parents


def real_tree() -> dict[str, str | None]:
    bases = {kind: kind.__bases__[0] for kind in EVERY_KIND}
    return {
        kind.__name__: None if kind is NanoBananaError else base.__name__
        for kind, base in bases.items()
    }


def test_the_docstring_draws_the_real_tree() -> None:
    assert drawn_tree(inspect.getdoc(_errors) or "") == real_tree()


def test_every_error_is_exported() -> None:
    assert {kind.__name__ for kind in EVERY_KIND} <= set(_errors.__all__)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_an_error_tells_all_that_is_known(kind: type[NanoBananaError]) -> None:
    assert str(detailed(kind)) == (
        "It went wrong (task: task_1, HTTP status: 418, code: 419, API says: I am a teapot). "
        "Drink coffee"
    )


def test_an_error_is_silent_on_what_is_not_known() -> None:
    assert str(NanoBananaError("It went wrong")) == "It went wrong"
    assert str(NanoBananaError("It went wrong", code=0)) == "It went wrong (code: 0)"
    assert str(NanoBananaError("It went wrong", task_id="t")) == "It went wrong (task: t)"


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_kind_has_advice_of_its_own_unless_told_otherwise(kind: type[NanoBananaError]) -> None:
    assert kind("no").advice == kind.default_advice
    assert kind("no", advice="").advice == ""
    assert str(kind("no", advice="")) == "no"


def test_a_fault_names_field_value_and_what_is_allowed() -> None:
    assert str(FAULT) == "prompt='': must be text of 1 to 20,000 characters"


def test_faults_are_kept_as_a_tuple() -> None:
    assert InvalidRequestError("no", faults=iter([FAULT])).faults == (FAULT,)
    assert InvalidRequestError("no").faults == ()


@pytest.mark.parametrize("kind", [QueueTimeoutError, TaskTimeoutError])
def test_a_wait_that_is_over_is_a_timeout_error_too(kind: type[NanoBananaError]) -> None:
    assert issubclass(kind, TimeoutError)


def test_no_other_error_is_a_timeout_error() -> None:
    timeouts = {kind for kind in EVERY_KIND if issubclass(kind, TimeoutError)}
    assert timeouts == {QueueTimeoutError, TaskTimeoutError}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_fresh_error_is_another_object_with_all_details(kind: type[NanoBananaError]) -> None:
    error = detailed(kind)
    error.__cause__ = OSError("no route")
    copy = fresh(error)
    assert copy is not error
    assert type(copy) is kind
    assert details(copy) == details(error)
    assert str(copy) == str(error)
    assert copy.__cause__ is error.__cause__


def test_a_fresh_error_has_no_traceback_of_the_first_caller() -> None:
    with pytest.raises(NanoBananaError) as raised:
        raise NanoBananaError("no")
    assert raised.value.__traceback__ is not None
    assert fresh(raised.value).__traceback__ is None


def test_a_fresh_error_may_be_about_another_task() -> None:
    error = APIStatusError("no", task_id="task_1")
    assert fresh(error, "task_2").task_id == "task_2"
    assert error.task_id == "task_1"


def test_a_change_to_a_fresh_error_is_not_seen_in_the_first() -> None:
    error = TaskFailedError("no", fail_code="NSFW")
    error.add_note("for all")
    copy = fresh(error)
    assert isinstance(copy, TaskFailedError)
    copy.fail_code = "other"
    copy.add_note("for one caller")
    assert error.fail_code == "NSFW"
    assert error.__notes__ == ["for all"]


def test_a_subclass_with_attributes_of_its_own_is_copied_whole() -> None:
    class OddError(TaskError):
        def __init__(self, message: str, *, colour: str = "none", **known: Any) -> None:
            super().__init__(message, **known)
            self.colour = colour

    copy = fresh(OddError("no", colour="blue", task_id="task_1"))
    assert isinstance(copy, OddError)
    assert (copy.colour, copy.task_id) == ("blue", "task_1")


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_an_error_survives_pickling(kind: type[NanoBananaError]) -> None:
    error = detailed(kind)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is kind
    assert details(copy) == details(error)
    assert str(copy) == str(error)
