"""What processes tell each other arrives as it was."""

from __future__ import annotations

import io
from pickle import PickleBuffer

import pytest

from pipeline.engines.processes import receive, send


def test_values_arrive_in_order_with_what_goes_beside_them() -> None:
    pipe = io.BytesIO()
    send(pipe, {"a": PickleBuffer(b"frame"), "empty": PickleBuffer(b""), "n": 1})
    send(pipe, [b"plain"])
    pipe.seek(0)
    assert receive(pipe) == {"a": b"frame", "empty": b"", "n": 1}
    assert receive(pipe) == [b"plain"]
    with pytest.raises(EOFError):
        receive(pipe)


def test_an_answer_that_was_cut_off_is_none() -> None:
    pipe = io.BytesIO()
    send(pipe, {"a": PickleBuffer(b"frame"), "b": PickleBuffer(b"other")})
    whole = pipe.getvalue()
    for kept in range(len(whole)):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:kept]))
