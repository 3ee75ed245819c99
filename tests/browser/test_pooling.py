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
    assert visitor.page.locator(".js-plotly-plot").count() == 2
    assert visitor.exceptions() == []
