"""Intervals from polling."""

from sample_logs.lab.control import Row
from sample_logs.lab.observe import History

UP = Row("Node_1", "up", "Established")
DOWN = Row("Node_1", "start", "Active        Socket: Connection refused")
END = ("n", "Node_1")


def test_equal_answers_make_one_interval() -> None:
    history = History()
    for moment, row in [(1.0, DOWN), (2.0, DOWN), (3.0, UP), (4.0, UP)]:
        history.see(moment, {"n": [row]})
    spans = [(item.row, item.started_at, item.ended_at) for item in history.intervals[END]]
    assert spans == [(DOWN, 1.0, 3.0), (UP, 3.0, 4.0)]
    assert history.up_since(END) == 3.0
    assert history.down(END, 0.0, 1.5)
    assert not history.down(END, 3.5, 9.0)


def test_a_silent_daemon_is_neither_up_nor_down() -> None:
    history = History()
    for moment, rows in [(1.0, [UP]), (2.0, None), (3.0, None)]:
        history.see(moment, {"n": rows})
    assert [item.row for item in history.intervals[END]] == [UP, None]
    assert not history.down(END, 0.0, 9.0)
    assert history.up_since(END) is None


def test_a_removed_peer_ends_its_interval_and_may_come_back() -> None:
    history = History()
    history.see(1.0, {"n": [DOWN]})
    history.see(2.0, {"n": []})
    history.see(3.0, {"n": []})
    assert history.intervals[END][-1].ended_at == 2.0
    assert history.up_since(END) == 2.0
    history.see(4.0, {"n": [UP]})
    assert history.up_since(END) == 4.0
    assert END not in history.gone
