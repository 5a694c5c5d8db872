"""What is learned of a picture while it passes by, however it is cut, and of junk."""

import hashlib
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st
from PIL import Image

from nanobanana_async._picture import Inspector

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"


def drawn(kind: str, size: tuple[int, int], **options: object) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, "salmon").save(file, kind, **options)
    return file.getvalue()


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    edges = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return (data[a:b] for a, b in pairwise(edges))


def inspected(*chunks: bytes) -> Inspector:
    inspector = Inspector()
    for chunk in chunks:
        inspector.feed(chunk)
        assert len(inspector._held) <= 12  # however long the file is
    return inspector


SIZES = st.tuples(st.integers(1, 3_000), st.integers(1, 3))
OPTIONS = {
    "png": st.just({}),
    "jpeg": st.fixed_dictionaries(
        {},
        optional={
            "progressive": st.booleans(),
            "comment": st.binary(max_size=300),
            "icc_profile": st.integers(1, 150_000).map(bytes),  # in several segments
        },
    ),
}
PLACES = st.lists(st.integers(0, 2_000), max_size=40)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@given(data=st.data(), size=SIZES, places=PLACES)
def test_a_picture_however_it_is_cut(
    kind: str, data: st.DataObject, size: tuple[int, int], places: list[int]
) -> None:
    picture = drawn(kind, size, **data.draw(OPTIONS[kind]))
    seen = inspected(*cut(picture, places))
    assert (seen.format, seen.width, seen.height) == (kind, *size)
    assert (seen.size, seen.sha256()) == (len(picture), hashlib.sha256(picture).hexdigest())


@given(
    picture=st.sampled_from([drawn("png", (7, 5)), drawn("jpeg", (7, 5), comment=b"x" * 99)]),
    whole=st.integers(0, 600),
    junk=st.binary(max_size=99),
    places=PLACES,
)
def test_a_picture_that_breaks_off_into_junk(
    picture: bytes, whole: int, junk: bytes, places: list[int]
) -> None:
    data = picture[:whole] + junk
    seen = inspected(*cut(data, places))
    assert seen.size == len(data)
    if whole >= 320:  # behind the size of either
        assert (seen.width, seen.height) == (7, 5)


@given(
    start=st.sampled_from([b"", PNG, JPEG, PNG + b"\x00\x00\x00\rIHDR", JPEG + b"\xc0"]),
    junk=st.binary(max_size=60),
    places=PLACES,
)
def test_junk(start: bytes, junk: bytes, places: list[int]) -> None:
    data = start + junk
    seen = inspected(*cut(data, places))
    begins = {"png": data.startswith(PNG), "jpeg": data.startswith(JPEG) and len(data) >= 8}
    assert begins.get(seen.format or "", True)
    assert seen.format is not None or not any(begins.values())


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG + b"\x00\x00\x00\rIHDR" + b"\x00\x00\x00\x00" + b"\x00\x00\x00\x05", (None, 5)),
        (PNG + b"\x00\x00\x00\rJUNK" + bytes(20), (None, None)),
        (JPEG + b"\xff\xff\xc2\x00\x11\x08\x00\x05\x00\x07", (7, 5)),  # more than one FF
        (JPEG + b"\xd0\xff\x01\xff\xc0\x00\x11\x08\x00\x05\x00\x07", (7, 5)),  # without a length
        (JPEG + b"\xc0\x00\x11\x08\x00\x00\x00\x07", (7, None)),  # told behind the scan
        (JPEG + b"\xe0\x00\x00\xff\xc0\x00\x11\x08\x00\x05\x00\x07", (7, 5)),  # no such length
        (JPEG + b"\xc4\x00\x02\x00\xc0\x00\x11\x08\x00\x05\x00\x07", (None, None)),  # no marker
        (JPEG + b"\xda\x00\x02\xff\xc0\x00\x11\x08\x00\x05\x00\x07", (None, None)),  # the scan
    ],
)
def test_heads(data: bytes, size: tuple[int | None, int | None]) -> None:
    seen = inspected(data)
    assert (seen.width, seen.height) == size


@pytest.mark.parametrize("endless", [b"\xff", b"\xff\xd0", b"\xff\xe0\x00\x02"])
def test_one_that_never_comes_to_its_size_is_given_up(endless: bytes) -> None:
    seen = inspected(JPEG + endless * 20_000)
    assert seen._reader is None
    assert seen.format == "jpeg"
