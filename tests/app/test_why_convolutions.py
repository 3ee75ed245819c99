import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cnn_core.kernels import KERNELS

ROOT = Path(__file__).parents[2]
PAGE = "chapter/why_convolutions.py"
WEIGHTS, MATRIX, SHIFT, SIGNAL = LOOKS = ["the weights", "the matrix", "a shift", "a signal"]


@pytest.fixture
def open_look(open_page):
    def open_look(look, **query):
        return open_page(
            PAGE, **{"w-view": look}, **{f"w-{key.replace('_', '-')}": query[key] for key in query}
        )

    return open_look


def works(app):
    return not app.exception and not app.error


def reading(app):
    return next(text.value.strip("*") for text in app.markdown if text.value.startswith("**"))


def texts(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.latex))


def words(app):
    """The lines that the figure says of what is pointed at."""
    return json.loads(app.get("bidi_component")[0].proto.json)["words"]


def assert_sums_are_right(lines):
    """Each sum of products is equal to the number behind it, or where that is rounded, as good as equal."""
    written = [re.search(r"([^:]* · .*) ([=≈]) ([^ ]+?)\.?$", line.replace("−", "-")) for line in lines]
    assert any(written)
    for terms, sign, total in (found.groups() for found in written if found):
        products = [re.findall(r"[-\d./]+", term) for term in terms.split(" + ")]
        exact = sum(Fraction(number) * Fraction(weight) for number, weight in products)
        assert (
            exact == Fraction(total) if sign == "=" else float(exact) == pytest.approx(float(total), rel=5e-6)
        )


def assert_snippets_agree(app, run_snippets):
    ours, theirs = run_snippets(app)
    np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=1e-9, atol=1e-9)
    return np.asarray(ours)


@pytest.mark.parametrize("look", LOOKS)
def test_each_look_has_the_anatomy_of_all_pages(open_look, run_snippets, look):
    app = open_look(look)
    assert works(app)
    assert app.title[0].value == "Why convolutions"
    assert [heading.value for heading in app.subheader] == [
        "Try this",
        "Predict first",
        "What happens here",
        "In code",
    ]
    assert_snippets_agree(app, run_snippets)


@pytest.mark.parametrize("look", LOOKS)
def test_each_setting_to_try_opens_in_its_look_and_leads_back(open_look, run_snippets, look):
    app = open_look(look)
    keys = [button.key for button in app.button if button.key.startswith("w-try-")]
    assert len(keys) == 4
    for key in keys:
        app.button(key).click().run()
        assert not app.exception
        assert key in [button.key for button in app.button]
        if key == "w-try-Too long":
            assert app.error[0].value == "kernel size 9 exceeds signal length 7"
        else:
            assert works(app)
            assert_snippets_agree(app, run_snippets)
    app.button("w-reset").click().run()
    assert reading(app).startswith(
        "28 x 28 pixels in 1 channel, 4,704 hidden units: 3,687,936 weights if dense"
    )


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("value", ["-3", "nan", "", "999999", "<b>"])
def test_links_with_wrong_values_fall_back(open_look, look, value):
    keys = "size channels hidden units maps window bias stage numbers input kernel stride padding "
    keys += "picture filter down across border signal rate noise seed taps-of"
    app = open_look(look, **dict.fromkeys(keys.split(), value))
    assert works(app)


def test_one_weight_is_written_as_one(open_page):
    assert reading(open_page(PAGE, **{"w-size": 1, "w-maps": 1})) == (
        "1 x 1 pixels in 1 channel, 1 hidden unit: 1 weight if dense, 1 if local, 1 if shared. "
        "Dense takes as many as shared."
    )


def test_a_link_with_an_unknown_look_shows_the_weights(open_page):
    assert "4,704 hidden units" in reading(open_page(PAGE, **{"w-view": "<script>"}))


def test_the_page_opens_without_torch():
    code = (
        "import sys\nfrom streamlit.testing.v1 import AppTest\n"
        'app = AppTest.from_file("app.py", default_timeout=30).run()\n'
        f'app.switch_page("pages/{PAGE}").run()\n'
        "for look in list(app.segmented_control('w-view').options):\n"
        "    app.segmented_control('w-view').set_value(look).run()\n"
        "    assert not app.exception, look\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    modules = set(run.stdout.split())
    assert {
        f"ui.chapter.why_{look}" for look in ("weights", "matrix", "shift", "signal", "permuted", "fewer")
    } <= modules
    assert "torch" not in modules


# The weights


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ({"hidden": "single units", "units": 128}, [100_352, 3_200, 25]),
        ({"size": 224, "channels": 3, "hidden": "single units", "units": 128}, [19_267_584, 9_600, 75]),
        ({"size": 1000, "hidden": "single units", "units": 1000, "window": 21}, [10**9, 441_000, 441]),
        ({"size": 1000, "maps": 1, "window": 21}, [10**12, 441 * 10**6, 441]),
        ({"maps": 6, "bias": "true"}, [4704 * 785, 4704 * 26, 156]),
        ({"size": 1, "window": 1, "maps": 1, "bias": "true"}, [2, 2, 2]),
    ],
)
def test_the_counts_are_those_of_the_layers_of_pytorch(open_look, run_snippets, query, counts):
    app = open_look(WEIGHTS, **query)
    assert works(app)
    np.testing.assert_array_equal(assert_snippets_agree(app, run_snippets), counts)
    for count in counts:
        assert f"{count:,}" in reading(app)
        assert f"{count:,}".replace(",", "{,}") in app.latex[0].value


def test_the_largest_layer_is_counted_exactly(open_look, run_snippets):
    app = open_look(WEIGHTS, size=2048, channels=64, maps=256, window=31, bias="true")
    assert works(app)
    dense, local, shared = run_snippets(app)[0]
    assert [dense, local, shared] == run_snippets(app)[1]
    assert dense == 256 * 2048**2 * (64 * 2048**2 + 1)


def test_what_is_counted_is_said(open_look):
    app = open_look(WEIGHTS)
    assert "Weights are counted, biases are not." in texts(app)
    app.toggle("w-bias").set_value(True).run()
    assert "Weights and biases are counted." in texts(app)
    assert "3,692,640 weights and biases if dense" in reading(app)


def test_single_units_stay_single_units_where_a_feature_map_has_as_many(open_look):
    app = open_look(WEIGHTS, hidden="single units", units=784)
    assert "All hidden units share one kernel here." in texts(app)
    assert "connections.Connections(\n    num_units=784" in app.code[0].value
    app = open_look(WEIGHTS, maps=1)
    assert "1 feature map of 28 x 28" in texts(app)
    assert "connections.feature_maps(\n    1," in app.code[0].value


@pytest.mark.parametrize(
    ("query", "memory"),
    [
        ({"size": 1, "channels": 3, "units": 83_333, "hidden": "single units"}, "1 MB"),
        ({"size": 1, "units": 1, "hidden": "single units"}, "4 bytes"),
        ({}, "14.8 MB"),
        ({"size": 2048, "channels": 64, "maps": 256}, "1.15 EB"),
    ],
)
def test_memory_has_a_unit_that_leaves_three_digits(open_look, query, memory):
    assert f"the layer takes {memory}." in texts(open_look(WEIGHTS, **query))


def test_a_slip_in_print_is_named_where_the_page_shows_its_numbers_and_nowhere_else(open_look):
    app = open_look(WEIGHTS)
    assert "slip" not in texts(app)
    app.button("w-try-A larger colour picture").click().run()
    assert "“over 38 million” weights" in texts(app)
    assert "so 19,267,584" in texts(app)
    app = open_look(SIGNAL)
    assert "print −1 as the third output. It is 2 · 1 + 3 · 0 + 1 · (−1) = 1." in texts(app)
    app.selectbox("w-taps-of").set_value("bend").run()
    assert "slip" not in texts(app)


def test_a_window_cannot_be_larger_than_the_picture(open_look):
    app = open_look(WEIGHTS, size=7, window=31)
    assert works(app)
    assert app.number_input("w-window").max == 7


# The matrix


def test_the_shared_matrix_makes_exactly_the_convolution(open_look, run_snippets):
    for query in (
        {},
        {"input": 8, "padding": 1},
        {"input": 7, "stride": 2, "padding": 1},
        {"numbers": "counting"},
    ):
        app = open_look(MATRIX, **query)
        assert reading(app).endswith("Largest difference from the convolution: 0, exactly.")
        ours, theirs = run_snippets(app)
        assert (np.asarray(theirs) == ours).all()


@pytest.mark.parametrize(
    ("stage", "entries"),
    [
        ("dense", "all 144 are free"),
        ("local", "36 are free, the others are 0"),
        ("shared", "36 repeat the 4 cells of the kernel, the others are 0"),
    ],
)
def test_the_entries_of_each_step_are_counted(open_look, stage, entries):
    app = open_look(MATRIX, stage=stage)
    assert "9 x 16 = 144 entries" in reading(app)
    assert entries in reading(app)
    assert ("0, exactly" in reading(app)) == (stage == "shared")


def test_the_figure_says_what_a_row_makes_and_what_a_column_takes(open_look):
    said = words(open_look(MATRIX, numbers="counting"))
    assert len(said) == 9 + 16
    assert said["output-5"] == (
        "Row 5 of the matrix makes output row 1, column 2. It sees picture rows 1 to 2 and columns 2 to 3: "
        "6 · 1 + 7 · (−1) + 10 · 2 + 11 · 0 = 19."
    )
    assert said["pixel-5"] == (
        "Column 5 of the matrix takes the pixel in row 1, column 1, which is 5. It feeds 4 of 9 outputs."
    )


def test_entries_that_are_fewer_than_the_cells_are_not_said_to_repeat_all_of_them(open_look):
    cells = ";".join(["1,1,1,1,1,1"] * 6)
    assert "1 x 16 = 16 entries: all 16 repeat the cells of the kernel. " in reading(
        open_look(MATRIX, cells=cells, padding=1)
    )


def test_a_window_of_one_row_is_said_to_see_one_row(open_look):
    said = words(open_look(MATRIX, cells="1,2,3", numbers="counting"))
    assert "It sees picture row 0 and columns 0 to 2: 0 · 1 + 1 · 2 + 2 · 3 = 8." in said["output-0"]


@pytest.mark.parametrize("stage", ["dense", "shared"])
@pytest.mark.parametrize("cells", ["1/9,1/7;1/3,0.1", "0.1,0.2,-0.3", "1/3", "1000,-0.0001"])
def test_each_row_is_a_sum_that_is_right_as_it_is_written(open_look, stage, cells):
    said = words(open_look(MATRIX, stage=stage, cells=cells, numbers="counting"))
    assert_sums_are_right(line for name, line in said.items() if name.startswith("output"))


def test_a_window_of_padding_alone_is_named(open_look):
    said = words(open_look(MATRIX, cells="5", padding=1))
    assert said["output-0"].endswith("Its window sees padding alone, so it is 0.")


def test_a_kernel_larger_than_the_picture_is_refused_with_its_sizes(open_look):
    app = open_look(MATRIX, cells=";".join(["1,1,1,1,1"] * 5))
    assert not app.exception
    assert [error.value for error in app.error] == ["kernel size 5 x 5 exceeds picture size 4 x 4"]
    app.select_slider("w-input").set_value(5).run()
    assert works(app)
    assert "1 x 25 = 25 entries" in reading(app)


def test_a_kernel_larger_than_the_padded_picture_is_refused_too(open_look):
    app = open_look(MATRIX, cells=",".join("1" * 7), padding=1)
    assert [error.value for error in app.error] == ["kernel size 1 x 7 exceeds padded picture size 6 x 6"]


@pytest.mark.parametrize(
    ("stage", "padding", "marks"),
    [
        ("dense", 0, []),
        ("local", 0, ["Empty entries"]),
        ("dense", 1, ["Hatched"]),
        ("shared", 1, ["Empty entries", "Hatched"]),
    ],
)
def test_the_caption_names_only_what_is_drawn(open_look, stage, padding, marks):
    app = open_look(MATRIX, stage=stage, padding=padding)
    caption = next(each.value for each in app.caption if each.value.startswith("Point at a row"))
    assert [mark for mark in ("Empty entries", "Hatched") if mark in caption] == marks


def test_fractions_are_multiplied_too_and_the_difference_is_what_it_is(open_look, run_snippets):
    app = open_look(MATRIX, cells="1/9,1/7;1/3,0.1")
    assert works(app)
    assert_snippets_agree(app, run_snippets)
    assert reading(app).endswith("e−16, which is rounding.")


@pytest.mark.parametrize("text", ["1,x", "", "1,2;3", "1/0", "<b>", "9" * 500])
def test_wrong_cells_are_refused_in_place_and_the_last_right_ones_stay(open_look, text):
    app = open_look(MATRIX)
    app.text_input("w-cells").set_value("3,3").run()
    app.text_input("w-cells").set_value(text).run()
    assert not app.exception
    assert len(app.error) == 1
    assert "the last text that was right" in texts(app)
    assert "repeat the 2 cells" in reading(app)
    assert app.text_input("w-cells").value == text


# A shift


def test_a_convolution_moves_along_but_for_the_border_and_a_dense_layer_does_not(open_look, run_snippets):
    app = open_look(SHIFT)
    difference = assert_snippets_agree(app, run_snippets)
    assert f"{np.count_nonzero(difference)} of 1,600 outputs for the convolution" in reading(app)
    assert "1,600 of 1,600 outputs for the dense layer" in reading(app)
    assert "the 36 x 34 outputs" in texts(app)
    assert (difference[3:39, 5:39] == 0).all()
    assert "The largest difference there is 0." in texts(app)


def test_a_shift_by_one_pixel_shows_a_thin_line_on_each_side_and_the_frame_holds_all_others(
    open_look, run_snippets
):
    app = open_look(SHIFT)
    app.button("w-try-One pixel").click().run()
    difference = assert_snippets_agree(app, run_snippets)
    assert np.flatnonzero(difference.any(axis=0)).tolist() == [0, 39]
    assert "In the frame are the 40 x 38 outputs" in texts(app)


def test_without_a_shift_all_outputs_are_in_the_frame(open_look):
    assert "In the frame are the 40 x 40 outputs" in texts(open_look(SHIFT, down=0, across=0))


def test_around_the_edge_no_output_differs(open_look, run_snippets):
    app = open_look(SHIFT, border="the other side", down=-9, across=12)
    assert (assert_snippets_agree(app, run_snippets) == 0).all()
    assert "0 of 1,600 outputs for the convolution" in reading(app)


@pytest.mark.parametrize(("down", "across"), [(12, -12), (-12, 0), (0, 0)])
def test_pictures_of_any_shape_move_as_far_as_the_controls_go(open_look, run_snippets, down, across):
    app = open_look(SHIFT, down=down, across=across)
    for picture in ("coffee", "gradient"):
        assert works(app.selectbox("w-picture").set_value(picture).run())
        assert_snippets_agree(app, run_snippets)


@pytest.mark.parametrize("kernel", list(KERNELS))
def test_each_kernel_leaves_no_difference_inside_the_frame(open_look, run_snippets, kernel):
    app = open_look(SHIFT)
    assert works(app.selectbox("w-filter").set_value(kernel).run())
    assert_snippets_agree(app, run_snippets)
    assert "The largest difference there is 0." in texts(app)


# A signal


def test_the_small_example_has_the_right_outputs(open_look, run_snippets):
    app = open_look(SIGNAL)
    np.testing.assert_array_equal(assert_snippets_agree(app, run_snippets), [-1, -3, 1, 3, 0])
    assert words(app)["output-2"] == "Output 2, numbers 2 to 4: 2 · 1 + 3 · 0 + 1 · (−1) = 1"
    assert reading(app) == "7 numbers in, kernel size 3, stride 1, no padding: 5 outputs, from −3 to 3."


def test_a_heartbeat_has_its_rate_its_noise_and_its_seed(open_look, run_snippets):
    app = open_look(SIGNAL, signal="heartbeat", rate=120, noise=0.1, seed=7)
    assert works(app)
    assert_snippets_agree(app, run_snippets)
    assert "signals.heartbeat(400, beats_per_minute=120, noise=0.1, seed=7)" in app.code[0].value
    assert len(words(app)) == 398
    assert all(" = " in line for line in words(app).values())


@pytest.mark.parametrize(
    "query",
    [
        {"signal": "heartbeat"},
        {"signal": "heartbeat", "taps_of": "Average of 5"},
        {
            "signal": "own",
            "own": "1/3,1000,0.123456,-2/7,5",
            "taps_of": "Your own kernel",
            "taps": "1/9,-0.5,1000",
        },
        {"signal": "own", "own": "0.1,0.2,0.3", "taps_of": "Your own kernel", "taps": "1,1,-1"},
        {"signal": "own", "own": "1000,1000", "taps_of": "Your own kernel", "taps": "1,1"},
    ],
)
def test_each_output_is_a_sum_that_is_right_as_it_is_written(open_look, query):
    app = open_look(SIGNAL, **query)
    assert works(app)
    assert_sums_are_right(words(app).values())
    assert not re.search(r"\de", " ".join(words(app).values()) + reading(app))


def test_products_that_cancel_give_zero_in_all_places(open_look):
    app = open_look(SIGNAL, signal="own", own="0.1,0.2,0.3", taps_of="Your own kernel", taps="1,1,-1")
    assert words(app)["output-0"].endswith("0.1 · 1 + 0.2 · 1 + 0.3 · (−1) = 0")
    assert "from 0 to 0" in reading(app)


def test_a_kernel_of_one_cell_is_one_weight(open_look):
    app = open_look(SIGNAL, taps_of="Your own kernel", taps="2")
    assert "a window of 1, the same 1 weight everywhere" in texts(app)
    assert words(app)["output-2"] == "Output 2, number 2: 2 · 2 = 4"


def test_a_kernel_longer_than_the_signal_is_refused_with_its_sizes_and_the_signal_stays(open_look):
    app = open_look(SIGNAL, signal="own", own="1,2")
    assert not app.exception
    assert [error.value for error in app.error] == ["kernel size 3 exceeds signal length 2"]
    assert app.text_input("w-own").value == "1,2"
    app.text_input("w-own").set_value("1,2,4").run()
    assert works(app)
    assert "1 output, from −3 to −3" in reading(app)


def test_a_named_kernel_can_be_edited(open_look, run_snippets):
    app = open_look(SIGNAL)
    app.button("w-edit").click().run()
    assert app.text_input("w-taps").value == "1,0,-1"
    app.text_input("w-taps").set_value("1/2, 1/2").run()
    np.testing.assert_array_equal(assert_snippets_agree(app, run_snippets), [0.5, 1, 2.5, 2, 0.5, 0.5])


def test_a_kernel_to_be_edited_is_still_the_same_kernel(open_look, run_snippets):
    app = open_look(SIGNAL, signal="heartbeat", taps_of="Average of 15")
    before = assert_snippets_agree(app, run_snippets)
    app.button("w-edit").click().run()
    assert app.text_input("w-taps").value == ",".join(["1/15"] * 15)
    np.testing.assert_array_equal(assert_snippets_agree(app, run_snippets), before)


@pytest.mark.parametrize("text", ["1,x", "", "1,,2", "1/0", "<b>", "1e999999999", ",".join("1" * 99)])
@pytest.mark.parametrize(("key", "setup"), [("w-own", {"signal": "own"}), ("w-taps", {})])
def test_wrong_numbers_are_refused_in_place_and_the_last_right_ones_stay(open_look, key, setup, text):
    app = open_look(SIGNAL, **setup)
    if key == "w-taps":
        app.button("w-edit").click().run()
    before = reading(app)
    app.text_input(key).set_value(text).run()
    assert not app.exception
    assert len(app.error) == 1
    assert reading(app) == before
    assert app.text_input(key).value == text


def test_numbers_that_are_all_zero_are_drawn(open_look):
    assert works(open_look(SIGNAL, signal="own", own="0,0,0,0"))
