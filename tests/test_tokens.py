"""Tokens: known again by whoever has the secret, made by nobody else."""

from hypothesis import assume, given, settings, strategies as st

from nanobanana_async._tokens import Tokens

steady = settings(deadline=None, derandomize=True)
OURS, THEIRS = Tokens(b"0123456789abcdef"), Tokens(b"0123456789abcdeg")


def test_a_token_is_known_again_by_its_mark_alone() -> None:
    made = [OURS.mint() for _ in range(100)]
    assert [OURS.mark_of(token) for token, _ in made] == [mark for _, mark in made]
    assert len({mark for _, mark in made}) == len({token for token, _ in made}) == 100
    assert all(
        len(token) == 43 and token.replace("-", "").replace("_", "").isalnum() for token, _ in made
    )


def test_another_secret_makes_other_tokens() -> None:
    assert OURS.mark_of(THEIRS.mint()[0]) is None


@given(st.integers(0, 42), st.characters(codec="ascii"))
@steady
def test_one_other_character_makes_it_none(place: int, character: str) -> None:
    token, _ = OURS.mint()
    forged = token[:place] + character + token[place + 1 :]
    assume(forged != token)
    assert OURS.mark_of(forged) is None


@given(st.text(max_size=60))
@steady
def test_anything_else_is_none(text: str) -> None:
    assert OURS.mark_of(text) is None


def test_the_secret_is_not_shown() -> None:
    assert "0123456789" not in repr(OURS)
