"""Rows as people really write them: what can be read, and what is said of the rest."""

import json
from pathlib import Path
from typing import Any

import pytest

from nanobanana_async.bulk import InputError
from nanobanana_async.bulk._rows import Format, Row, read_rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows"


def rows(path: Path, form: Format, content: str | bytes) -> list[Row]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(path, form))


def row_of(path: Path, **fields: Any) -> Row:
    (row,) = rows(path, "jsonl", json.dumps(fields))
    return row


def error_of(path: Path, form: Format, content: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        rows(path, form, content)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("Nothing was sent")
    return str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_lines_of_text(path: Path, end: str, mark: bytes) -> None:
    text = end.join(["a cat", "", "  \t", " ein Käuzchen 😀 "])
    assert rows(path, "txt", mark + text.encode()) == [
        Row(1, "1", {"prompt": "a cat"}),
        Row(4, "4", {"prompt": "ein Käuzchen 😀"}),
    ]


@pytest.mark.parametrize("form", ["txt", "csv", "jsonl"])
def test_nul_bytes_and_other_encodings_are_no_text(path: Path, form: Format) -> None:
    good = '{"prompt": "a"}\n' * 3 if form == "jsonl" else "prompt\na\nb\n"
    assert "line 4 holds a NUL byte" in error_of(path, form, good.encode() + b"\0")
    assert "line 4 is in another encoding" in error_of(path, form, good.encode() + b"sch\xf6n")
    assert "it is in UTF-16" in error_of(path, form, good.encode("utf-16"))
    path.unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        list(read_rows(path, form))


def test_a_line_that_never_ends_is_not_read_to_its_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nanobanana_async.bulk._rows._LONGEST", 50)
    assert error_of(path, "txt", "a\n" + "x" * 500).startswith("Line 2 of")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_of_any_spreadsheet(path: Path, delimiter: str, end: str) -> None:
    lines = [
        '"Prompt";KEY ;google_search;image_urls;extra;',
        '"a ""cat""; on',
        'two lines";k;yes;http://a.b/1  http://a.b/2;"{""a"": 1}"',
        ";;;;;;",
        "",
        "a dog;;No;;;",
        "a cow",
    ]
    text = end.join(lines).replace(";", delimiter)
    first, second, third = rows(path, "csv", "\ufeff" + text)
    assert first == Row(
        2,
        "k",
        {
            "prompt": f'a "cat"{delimiter} on{end}two lines',
            "google_search": True,
            "image_urls": ["http://a.b/1", "http://a.b/2"],
            "extra": {"a": 1},
        },
    )
    # Without a key of its own the record's number is it; empty ones do not count.
    assert second == Row(6, "2", {"prompt": "a dog", "google_search": False})
    assert third == Row(7, "3", {"prompt": "a cow"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column named prompt in its first line"),
        ("text,key\na,b", "no column named prompt in its first line"),
        ("prompt,size\na,b", "a column that is not known: size"),
        ("prompt,,key\na,b,c", "a column that is not known: ''"),
        ("prompt,key,Key\na,b,c", "has the column key twice"),
        ('prompt,key\na,b\n"c,d\ne,f\n', "from line 3 on: unexpected end of data"),
        ('prompt,key\n"a\nb",c\n"d"e,f\n', "from line 4 on: ',' expected after '\"'"),
        ('prompt\n"' + "a cat\n" * 30_000, "from line 2 on: field larger than"),
    ],
)
def test_csv_that_is_none(path: Path, text: str, said: str) -> None:
    assert said in error_of(path, "csv", text)


def test_values_of_csv_that_cannot_be_read(path: Path) -> None:
    text = "prompt,google_search,extra\na cat, black,no,{}\nb,maybe,[1]\nc,0,{\n"
    many, wrong, broken = rows(path, "csv", text)
    assert many.faults == (
        ("row", "has 4 values for 3 columns; a value with a ',' in it stands in quotes"),
    )
    assert wrong.faults == (
        ("google_search", "must be true or false, not 'maybe'"),
        ("extra", "must be a JSON object"),
    )
    assert broken.faults == (("extra", "must be a JSON object"),)
    assert [row.line for row in (many, wrong, broken)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt": "b"', "is no JSON: Expecting ',' delimiter at column 15"),
        ("[1]", 'must be a JSON object, such as {"prompt": "a cat"}'),
        ("null", 'must be a JSON object, such as {"prompt": "a cat"}'),
        ("[" * 100_000, "is no JSON that can be read"),
        ("9" * 5_000, "is no JSON that can be read"),
    ],
    ids=["cut off", "list", "null", "deep", "long number"],
)
def test_json_lines_that_are_none(path: Path, line: str, said: str) -> None:
    good, bad, last = rows(path, "jsonl", f'{{"prompt": "a"}}\n{line}\n\n{{"prompt": "c"}}')
    assert bad == Row(2, "2", {}, (("row", said),))
    assert (good.line, last.line, last.fields) == (1, 4, {"prompt": "c"})


def test_fields_of_json_lines(path: Path) -> None:
    row = row_of(path, prompt=" a ", key=17, resolution=None, provider=" ", image_urls=["x"])
    assert row == Row(1, "17", {"prompt": " a ", "image_urls": ["x"]})
    faults = row_of(path, prompt="a", **{"size": 1, "\x1b[31mred": 2, "z" * 500: 3}).faults
    assert [field for field, _ in faults] == ["size", "'\\x1b[31mred'", "z" * 60 + "…"]
    assert all("the fields are prompt, image_urls" in reason for _, reason in faults)


@pytest.mark.parametrize("key", [1.5, True, [], {}, "\ud800"], ids=repr)
def test_keys_that_are_none(path: Path, key: object) -> None:
    row = row_of(path, prompt="a", key=key)
    assert (row.key, row.faults) == ("1", (("key", "must be a text or a whole number"),))


@pytest.mark.parametrize("key", ["../../x", "a/b", "A", "\0", "😀", "CON", "x" * 5_000, " a b "])
def test_keys_may_hold_anything_else(path: Path, key: str) -> None:
    assert row_of(path, prompt="a", key=key) == Row(1, key.strip(), {"prompt": "a"})
