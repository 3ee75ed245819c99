import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core.shapes import MAX_SIZE, parse_shape, write_shape


@given(st.lists(st.integers(1, MAX_SIZE), min_size=1, max_size=3), st.sampled_from(["x", " x ", "X", " × "]))
def test_what_is_written_is_read_back(sizes, separator):
    assert parse_shape(write_shape(tuple(sizes)).replace("x", separator)) == tuple(sizes)


@pytest.mark.parametrize("text", ["", "x", "1x28x", "28.5", "-1x2x2", "1e3", "²x2", "1,28,28", "[link](x)"])
def test_what_is_no_shape_is_refused_with_a_right_one(text):
    with pytest.raises(ValueError, match="is not a shape: write it as 1x28x28"):
        parse_shape(text)


@pytest.mark.parametrize("text", ["0x28x28", "1x28x0", "1000001", "1x" + "9" * 90])
def test_a_size_out_of_range_is_refused(text):
    with pytest.raises(ValueError, match="of the input is not between 1 and 1,000,000"):
        parse_shape(text)


def test_four_axes_are_refused():
    with pytest.raises(ValueError, match=r"has 4 sizes, not 3 \(C, H, W\), 2 \(C, L\) or 1 \(features\)"):
        parse_shape("1x1x28x28")


@given(st.text(max_size=300))
def test_any_text_gives_a_shape_or_a_value_error(text):
    try:
        shape = parse_shape(text)
    except ValueError:
        return
    assert all(1 <= size <= MAX_SIZE for size in shape)
