from cnn_core.geometry import Axis
from cnn_core.plots.theme import DARK, LIGHT
from cnn_core.plots.windows import windows


def named(fig, name):
    return [trace for trace in fig.data if trace.name == name]


def area(traces) -> float:
    return sum((max(trace.x) - min(trace.x)) * (max(trace.y) - min(trace.y)) for trace in traces)


def test_each_window_has_a_dot_at_its_centre():
    (dots,) = named(windows(Axis(7, 3, stride=2), Axis(5, 3)), "window centres")
    assert sorted(set(dots.y)) == [1.5, 3.5, 5.5]
    assert sorted(set(dots.x)) == [1.5, 2.5, 3.5]
    assert len(dots.x) == 9


def test_the_padding_frames_the_input_without_overlap():
    fig = windows(Axis(7, 3, padding=(1, 2)), Axis(5, 3, padding=(3, 0)))
    assert area(named(fig, "padding")) == 10 * 8 - 7 * 5


def test_what_no_window_reaches_is_hatched_once():
    fig = windows(Axis(8, 3, stride=3), Axis(7, 3, stride=3))
    hatched = [trace for trace in named(fig, "left over") if trace.fillpattern.shape]
    assert area(hatched) == 8 * 7 - 6 * 6


def test_nothing_is_hatched_where_nothing_is_left_over_or_padded():
    fig = windows(Axis(7, 3, stride=2), Axis(7, 3, stride=2))
    assert not named(fig, "padding")
    assert not named(fig, "left over")


def test_the_first_window_and_its_output_share_the_accent():
    fig = windows(Axis(7, 3, stride=2), Axis(5, 2), palette=DARK)
    (window,) = [shape for shape in fig.layout.shapes if shape.name == "window"]
    assert (window.y0, window.x0, window.y1, window.x1) == (0, 0, 3, 2)
    (output,) = named(fig, "its output")
    (frame,) = [shape for shape in fig.layout.shapes if shape.name == "output"]
    assert (min(output.y), min(output.x)) == (frame.y0, frame.x0)
    assert output.fillcolor == window.line.color == DARK.accent


def test_a_dilated_kernel_leaves_cells_of_its_window_out():
    cells = named(windows(Axis(7, 3, dilation=2), Axis(7, 2, dilation=3)), "kernel cell")
    assert sorted((min(cell.y), min(cell.x)) for cell in cells) == [
        (row, column) for row in (0, 2, 4) for column in (0, 3)
    ]


def test_a_large_input_is_drawn_without_lines_and_dots():
    fig = windows(Axis(256, 3), Axis(256, 3), palette=LIGHT)
    assert not named(fig, "cells")
    assert not named(fig, "window centres")


def test_the_words_above_a_narrow_grid_have_room():
    fig = windows(Axis(224, 7, stride=2), Axis(7, 3))
    (left, right), (above_input, above_output) = fig.layout.xaxis.range, fig.layout.annotations
    assert [note.text for note in fig.layout.annotations] == ["input 224 x 7", "output 109 x 5"]
    room = 0.3 * 224
    assert above_output.x - above_input.x >= room
    assert left <= above_input.x - room / 2
    assert right >= above_output.x + room / 2
