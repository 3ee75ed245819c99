import re

from playwright.sync_api import expect


def reading(page, words):
    """Find the line under a figure that begins so."""
    return page.locator('[data-testid="stMain"] strong', has_text=re.compile(f"^{words}")).first


def point_at(page, kind, *, channel=0, row, column, size):
    """Find a grid of the explorer, and the middle of one of its cells."""
    grid = page.locator(f"figure.{kind}").nth(channel).locator("canvas").last
    box = grid.bounding_box()
    return grid, {"x": (column + 0.5) * box["width"] / size, "y": (row + 0.5) * box["height"] / size}


def test_one_part_of_the_page_follows_the_keyboard_and_a_link_restores_it(visit):
    page = visit("channels").page
    expect(reading(page, "Output channel")).to_have_text("Output channel 0, row 0, column 0: 19 + 37 = 56")
    slider = page.get_by_role("slider", name="Output channel").first
    slider.focus()
    slider.press("ArrowRight")
    page.wait_for_url("**c-sum-at-channel=1**")
    page.get_by_role("button", name="Depthwise").click()
    page.wait_for_url("**c-cost-groups=32**")
    page.reload()
    expect(reading(page, "Output channel")).to_have_text("Output channel 1, row 0, column 0: 27 + 49 = 76")
    expect(reading(page, "32 x 28 x 28 in")).to_contain_text("32 groups: 320 parameters")


def test_what_is_pinned_and_edited_is_in_the_link(visit):
    visitor = visit("channels")
    page = visitor.page
    grid, place = point_at(page, "output", row=1, column=0, size=2)
    grid.click(position=place)
    expect(reading(page, "Output channel")).to_have_text("Output channel 0, row 1, column 0: 37 + 67 = 104")
    page.wait_for_url("**c-sum-pin=output.0.1.0**")
    grid, place = point_at(page, "kernel", channel=1, row=0, column=0, size=2)
    grid.dblclick(position=place)
    page.keyboard.type("-0.5")
    page.keyboard.press("Enter")
    page.wait_for_url("**c-sum-edited-w=**")
    expect(page.locator("code").first).to_contain_text("[[-0.5, 2], [3, 4]]")
    page.reload()
    visitor.settle()
    # The second kernel's first cell was 1 and lies on the second input's 4.
    expect(reading(page, "Output channel")).to_have_text("Output channel 0, row 1, column 0: 37 + 61 = 98")
    page.get_by_role("button", name="Back to the start").first.click()
    expect(reading(page, "Output channel")).to_have_text("Output channel 0, row 0, column 0: 19 + 37 = 56")
    expect(page).not_to_have_url(re.compile("c-sum-"))


def test_a_setting_to_try_is_in_the_link_with_everything_it_sets(visit):
    page = visit("channels").page
    page.get_by_role("button", name="Cancel out").click()
    expect(reading(page, "Output channel")).to_have_text("Output channel 0, row 1, column 2: 44 + (−44) = 0")
    expect(page).to_have_url(re.compile("c-sum-seed=492"))
    page.reload()
    expect(reading(page, "Output channel")).to_have_text("Output channel 0, row 1, column 2: 44 + (−44) = 0")
    expect(page.locator("figure.partial")).to_have_count(2)


def test_numbers_shrink_with_the_figure_on_a_telephone(visit):
    page = visit("channels?c-one-input=4&c-one-in=4").page
    number = page.locator(".st-key-c-one-figure .heatmap-label text", has_text=re.compile(r"\d")).first
    size = "text => parseFloat(getComputedStyle(text).fontSize)"
    wide = number.evaluate(size)
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function(
        """wide => [...document.querySelectorAll('.st-key-c-one-figure .heatmap-label text')]
          .map(text => parseFloat(getComputedStyle(text).fontSize))
          .some(size => 0 < size && size < wide)""",
        arg=wide,
    )
