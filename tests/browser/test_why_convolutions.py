import re

import pytest
from playwright.sync_api import expect


def lit(visitor, kind):
    """The parts of a kind that are in sight."""
    return visitor.page.locator(f".pointing .{kind}.on")


def line(visitor):
    return visitor.page.locator(".pointing #reading")


def point_at(visitor, name, *, drawing=0):
    visitor.page.locator(f'.pointing [data-at="{name}"]').nth(drawing).hover()


def reading(visitor):
    return visitor.page.locator('[data-testid="stMain"] strong').first


def test_pointing_at_a_row_frames_its_output_and_its_window(visit):
    visitor = visit("why-convolutions?w-view=the+matrix&w-numbers=counting")
    expect(line(visitor)).to_contain_text("Row 0 of the matrix makes output row 0, column 0.")
    point_at(visitor, "output-5")
    expect(line(visitor)).to_contain_text("It sees picture rows 1 to 2 and columns 2 to 3: 6 · 1 + 7 · (−1)")
    # The row, its output, its pixels above it, the window, and the output in three grids
    expect(lit(visitor, "frame")).to_have_count(7)
    point_at(visitor, "pixel-5")
    expect(line(visitor)).to_contain_text(
        "Column 5 of the matrix takes the pixel in row 1, column 1, which is 5."
    )
    # The column, its pixel above it and in the picture, and the 4 outputs that it feeds in three grids
    expect(lit(visitor, "frame")).to_have_count(15)
    assert visitor.exceptions() == []


def test_arrow_keys_go_from_output_to_output(visit):
    visitor = visit("why-convolutions?w-view=the+matrix")
    figure = visitor.page.get_by_role("application")
    figure.focus()
    for key, row in (("ArrowRight", 1), ("ArrowDown", 4), ("ArrowLeft", 3), ("ArrowUp", 0), ("ArrowUp", 0)):
        figure.press(key)
        expect(line(visitor)).to_contain_text(f"Row {row} of the matrix")
    assert visitor.exceptions() == []


def test_arrow_keys_stay_among_pixels_and_go_by_rows_of_the_picture(visit):
    visitor = visit("why-convolutions?w-view=the+matrix&w-input=5")
    figure = visitor.page.get_by_role("application")
    figure.focus()
    for key, words in (
        ("ArrowUp", "Row 0 of"),
        ("Enter", "Column 0 of"),
        ("ArrowLeft", "Column 0 of"),
        ("ArrowDown", "the pixel in row 1, column 0,"),
        ("ArrowRight", "the pixel in row 1, column 1,"),
        ("ArrowUp", "the pixel in row 0, column 1,"),
        ("Enter", "Row 0 of"),
    ):
        figure.press(key)
        expect(line(visitor)).to_contain_text(words)
    point_at(visitor, "output-15")
    for key in ("ArrowRight", "ArrowDown"):
        figure.press(key)
        expect(line(visitor)).to_contain_text("Row 15 of")
    assert visitor.exceptions() == []


def test_keys_of_the_browser_are_left_to_it(visit):
    visitor = visit("why-convolutions?w-view=a+signal")
    figure = visitor.page.get_by_role("application")
    figure.focus()
    press = """(figure, keys) => figure.dispatchEvent(new KeyboardEvent('keydown', {cancelable: true, ...keys}))"""
    for key in ("ctrlKey", "metaKey", "altKey"):
        assert figure.evaluate(press, {"key": "ArrowLeft", key: True})
    assert figure.evaluate(press, {"key": "Enter"})
    expect(line(visitor)).to_contain_text("Output 1,")
    assert not figure.evaluate(press, {"key": "ArrowLeft"})
    expect(line(visitor)).to_contain_text("Output 0,")


def test_three_steps_lead_from_a_dense_matrix_to_the_convolution(visit):
    visitor = visit("why-convolutions?w-view=the+matrix")
    for step, words in (
        ("Step 1: dense", "all 144"),
        ("Step 2: local", "36 are free"),
        ("Step 3: shared", "0, exactly"),
    ):
        visitor.page.get_by_role("button", name=step).click()
        expect(reading(visitor)).to_contain_text(words)
    assert visitor.exceptions() == []


def test_what_is_chosen_stays_chosen_when_the_numbers_change(visit):
    visitor = visit("why-convolutions?w-view=the+matrix")
    point_at(visitor, "output-4")
    visitor.page.get_by_text("counting", exact=True).click()
    expect(line(visitor)).to_contain_text(
        "Row 4 of the matrix makes output row 1, column 1. It sees picture rows 1 to 2"
    )
    expect(line(visitor)).to_contain_text("5 · 1 + 6 · (−1) + 9 · 2 + 10 · 0 = 17.")


def test_pointing_at_an_output_of_a_signal_shows_its_window_and_its_products(visit):
    visitor = visit("why-convolutions?w-view=a+signal")
    point_at(visitor, "output-3")
    expect(line(visitor)).to_have_text("Output 3, numbers 3 to 5: 3 · 1 + 1 · 0 + 0 · (−1) = 3")
    for kind in ("band", "bar", "dot"):
        expect(lit(visitor, kind)).to_have_count(1)
    visitor.page.get_by_text("heartbeat", exact=True).click()
    expect(reading(visitor)).to_contain_text("400 numbers in, kernel size 3")
    point_at(visitor, "output-200")
    expect(line(visitor)).to_contain_text("Output 200, numbers 200 to 202:")
    for kind in ("band", "bar", "dot"):
        expect(lit(visitor, kind)).to_have_count(1)
    assert visitor.exceptions() == []


def test_a_kernel_longer_than_the_signal_is_refused_and_mended(visit):
    visitor = visit("why-convolutions?w-view=a+signal")
    visitor.page.get_by_role("button", name="Too long").click()
    alert = visitor.page.get_by_role("alert")
    expect(alert).to_contain_text("kernel size 9 exceeds signal length 7")
    cells = visitor.page.get_by_role("textbox", name="Cells as text")
    cells.fill("1,1,1,1,1,1,1")
    cells.press("Enter")
    expect(reading(visitor)).to_contain_text("7 numbers in, kernel size 7, stride 1, no padding: 1 output")
    expect(alert).to_have_count(0)
    visitor.page.wait_for_url("**w-taps=1%2C1%2C1%2C1%2C1%2C1%2C1*")
    assert visitor.exceptions() == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            "w-hidden=single+units&w-units=1000&w-size=1000",
            "1,000 hidden units: 1,000,000,000 weights if dense",
        ),
        ("w-view=the+matrix&w-cells=1,2,3", "24 repeat the 3 cells of the kernel"),
        ("w-view=a+shift&w-down=-4&w-border=the+other+side", "Shifted by 4 up and 5 right"),
        ("w-view=a+signal&w-signal=heartbeat&w-rate=100&w-noise=0.2", "400 numbers in"),
        (
            "w-view=a+signal&w-signal=own&w-own=5,5,5,5",
            "4 numbers in, kernel size 3, stride 1, no padding: 2 outputs",
        ),
    ],
)
def test_a_link_opens_what_it_names_and_keeps_its_address(visit, query, words):
    visitor = visit(f"why-convolutions?{query}")
    expect(reading(visitor)).to_contain_text(words)
    for part in query.split("&"):
        assert part.split("=")[0] in visitor.page.url
    assert visitor.exceptions() == []


def test_settings_bring_controls_that_reach_the_address(visit):
    visitor = visit("why-convolutions")
    visitor.page.get_by_role("button", name="A larger colour picture").click()
    expect(reading(visitor)).to_contain_text("19,267,584 weights if dense")
    visitor.page.wait_for_url(re.compile("w-hidden=single.units"))
    assert "w-size=224" in visitor.page.url
    visitor.page.get_by_role("button", name="Back to the start").click()
    expect(reading(visitor)).to_contain_text("3,687,936 weights if dense")
    visitor.page.wait_for_url(lambda url: "w-size" not in url)
    assert visitor.exceptions() == []


def test_a_tap_does_what_pointing_does_and_a_tall_figure_keeps_its_words_in_sight(visit):
    visitor = visit(
        "why-convolutions?w-view=the+matrix&w-input=8&w-padding=1",
        viewport={"width": 390, "height": 700},
        has_touch=True,
    )
    visitor.page.locator('.pointing [data-at="output-20"]').first.tap()
    expect(line(visitor)).to_contain_text("Row 20 of the matrix")
    expect(line(visitor)).to_be_in_viewport()


def test_what_was_typed_comes_back_with_its_look(visit):
    visitor = visit("why-convolutions?w-view=a+signal&w-signal=own")
    numbers = visitor.page.get_by_role("textbox", name="Numbers as text")
    numbers.fill("9,9,9,1")
    numbers.press("Enter")
    expect(reading(visitor)).to_contain_text("2 outputs, from 0 to 8")
    for look in ("example", "own", "a shift", "a signal"):
        visitor.page.get_by_text(look, exact=True).click()
        visitor.settle()
    expect(reading(visitor)).to_contain_text("2 outputs, from 0 to 8")
    expect(numbers).to_have_value("9,9,9,1")
    assert visitor.exceptions() == []
