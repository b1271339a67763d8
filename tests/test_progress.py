"""Progress: silent unless asked, and never a line for what did not end."""

import io

import pytest
from rich.console import Console

from shortlist.progress import heard, reached, shown, step


def test_finished_steps_are_heard_inside_first_and_indented() -> None:
    told: list[str] = []
    with heard(lambda name, seconds: told.append(name)), step("outer"), step("inner"):
        pass
    with step("after"):
        pass
    assert told == ["  inner", "outer"]


def test_a_step_that_fails_is_not_finished() -> None:
    told: list[str] = []
    with heard(lambda name, seconds: told.append(name)):
        with pytest.raises(ValueError, match="no"), step("fails"):
            raise ValueError("no")
        with step("goes on"):
            pass
    assert told == ["goes on"]


def test_the_step_that_runs_is_announced_and_the_outer_one_again_after_it() -> None:
    begun: list[str] = []
    with heard(lambda name, seconds: None, begun.append), step("outer"), step("inner"):
        pass
    assert begun == ["outer", "inner", "outer", ""]


def test_how_far_a_step_has_come_is_announced_and_no_line() -> None:
    told: list[str] = []
    begun: list[str] = []
    with heard(lambda name, seconds: told.append(name), begun.append):
        reached("nothing runs")
        with step("recommend"):
            reached("1 of 2 users")
    assert begun == ["recommend", "recommend: 1 of 2 users", ""]
    assert told == ["recommend"]
    reached("nobody listens")


def test_in_a_pipe_steps_are_plain_lines_and_quick_inner_ones_none() -> None:
    out = io.StringIO()
    with shown(Console(file=out)), step("read [all] tables"), step("quick"):
        pass
    assert out.getvalue() == "    0.0 s  read [all] tables\n"


def test_on_a_terminal_the_lines_are_the_same() -> None:
    out = io.StringIO()
    with shown(Console(file=out, force_terminal=True, width=80)), step("read [all] tables"):
        pass
    assert "0.0 s  read [all] tables" in out.getvalue()
