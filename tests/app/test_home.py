import numpy as np
import pytest

from cnn_core import data

PAGE = "start/home.py"


def test_home_opens_with_its_example(open_page):
    app = open_page(PAGE)
    assert not app.exception
    assert app.title[0].value == "CNN Workbench"
    assert any("784 pixels in, 169 numbers out." in text.value for text in app.markdown)


@pytest.mark.parametrize(
    "kernel", ["vertical-edges", "horizontal-edges", "laplacian-4", "gaussian-3", "no-such"]
)
@pytest.mark.parametrize("digit", [0, 9, 10, "x"])
def test_each_example_opens_from_a_link(open_page, kernel, digit):
    app = open_page(PAGE, **{"h-kernel": kernel, "h-digit": digit})
    assert not app.exception


@pytest.mark.parametrize(
    ("kernel", "finds"), [("vertical-edges", True), ("laplacian-4", True), ("gaussian-3", False)]
)
def test_only_a_kernel_that_is_silent_on_even_areas_is_said_to_find_its_pattern(open_page, kernel, finds):
    app = open_page(PAGE)
    app.button_group(key="h-kernel").set_value(kernel).run()
    reading = next(text.value for text in app.markdown if "784 pixels in" in text.value)
    assert ("found its pattern" in reading) == finds


def test_every_data_set_is_named_with_where_it_is(open_page):
    texts = [text.value for text in open_page(PAGE).markdown]
    for spec in data.DATASETS.values():
        line = next(text for text in texts if f"**{spec.title}**" in text)
        assert ("(here)" in line) == (spec.name in data.available())


@pytest.mark.parametrize("kernel", ["vertical-edges", "gaussian-3"])
def test_both_snippets_agree(open_page, run_snippets, kernel):
    app = open_page(PAGE, **{"h-digit": 8})
    app.button_group(key="h-kernel").set_value(kernel).run()
    assert f'KERNELS["{kernel}"]' in app.code[0].value
    ours, theirs = run_snippets(app)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
