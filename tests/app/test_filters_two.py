import numpy as np
import pytest
import torch

from cnn_core import images
from cnn_core.composition import compose
from cnn_core.images import IMAGES
from cnn_core.kernels import KERNELS, sobel_towards
from ui.chapter.filters_two_text import in_whole_numbers

PAGE = "chapter/filters.py"
LOOK = {"f-view": "Two in a row", "f-size": 24}


def texts(app) -> str:
    return "\n".join(text.value for kind in (app.markdown, app.caption) for text in kind)


def names_of(app) -> list[dict[str, object]]:
    names = []
    for code in app.code:
        defined: dict[str, object] = {}
        exec(code.value, defined)
        names.append({name: np.asarray(defined[name]) for name in ("y", "single", "at_once")})
    return names


def test_the_look_opens_with_a_blur_after_sobel(open_page):
    app = open_page(PAGE, **LOOK | {"f-size": 128})
    assert (not app.exception, not app.error) == (True, True)
    assert (
        "128 x 128 in, kernel 3 x 3, then kernel 3 x 3: 124 x 124 out. The single kernel is 5 x 5."
        in texts(app)
    )
    assert "Both ways give exactly the same outputs." in texts(app)
    assert "Multiplications for each output: 9 + 9 = 18 in a row, 25 at once." in texts(app)


@pytest.mark.parametrize(
    ("first", "second"), [("sobel-x", "gaussian-3"), ("book-rows", "motion-blur"), ("emboss", "box-blur-5")]
)
@pytest.mark.parametrize("relu", ["false", "true"])
def test_both_snippets_give_both_ways(open_page, first, second, relu):
    kernels = {"f-kernel": KERNELS[first].title, "f-2-kernel": KERNELS[second].title}
    ours, torchs = names_of(open_page(PAGE, **LOOK, **kernels, **{"f-relu": relu}))
    for name, array in ours.items():
        np.testing.assert_allclose(array, torchs[name].squeeze(), rtol=1e-12, atol=1e-9)
    same = np.allclose(ours["y"], ours["at_once"])
    picture = torch.tensor(images.to_grey(images.load("camera", size=24)).astype(float))[None, None]
    weight = torch.tensor(KERNELS[first].values)[None, None]
    goes_negative = bool((torch.nn.functional.conv2d(picture, weight) < 0).any())
    assert same == (relu == "false" or not goes_negative)


def test_with_a_relu_between_them_no_single_kernel_does_the_same_and_it_says_so(open_page):
    app = open_page(PAGE, **LOOK, **{"f-relu": "true"})
    assert "With a ReLU between them, no single kernel does the same." in texts(app)
    app.toggle(key="f-relu").set_value(False).run()
    assert "Both ways give exactly the same outputs." in texts(app)


def test_a_difference_that_is_rounding_is_called_so(open_page):
    app = open_page(
        PAGE, **LOOK, **{"f-kernel": KERNELS["box-blur-3"].title, "f-2-kernel": KERNELS["motion-blur"].title}
    )
    assert "is rounding." in texts(app)


def test_a_relu_that_cuts_nothing_is_not_blamed_for_rounding(open_page):
    blurs = {"f-kernel": KERNELS["box-blur-3"].title, "f-2-kernel": KERNELS["motion-blur"].title}
    app = open_page(PAGE, **LOOK, **blurs, **{"f-relu": "true"})
    assert "is rounding. On this picture the ReLU changes nothing." in texts(app)
    assert "With a ReLU between them" not in texts(app)


@pytest.mark.parametrize(("most", "is_offered"), [(100, True), (200, False)])
def test_factors_are_put_in_a_row_where_the_page_takes_them(open_page, most, is_offered):
    """The column is 1 and ten times `most`, and no cell may be above 1,000."""
    own = {"f-kernel": "Your own kernel", "f-cells": f"0.1,0.1;{most},{most}"}
    app = open_page(PAGE, **LOOK, **own)
    assert "**The first kernel is separable:**" in texts(app)
    assert ("f-split-first" in [button.key for button in app.button]) == is_offered
    if is_offered:
        app.button(key="f-split-first").click().run()
        assert (not app.error, app.text_input(key="f-cells").value) == (True, "1;1000")


def test_a_separable_kernel_is_put_in_a_row_and_recognised(open_page):
    app = open_page(PAGE, **LOOK)
    assert "**The first kernel is separable:**" in texts(app)
    assert (
        r"\begin{pmatrix} 1 \\ 2 \\ 1 \end{pmatrix} \begin{pmatrix} -1 & 0 & 1 \end{pmatrix}"
        in app.latex[3].value
    )
    app.button(key="f-split-first").click().run()
    assert (not app.exception, not app.error) == (True, True)
    cells = [app.text_input(key=f"f-{name}cells").value for name in ("", "2-")]
    assert cells == ["1;2;1", "-1,0,1"]
    assert "The single kernel has a name: *Sobel, left to right*." in texts(app)
    assert "3 + 3 = 6 in a row, 9 at once" in texts(app)
    assert "**The first kernel** is a single column already." in texts(app)


def test_a_kernel_that_is_not_separable_says_its_rank(open_page):
    laplacian = {
        "f-kernel": KERNELS["laplacian-4"].title,
        "f-2-kernel": "Your own kernel",
        "f-2-cells": "0,0;0,0",
    }
    app = open_page(PAGE, **LOOK, **laplacian)
    assert "**The first kernel is not separable.** Its rank is 2" in texts(app)
    assert "**The second kernel** is 0 everywhere." in texts(app)
    assert not app.error


def test_kernels_of_fractions_are_drawn_in_whole_numbers_where_these_are_short():
    blur, box = KERNELS["gaussian-5"].values, KERNELS["box-blur-5"].values
    dial = np.round(sobel_towards(45).values, 4)
    kernels = {"first": blur, "second": dial, "single": compose(blur, box)}
    drawn, names = in_whole_numbers(kernels)
    assert names == ["first · 256", "second", "single · 6400"]
    np.testing.assert_array_equal(drawn[0], blur * 256)
    np.testing.assert_array_equal(drawn[1], dial)
    assert drawn[2].sum() == 6400


def test_all_named_kernels_are_in_the_table(open_page):
    app = open_page(PAGE, **LOOK)
    separable = sum(np.linalg.matrix_rank(kernel.values) == 1 for kernel in KERNELS.values())
    assert f"{separable} of {len(KERNELS)} named kernels are separable." in texts(app)
    app.session_state["f-products"] = True
    table = app.run().dataframe[0].value
    assert table["kernel"].tolist() == [kernel.title for kernel in KERNELS.values()]
    assert table["rank"].tolist() == [np.linalg.matrix_rank(kernel.values) for kernel in KERNELS.values()]
    blur = table[table["kernel"] == KERNELS["gaussian-5"].title].iloc[0]
    assert (blur["at once"], blur["in two passes"], blur["times"]) == (25, 10, "1/256")


def test_kernels_too_large_for_the_picture_are_refused_and_the_photograph_is_one_click_away(open_page):
    large = {"f-kernel": KERNELS["gaussian-5"].title, "f-2-kernel": KERNELS["box-blur-5"].title}
    app = open_page(PAGE, **large, **{"f-view": LOOK["f-view"], "f-picture": IMAGES["book-edge"].title})
    assert not app.exception
    assert [error.value for error in app.error] == [
        "single kernel size 9 x 9 (5 x 5, then 5 x 5) exceeds picture size 6 x 8"
    ]
    app.button(key="f-two-way-out").click().run()
    assert not app.error
    assert "128 x 128 in, kernel 5 x 5, then kernel 5 x 5: 120 x 120 out." in texts(app)


def test_each_of_two_own_kernels_keeps_its_last_good_cells(open_page):
    own = {"f-kernel": "Your own kernel", "f-2-kernel": "Your own kernel"}
    app = open_page(PAGE, **LOOK, **own, **{"f-cells": "1,2", "f-2-cells": "3;4"})
    app.text_input(key="f-2-cells").set_value("3;").run()
    assert "is empty" in app.error[0].value
    assert "kernel 1 x 2, then kernel 2 x 1" in texts(app)


def test_every_setting_to_try_opens(open_page):
    app = open_page(PAGE, **LOOK)
    for key in [button.key for button in app.button if button.key.startswith("f-try-")]:
        app.button(key=key).click().run()
        assert (not app.exception, not app.error) == (True, True), key
    assert "With a ReLU between them, no single kernel does the same." in texts(app)
