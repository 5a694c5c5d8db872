"""Commands as they are advised."""

import shlex

import pytest
from hypothesis import given, strategies as st

from nanobanana_async.cli._words import command


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:hunter2@proxy:3128", "http://USER:PASSWORD@proxy:3128"),
        ("http://me:p@ss@proxy:3128", "http://USER:PASSWORD@proxy:3128"),
        ("http://token@proxy", "http://USER:PASSWORD@proxy"),
        ("http://proxy:3128/a@b", "http://proxy:3128/a@b"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert command("bulk", ["--proxy", url]) == f"nanobanana bulk --proxy {shown}"
    assert command("bulk", [f"--proxy={url}"]) == f"nanobanana bulk --proxy={shown}"


@given(st.lists(st.text(st.characters(exclude_characters="@", exclude_categories=["Cs"]))))
def test_all_else_is_what_a_shell_reads_back(arguments: list[str]) -> None:
    assert shlex.split(command("wait", arguments)) == ["nanobanana", "wait", *arguments]
