import xml.etree.ElementTree as ET

import numpy as np
import pytest

from cnn_core.plots.marked import Drawing, cells, part, rectangle, write
from cnn_core.plots.theme import DARK, LIGHT


def parse(parts):
    return list(ET.fromstring(f"<g>{''.join(parts)}</g>"))


def test_cells_of_one_value_are_one_part_in_its_colour():
    array = np.array([[1.0, -2], [np.nan, 1]])
    low, high = parse(cells(array, limit=2, palette=LIGHT))
    assert low.get("d") == rectangle(0, 1)
    assert high.get("d") == rectangle(0, 0) + rectangle(1, 1)
    # The end of the scale, #174a94
    assert low.get("fill").replace(" ", "") == "rgb(23,74,148)"


def test_numbers_stand_in_the_middle_of_their_cells():
    drawn = parse(cells(np.array([[-1.0, np.nan, 0.5]]), limit=1, palette=DARK, top=3, left=2, numbered=True))
    texts = {text.text: text for text in drawn if text.tag == "text"}
    assert set(texts) == {"−1.0", "0.5"}
    assert float(texts["0.5"].get("x")) == 4.5
    assert 3.5 < float(texts["0.5"].get("y")) < 4
    assert texts["−1.0"].get("fill") == DARK.on_strong
    assert texts["0.5"].get("fill") == DARK.on_strong
    assert parse(cells(np.zeros((1, 1)), limit=1, palette=DARK, numbered=True))[1].get("fill") == DARK.text


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_values_beyond_the_limit_have_the_colour_of_the_end(palette):
    inside, beyond = (parse(cells(np.array([[value]]), limit=1, palette=palette))[0] for value in (1.0, 7.0))
    assert inside.get("fill") == beyond.get("fill")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1000, "1000"),
        (-1000.0, "−1000"),
        (9_999_999, "9999999"),
        (0.0001, "0.0001"),
        (0.00697, "0.00697"),
        (0.0099996, "0.01"),
        (99.96, "100"),
        (-0.0, "0"),
        (8.88e-16, "8.88e−16"),
    ],
)
def test_numbers_of_usual_size_are_written_without_exponents(value, text):
    assert write(value, 3) == text


def test_a_part_says_what_it_belongs_to_and_what_pointing_at_it_chooses():
    (drawn,) = parse([part(rectangle(0, 0), "frame", of=["a", "b"], at='"<c>')])
    assert drawn.attrib == {"class": "frame", "d": "M0 0h1v1h-1z", "data-of": "a b", "data-at": '"<c>'}


def test_a_drawing_keeps_its_proportions_unless_it_has_a_height():
    plain, stretched = (Drawing("", ("<g/>",), (-1, 0, 2, 3.5), height=height).svg for height in (None, 90))
    assert ET.fromstring(plain).attrib == {"viewBox": "0 -1 3.5 2"}
    assert ET.fromstring(stretched).get("preserveAspectRatio") == "none"
