"""What processes tell each other arrives as it was."""

from __future__ import annotations

import io
import pickle

import polars as pl
import pytest

from pipeline.engines.parts import Parsed
from pipeline.engines.processes import receive, send
from pipeline.sources.identify import Identity

IDENTITIES = {1: Identity("log", "log:cri", "its lines say so", ("cri",))}
PARSED = Parsed(
    {
        "records": pl.concat(  # in two chunks, so that a pipe may end between them
            [pl.DataFrame({"body": [text], "peers": [["10.0.0.1"]]}) for text in ("State changed to down", "up")],
            rechunk=False,
        ),
        "states": pl.DataFrame(schema={"ts": pl.Datetime("us", "UTC"), "category": pl.Enum(["auth", "tcp"])}),
    },
    IDENTITIES,
)


def test_values_arrive_in_order() -> None:
    pipe = io.BytesIO()
    send(pipe, {"a": b"bytes", "n": 1})
    send(pipe, [b"plain"])
    pipe.seek(0)
    assert receive(pipe) == {"a": b"bytes", "n": 1}
    assert receive(pipe) == [b"plain"]
    with pytest.raises(EOFError):
        receive(pipe)


def test_facts_arrive_as_they_were_and_what_follows_them() -> None:
    pipe = io.BytesIO()
    PARSED.write(pipe)
    send(pipe, ValueError("an item that cannot be parsed"))
    pipe.seek(0)
    found = Parsed.read(pipe)
    assert isinstance(found, Parsed)
    assert found.identities == IDENTITIES
    for name, frame in PARSED.frames.items():
        assert found.frames[name].equals(frame)
        assert found.frames[name].schema == frame.schema
    assert isinstance(Parsed.read(pipe), ValueError)


def test_an_answer_that_was_cut_off_is_none() -> None:
    pipe = io.BytesIO()
    PARSED.write(pipe)
    whole = pipe.getvalue()
    for kept in range(len(whole)):
        with pytest.raises((EOFError, pickle.UnpicklingError)):
            Parsed.read(io.BytesIO(whole[:kept]))
