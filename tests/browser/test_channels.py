import re


def reading(page, words: str) -> str:
    return page.locator('[data-testid="stMain"] strong', has_text=words).first.inner_text()


def test_one_part_of_the_page_follows_the_keyboard_and_a_link_restores_it(visit):
    visitor = visit("channels")
    assert reading(visitor.page, "Output channel") == "Output channel 0, row 0, column 0: 19 + 37 = 56"
    slider = visitor.page.get_by_role("slider", name="Output channel").first
    slider.focus()
    slider.press("ArrowRight")
    visitor.page.wait_for_url("**c-sum-at-channel=1**")
    visitor.page.get_by_role("button", name="Depthwise").click()
    visitor.page.wait_for_url("**c-cost-groups=32**")
    visitor.page.reload()
    visitor.settle()
    assert reading(visitor.page, "Output channel") == "Output channel 1, row 0, column 0: 27 + 49 = 76"
    assert "32 groups: 320 parameters" in reading(visitor.page, "parameters,")


def test_numbers_shrink_with_the_figure_on_a_telephone(visit):
    page = visit("channels?c-sum-input=5&c-sum-kernel=3&c-sum-padding=1").page
    number = page.locator(".st-key-c-sum-figure .heatmap-label text", has_text=re.compile(r"\d")).first
    size = "text => parseFloat(getComputedStyle(text).fontSize)"
    wide = number.evaluate(size)
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function(
        """wide => [...document.querySelectorAll('.st-key-c-sum-figure .heatmap-label text')]
          .map(text => parseFloat(getComputedStyle(text).fontSize))
          .some(size => 0 < size && size < wide)""",
        arg=wide,
    )
