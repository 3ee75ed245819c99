"""What the explorer computes and says, on a page of its own: held against `cnn_core.ops`, torch and exact sums."""

import re
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from cnn_core import scene
from cnn_core.geometry import Axis
from tests.browser.explorer_host import Host
from tests.browser.explorer_scenes import NUMBERS, POOLED, draw
from ui import explorer

NUM_LAYERS = 200
FADED = 28
"""Cells narrower than this, in pixels, may have no room for their numbers."""

MARKED_ONE_BY_ONE = 14
"""Cells at least as wide are marked each with a box of their own."""


@pytest.fixture(scope="module")
def host(browser):
    host = Host(browser)
    yield host
    host.page.close()


def payloads(layers):
    return [explorer.payload(layer.scene, with_server=True) for layer in layers]


# The same arithmetic as Python's


def expected_grids(layer):
    """List what each grid must show, by kind, channel by channel."""
    shown = layer.scene
    if shown.weight is None:
        return {"input": layer.padded, "output": shown.y, "server": shown.y, "gradient": layer.gradient()}
    grids = {"input": layer.padded, "kernel": shown.weight, "output": shown.y, "server": shown.y}
    return grids | ({"partial": layer.partial} if len(shown.x) > 1 else {})


def assert_drawn(texts, numbers, cell, where):
    """Check a grid that shows its numbers: each in its cell, exact or rounded to two decimals."""
    shown = [tuple(at) for at in np.argwhere(~np.isnan(numbers))]
    if not texts:
        assert cell < FADED, where
        return
    assert sorted((row, column) for row, column, _ in texts) == shown, where
    decimals = {len(text.partition(".")[2]) for *_, text in texts if "∞" not in text}
    assert len(decimals) <= 1, where
    digits = max(decimals, default=0)
    for row, column, text in texts:
        assert "-" not in text, where
        assert not re.fullmatch("−[0.]+", text), where
        number = float(text.replace("−", "-").replace("∞", "inf"))
        close = 0.5 * 10**-digits + 1e-9 if digits == 2 else 1e-9
        assert number == numbers[row, column] or abs(number - numbers[row, column]) <= close, (
            where,
            row,
            column,
        )


def test_the_browsers_arithmetic_equals_ops_over_200_random_settings(host):
    layers = [draw(seed, largest=28 if seed % 10 == 0 else 12) for seed in range(NUM_LAYERS)]
    assert {layer.scene.mode for layer in layers} == {"convolution", "transposed", *POOLED}
    num_drawn = 0
    for layer, seen in zip(layers, host.show(*payloads(layers)), strict=True):
        np.testing.assert_allclose(seen["output"], layer.scene.y, rtol=1e-12, atol=1e-9, err_msg=repr(layer))
        if layer.scene.weight is None:
            np.testing.assert_allclose(seen["gradient"], layer.gradient(), atol=1e-9, err_msg=repr(layer))
        else:
            np.testing.assert_allclose(seen["partial"], layer.partial, atol=1e-9, err_msg=repr(layer))
        expected = expected_grids(layer)
        assert {grid["kind"] for grid in seen["grids"]} == set(expected)
        for kind, planes in expected.items():
            drawn = [grid["texts"] for grid in seen["grids"] if grid["kind"] == kind]
            for texts, numbers in zip(drawn, planes, strict=True):
                assert_drawn(texts, numbers, seen["cell"], (kind, layer))
                num_drawn += len(texts)
    assert num_drawn > 20_000


@pytest.mark.parametrize(("mode", "text"), [("max", "−∞"), ("min", "∞")])
def test_a_window_of_padding_alone_is_infinite_in_the_browser_as_in_python(host, mode, text):
    axis = Axis(2, 2, padding=1, dilation=3)
    shown = scene.pooling(np.ones((1, 2, 2)), axis, axis, mode=mode)
    (seen,) = host.show(explorer.payload(shown, with_server=True))
    grids = {grid["kind"]: grid["texts"] for grid in seen["grids"]}
    assert grids["output"] == grids["server"] == [[0, 0, text]]
    assert (
        host.page.locator("#server").inner_text() == "Largest difference between Python and the browser: 0."
    )


def test_of_equal_numbers_the_first_wins_as_in_torch(host):
    for mode in ("max", "min"):
        for seed in range(5):
            layer = draw(seed, mode=mode, numbers="whole")
            ties = np.clip(layer.scene.x, -1, 1)
            tied = type(layer)(scene.pooling(ties, *layer.axes, mode=mode), layer.axes, {}, False, "whole")
            (seen,) = host.show(explorer.payload(tied.scene))
            np.testing.assert_array_equal(seen["gradient"], tied.gradient())


# The sum, written out


def number(text):
    return Fraction(text.strip("()").replace("−", "-"))


def numbers_of(text):
    return [number(part) for part in text.split(" + ")]


def check_line(line, num_terms):
    """Check products = numbers = their sum, and return the sum and whether the products are exact."""
    relation = "≈" if " ≈ " in line else "="
    products, parts, total = re.split(" = | ≈ ", line)
    factors = [tuple(map(number, pair.split(" · "))) for pair in products.split(" + ")]
    assert len(factors) == num_terms
    assert sum(numbers_of(parts)) == number(total), line
    digits = len(total.partition(".")[2])
    for (n, w), part in zip(factors, numbers_of(parts), strict=True):
        # Factors are shown with four decimals.
        near = Fraction(abs(n) + abs(w) + 1, 20_000) + 2 * Fraction(1, 10**digits)
        assert abs(n * w - part) <= (near if relation == "≈" else 0), line
    return number(total), relation == "="


def check_sum(text, *, num_channels, num_terms, bias):
    """Check every sum of the text with exact fractions; return the result, its decimals, and whether it is exact."""
    lines = text.split("\n")
    channels = [re.sub(r"^Channel \d+: ", "", line) for line in lines[:num_channels]]
    totals, exact = zip(*(check_line(line, num_terms) for line in channels), strict=True)
    total, rest = sum(totals), lines[num_channels:]
    times = 1
    if rest and rest[-1].startswith("All times"):
        found = re.fullmatch(r"All times (\d+), so that it is whole: (.+) / (\d+) ([=≈]) (.+)", rest.pop())
        times = int(found[1])
        assert found[1] == found[3]
        last, quotient = number(found[2]), number(found[5])
        assert abs(last / times - quotient) <= (0 if found[4] == "=" else Fraction(1, 20_000)), text
    if rest:
        (line,) = rest
        parts, shown = line.removeprefix("Sum: ").split(" = ")
        assert ("(bias)" in parts) == bool(bias), text
        parts = numbers_of(parts.removesuffix(" (bias)"))
        assert parts[:num_channels] == list(totals), text
        assert sum(parts) == number(shown), text
        if bias:
            assert abs(parts[-1] - Fraction(bias) * times) <= (0 if all(exact) else Fraction(1, 100)), text
        total = number(shown)
    else:
        assert not bias
    assert times == 1 or total == last
    return total / times, len(lines[0].rpartition(".")[2]) if "." in lines[0] else 0, all(exact)


@pytest.mark.parametrize("numbers", NUMBERS)
def test_the_numbers_of_a_sum_add_up_to_the_shown_sum_and_that_is_the_output(host, numbers):
    for seed in range(24):
        layer = draw(seed, mode="convolution", numbers=numbers, largest=9)
        shown = layer.scene
        height, width = shown.height, shown.width
        random = np.random.default_rng(seed)
        places = {
            (int(random.integers(height.output_size)), int(random.integers(width.output_size)))
            for _ in range(9)
        }
        cells = [("output", 0, place) for place in places]
        num_terms = height.kernel_size * width.kernel_size
        for (_, _, (row, column)), said in zip(
            cells, host.point(explorer.payload(shown), cells), strict=True
        ):
            total, digits, exact = check_sum(
                said["sum"], num_channels=len(shown.x), num_terms=num_terms, bias=shown.bias
            )
            close = 1e-9 if exact else 0.5 * 10**-digits + 1e-9
            assert abs(float(total) - shown.y[0, row, column]) <= close, said["sum"]
            assert said["reading"].startswith(f"Output row {row}, column {column}: ")
            count = len(shown.x) * num_terms
            assert f": {count} product{'s' * (count > 1)}, with input " in said["reading"]


@pytest.mark.parametrize("channels", [1, 3])
def test_all_products_negative_and_irrational_add_up_too(host, channels):
    # No number of decimals fits 25 such numbers by chance alone.
    for seed in range(12):
        random = np.random.default_rng(seed)
        x, weight = random.uniform(1, 9, (channels, 5, 5)), -random.uniform(0.1, 2, (channels, 5, 5))
        shown = scene.convolution(x, weight, Axis(5, 5), Axis(5, 5))
        (said,) = host.point(explorer.payload(shown), [("output", 0, (0, 0))])
        total, digits, _ = check_sum(said["sum"], num_channels=channels, num_terms=25, bias=0)
        assert abs(float(total) - shown.y[0, 0, 0]) <= 0.5 * 10**-digits + 1e-12, said["sum"]


@pytest.mark.parametrize("pixels", [[9, 18, 0, 27], [3, 5, 7, 250]])
def test_a_kernel_of_ninths_is_written_with_true_equalities(host, pixels):
    shown = scene.convolution(
        np.array(pixels, float).reshape(1, 2, 2), np.full((1, 2, 2), 1 / 9), *[Axis(2, 2)] * 2
    )
    (said,) = host.point(explorer.payload(shown), [("output", 0, (0, 0))])
    total, _, exact = check_sum(said["sum"], num_channels=1, num_terms=4, bias=0)
    assert exact
    assert total == Fraction(sum(pixels), 9)


def test_hand_worked_sums_read_as_the_book_writes_them(host):
    x, weight = np.arange(18.0).reshape(2, 3, 3), np.arange(8.0).reshape(2, 2, 2)
    first = scene.convolution(x[:1], weight[:1], Axis(3, 2), Axis(3, 2))
    (said,) = host.point(explorer.payload(first), [("output", 0, (0, 0))])
    assert said["sum"] == "0 · 0 + 1 · 1 + 3 · 2 + 4 · 3 = 0 + 1 + 6 + 12 = 19"
    both = scene.convolution(x, -weight, Axis(3, 2), Axis(3, 2), bias=0.5)
    (said,) = host.point(explorer.payload(both), [("output", 0, (0, 0))])
    assert said["sum"].split("\n")[1:] == [
        "Channel 1: 9 · (−4) + 10 · (−5) + 12 · (−6) + 13 · (−7) = (−36.0) + (−50.0) + (−72.0) + (−91.0) = −249.0",
        "Sum: (−19.0) + (−249.0) + 0.5 (bias) = −267.5",
    ]


def test_a_pooled_output_names_its_numbers_and_what_becomes_of_them(host):
    for mode in POOLED:
        for seed in range(8):
            layer = draw(seed, mode=mode, numbers="quarters")
            shown = layer.scene
            place = (shown.height.output_size - 1, shown.width.output_size - 1)
            (said,) = host.point(explorer.payload(shown), [("output", 0, place)])
            value = shown.y[(0, *place)]
            if mode == "average":
                plus, num, total = re.match(r"\((.*)\) / (\d+) = (\S+) / \d+ [=≈] ", said["sum"]).groups()
                assert sum(numbers_of(plus)) == number(total)
                assert len(numbers_of(plus)) == int(num)
                assert abs(number(total) / int(num) - Fraction(value)) < Fraction(1, 10**9)
                assert f"Each gets 1/{num} of the gradient." in said["reading"]
                continue
            listed, taken = re.match(r"From (.*) it takes (\S+)\.", said["sum"]).groups()
            values = [number(text) for text in listed.split(", ")]
            assert number(taken) == (max if mode == "max" else min)(values) == Fraction(value)
            row, column = map(int, re.search(r"Input row (\d+), column (\d+) wins\.", said["sum"]).groups())
            assert shown.x[0, row, column] == value


# What is marked, and how many there are


def layers_to_point_at(count=24, **options):
    modes = ("convolution", "transposed", *POOLED)
    return [draw(seed, mode=modes[seed % 5], largest=9, **options) for seed in range(count)]


def mark_on(said, kind, channel=0):
    return [mark for mark in said["marks"] if mark["kind"] == kind][channel]


def test_pointing_at_an_output_marks_its_window_and_lays_the_kernel_over_it(host):
    for seed in range(16):
        layer = draw(seed, mode="convolution", numbers="whole", largest=7)
        height, width = layer.axes
        at = (height.output_size // 2, width.output_size - 1)
        (said,) = host.point(explorer.payload(layer.scene), [("output", 0, at)])
        rows, columns = (
            [place + axis.padding[0] for place in axis.seen_by(index)]
            for axis, index in zip(layer.axes, at, strict=True)
        )
        for channel, kernel in enumerate(layer.kernels[0]):
            mark = mark_on(said, "input", channel)
            window = [[row, column] for row in rows for column in columns]
            if host.page.evaluate("root.explorer.cell") >= MARKED_ONE_BY_ONE:
                assert sorted(mark["cells"]) == window, layer
            if mark["texts"]:
                weights = [int(text.replace("−", "-")) for *_, text in sorted(mark["texts"])]
                assert weights == kernel.ravel().tolist(), layer
            spans = [
                [places[0] - axis.padding[0], places[-1] - axis.padding[0]]
                for places, axis in zip((rows, columns), layer.axes, strict=True)
            ]
            marked = re.search(r"Marked: (rows?) (.*), (columns?) (.*)\.", mark["label"])
            found = [[int(n) for n in text.replace("−", "-").split(" to ")] for text in marked.group(2, 4)]
            assert [[span[0], span[-1]] for span in found] == spans, layer


def test_an_input_names_as_many_outputs_as_torch_gives_gradient_to_and_only_true_comparisons(host):
    for seed, layer in enumerate(layers_to_point_at(25)):
        shown, fed = layer.scene, layer.numbers_fed()
        before = (shown.height.before, shown.width.before)
        places = np.random.default_rng(seed).permutation(np.argwhere(fed >= 0))[:20].tolist()
        cells = [("input", 0, (row + before[0], column + before[1])) for row, column in places]
        num_outputs = shown.height.output_size * shown.width.output_size
        middle = fed[
            (fed.shape[0] - 1) // 2 : fed.shape[0] // 2 + 1, (fed.shape[1] - 1) // 2 : fed.shape[1] // 2 + 1
        ]
        for place, said in zip(map(tuple, places), host.point(explorer.payload(shown), cells), strict=True):
            reading = said["reading"]
            if not fed[place]:
                assert reading.endswith("No window reaches it."), (reading, layer)
                continue
            noun = "output" if num_outputs == 1 else "outputs"
            assert f"It feeds {fed[place]} of {num_outputs} {noun}." in reading, layer
            if "No input feeds more." in reading:
                assert fed[place] == fed.max(), (reading, layer)
            if compared := re.search(r"An input in the middle feeds (\d+)", reading):
                assert int(compared[1]) in middle, (reading, layer)


def test_a_pooled_input_says_how_often_it_wins_and_its_gradient(host):
    for mode in POOLED:
        for seed in range(6):
            layer = draw(seed, mode=mode, numbers="whole", largest=7)
            shown, gradient = layer.scene, layer.gradient()[0]
            before = (shown.height.before, shown.width.before)
            places = [tuple(map(int, at)) for at in np.argwhere(layer.numbers_fed() > 0)]
            cells = [("input", 0, (row + before[0], column + before[1])) for row, column in places]
            for place, said in zip(places, host.point(explorer.payload(shown), cells), strict=True):
                told = number(re.search(r"Its gradient is ([−.\d]+)\.(?: |$)", said["reading"])[1])
                assert abs(float(told) - gradient[place]) <= 0.005 + 1e-9, (said["reading"], layer)
                if mode != "average":
                    assert f"It wins {int(gradient[place])}." in said["reading"], layer


def test_a_kernel_cell_names_all_its_products(host):
    for seed in range(16):
        layer = draw(seed, mode=("convolution", "transposed")[seed % 2], numbers="whole", largest=7)
        shown = layer.scene
        counts = np.zeros((shown.height.kernel_size, shown.width.kernel_size), int)
        for _, _, u in shown.height.links:
            for _, _, v in shown.width.links:
                counts[u, v] += 1
        cells = [("kernel", len(shown.x) - 1, tuple(map(int, at))) for at in np.argwhere(counts >= 0)]
        for (_, channel, place), said in zip(cells, host.point(explorer.payload(shown), cells), strict=True):
            num = int(counts[place])
            assert f" makes {num} product{'s' * (num != 1)}." in said["reading"], (said["reading"], layer)
            texts = mark_on(said, "partial" if channel else "output")["texts"]
            listed = [part for part in said["sum"].split("; ") if " for output row " in part]
            assert len(listed) == min(num, 12)
            assert not texts or len(texts) == num


def test_every_cell_has_a_sentence_and_every_grid_a_label_that_follows(host):
    for layer in layers_to_point_at(5):
        data = explorer.payload(layer.scene, with_server=True)
        cells, counts = [], {}
        for grid in (grid for line in data["lines"] for grid in line):
            channel = counts.setdefault(grid["kind"], 0)
            counts[grid["kind"]] += 1
            rows, columns = grid["size"]
            cells += [
                (grid["kind"], channel, (row, column)) for row in range(rows) for column in range(columns)
            ]
        said = host.point(data, cells)
        for one in said:
            text = one["reading"] + one["sum"] + "".join(mark["label"] for mark in one["marks"])
            assert not re.search(
                r"undefined|NaN|null|Infinity|[{}]|\b1 (product|number|place|output)s", text
            ), (text, layer)
        assert all(one["reading"] for one in said)
        for one, other in pairwise(said):
            labels = [[mark["label"] for mark in each["marks"]] for each in (one, other)]
            assert (labels[0] == labels[1]) == (one["reading"] == other["reading"]), layer


def test_a_pin_that_smaller_grids_have_no_place_for_is_dropped_until_the_server_has_seen_it(host):
    large, small = (
        scene.convolution(np.ones((1, size, size)), np.ones((1, 2, 2)), Axis(size, 2), Axis(size, 2))
        for size in (6, 3)
    )
    host.show(explorer.payload(large))
    host.page.evaluate("window.root.explorer.setPin({ kind: 'output', channel: 0, at: [4, 4] })")
    assert host.page.locator("#reading").inner_text().startswith("Output row 4, column 4:")
    host.show(explorer.payload(small))
    assert host.page.locator("#reading").inner_text().startswith("Output row 0, column 0:")


def test_a_figure_that_cannot_be_drawn_says_so_instead_of_a_traceback(browser):
    host = Host(browser)
    broken = explorer.payload(
        scene.convolution(np.ones((1, 3, 3)), np.ones((1, 2, 2)), Axis(3, 2), Axis(3, 2))
    )
    broken["axes"] = []
    data = {"data": broken}
    host.page.evaluate(
        "({ data }) => window.mount({ data, parentElement: document.body, setStateValue: () => {} })", data
    )
    assert host.page.locator(".explorer").inner_text().startswith("The figure could not be drawn.")
    host.page.close()
