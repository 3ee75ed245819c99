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


def test_every_data_set_is_named_with_where_it_is(open_page):
    texts = [text.value for text in open_page(PAGE).markdown]
    for spec in data.DATASETS.values():
        line = next(text for text in texts if f"**{spec.title}**" in text)
        assert ("(here)" in line) == (spec.name in data.available())


@pytest.mark.parametrize("query", [{}, {"h-digit": 8, "h-kernel": "gaussian-3"}])
def test_both_snippets_agree(open_page, run_snippets, query):
    ours, theirs = run_snippets(open_page(PAGE, **query))
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
