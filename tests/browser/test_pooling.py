import re

from playwright.sync_api import expect


def reading(visitor):
    return visitor.page.locator('[data-testid="stMain"] strong', has_text=" in, window ")


def test_another_view_keeps_the_layer_and_a_smaller_window_takes_its_padding_along(visit):
    visitor = visit("pooling?p-h-window=3&p-h-padding=1")
    expect(reading(visitor)).to_contain_text("4 x 4 in, window 3, stride 2, padding 1: 2 x 2 out")
    for view, size in (("picture", "112 x 112 out"), ("small grid", "2 x 2 out")):
        visitor.page.get_by_text(view, exact=True).click()
        visitor.settle()
        expect(reading(visitor)).to_contain_text(f"padding 1: {size}")
    window = visitor.page.get_by_role("slider", name="Window size")
    window.focus()
    window.press("Home")
    visitor.page.wait_for_url("**p-h-window=1**")
    visitor.settle()
    expect(reading(visitor)).to_contain_text("window 1, stride 2, padding 0: 2 x 2 out")
    assert visitor.exceptions() == []


def test_the_shift_test_opens_from_a_setting_and_from_its_link(visit):
    visitor = visit("pooling?p-view=shift+test")
    visitor.page.get_by_role("button", name="Moved along").click()
    visitor.page.wait_for_url("**p-compare=moved**")
    exact = "Here the map after max pooling moves exactly with the picture at shifts of 0, 4 and 8 pixels."
    visitor.settle()
    expect(visitor.page.locator("body")).to_contain_text(exact)
    visitor.page.reload()
    visitor.settle()
    expect(visitor.page.locator("body")).to_contain_text(exact)
    expect(visitor.page.locator(".js-plotly-plot")).to_have_count(2)
    assert visitor.exceptions() == []


def test_a_pinned_output_and_a_typed_number_reach_the_words_below_and_the_link(visit):
    visitor = visit("pooling?p-numbers=counting&p-h-input=3&p-h-stride=1")
    gradient = visitor.page.locator('[data-testid="stMain"] p', has_text="The gradient says")
    visitor.page.get_by_role("application", name=re.compile("^Input,")).focus()
    visitor.page.keyboard.type("7.5")
    visitor.page.keyboard.press("Enter")
    visitor.page.wait_for_url("**p-edited-x=7.5_1_2~3_4_5~6_7_8*")
    visitor.page.get_by_role("application", name=re.compile("^Output,")).click(position={"x": 60, "y": 10})
    visitor.page.wait_for_url("**p-pin=output.0.0.1*")
    told = "gradient of output row 0, column 1 goes to the 5 in row 1, column 2"
    expect(gradient).to_contain_text(told)
    visitor.page.reload()
    expect(gradient).to_contain_text(told)
    expect(visitor.page.locator('[data-testid="stCode"]').first).to_contain_text("[7.5, 1, 2]")
    assert visitor.exceptions() == []


def test_a_setting_pins_the_input_that_wins_most_windows(visit):
    visitor = visit("pooling")
    visitor.page.get_by_role("button", name="Many windows").click()
    expect(visitor.page.locator(".explorer")).to_contain_text("Input row 2, column 2 is 34.")
    expect(visitor.page.locator(".explorer")).to_contain_text("Its gradient is 9.")
    visitor.page.get_by_role("button", name="Release the pin").click()
    visitor.page.wait_for_url(lambda url: "p-pin" not in url)
    assert visitor.exceptions() == []
