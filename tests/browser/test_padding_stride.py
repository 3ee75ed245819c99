from playwright.sync_api import expect


def reading(page):
    return page.locator('[data-testid="stMain"] strong', has_text=" out, ")


def test_the_stride_moves_with_the_keyboard_and_the_address_follows(visit):
    visitor = visit("padding-stride?ps-h-input=8")
    slider = visitor.page.get_by_role("slider", name="Stride")
    slider.focus()
    slider.press("ArrowRight")
    visitor.page.wait_for_url("**ps-h-stride=2**")
    visitor.settle()
    expect(reading(visitor.page)).to_contain_text("3 x 3 out, 1 row left over and 1 column left over.")


def test_a_setting_to_try_and_the_way_back(visit):
    visitor = visit("padding-stride")
    visitor.page.get_by_role("button", name="Keep the size").click()
    visitor.page.wait_for_url("**ps-h-input=28**")
    visitor.settle()
    expect(reading(visitor.page)).to_contain_text("28 x 28 out")
    visitor.page.get_by_role("button", name="Back to the start").click()
    visitor.page.wait_for_url(lambda url: "ps-" not in url)
    visitor.settle()
    expect(reading(visitor.page)).to_contain_text("5 x 5 out")
