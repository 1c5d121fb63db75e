"""Bytes to lines: nothing lost, every line at its place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.lines import Chunk, split_lines

LIMIT = 1 << 20


def rows(*chunks: Chunk, limit: int = LIMIT) -> list[tuple[int, int, int, str]]:
    return split_lines(chunks, limit).rows()


def test_bom_crlf_blank_lines_and_a_last_line_without_end() -> None:
    assert rows(Chunk(0, b"\xef\xbb\xbfab\r\ncd\n\nlast")) == [
        (0, 0, 7, "ab"),
        (0, 7, 3, "cd"),
        (0, 10, 1, ""),
        (0, 11, 4, "last"),
    ]


def test_bad_utf8_costs_the_bytes_and_not_the_line() -> None:
    assert rows(Chunk(0, b"good\n"), Chunk(1, b"x\xffy\nz\n")) == [
        (0, 0, 5, "good"),
        (1, 0, 4, "x\N{REPLACEMENT CHARACTER}y"),
        (1, 4, 2, "z"),
    ]


def test_offsets_continue_over_the_chunks_of_a_source() -> None:
    assert rows(Chunk(3, b"a\n"), Chunk(3, b"b\n", 2)) == [(3, 0, 2, "a"), (3, 2, 2, "b")]


def test_a_long_line_is_cut_but_keeps_its_length() -> None:
    assert rows(Chunk(0, b"x" * 50 + b"\ny\n"), limit=10) == [(0, 0, 51, "x" * 10), (0, 51, 2, "y")]


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_lengths_add_up_to_the_bytes_of_every_source(contents: list[bytes]) -> None:
    frame = split_lines([Chunk(number, data) for number, data in enumerate(contents)], LIMIT)
    for number, data in enumerate(contents):
        own = frame.filter(frame["src"] == number)
        assert own["length"].sum() == len(data)
        expected = data.split(b"\n")
        assert own.height == len(expected) - (expected[-1] == b"")


@given(st.text(max_size=200), st.integers(min_value=0, max_value=200))
def test_cutting_at_a_line_end_changes_nothing(text: str, near: int) -> None:
    data = text.encode()
    cut = data.find(b"\n", near) + 1
    whole = rows(Chunk(0, data))
    assert rows(Chunk(0, data[:cut]), Chunk(0, data[cut:], cut)) == whole


PIECES = st.lists(
    st.sampled_from([b"a\n", b"b", b"\n", b"\xff\n", b"\xef\xbb\xbfc\r\n", "é\n".encode(), b"d\ne"]), min_size=1
)


@given(data=PIECES, ended=st.booleans(), owners=st.sampled_from(["one", "some", "all"]))
def test_views_of_memory_are_read_as_copies_are(data: list[bytes], ended: bool, owners: str) -> None:
    """Side by side with or without what ends their last lines, and in memory of their own."""
    lacks = b"\n" if ended else b""
    whole = b"".join(piece + (b"" if piece.endswith(b"\n") else lacks) for piece in data)
    chunks, place = [], 0
    for n, piece in enumerate(data):
        own = owners == "all" or (owners == "some" and n % 2)
        view = memoryview(bytes(piece)) if own else memoryview(whole)[place : place + len(piece)]
        assert bytes(view) == piece
        chunks.append(Chunk(n, view))
        place += len(piece) + (0 if piece.endswith(b"\n") else len(lacks))
    assert rows(*chunks) == rows(*(Chunk(n, piece) for n, piece in enumerate(data)))
