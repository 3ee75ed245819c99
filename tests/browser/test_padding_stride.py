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


def test_a_setting_found_for_a_size_moves_the_controls_and_the_address(visit):
    visitor = visit("padding-stride?ps-h-input=28&ps-wanted=14")
    main = visitor.page.locator('[data-testid="stMain"]')
    expect(main).to_contain_text("166 settings give 14 from 28")
    main.get_by_role("button", name="Set").first.click()
    visitor.page.wait_for_url("**ps-h-kernel=2**")
    expect(reading(visitor.page)).to_contain_text("kernel 2, stride 2, padding 0: 14 x 14 out")
    expect(main.get_by_role("button", name="Now")).to_be_disabled()


def test_a_setting_to_try_pins_a_cell_of_the_figure(visit):
    visitor = visit("padding-stride")
    visitor.page.get_by_role("button", name="Lose a row").click()
    visitor.page.wait_for_url("**ps-pin=input.0.7.7**")
    expect(visitor.page.get_by_role("button", name="Release the pin")).to_be_visible()
    expect(visitor.page.locator("#reading")).to_contain_text("Input row 7, column 7")


def test_each_operation_has_its_own_figure(visit):
    visitor = visit("padding-stride?ps-h-input=4&ps-h-stride=2&ps-operation=transposed")
    expect(reading(visitor.page)).to_contain_text("9 x 9 out, nothing cut off.")
    figure = visitor.page.locator("#sheet")
    expect(figure).to_contain_text("9 x 9")
    visitor.page.get_by_role("radio", name="pooling").click()
    expect(figure).to_contain_text("Gradient")
    expect(reading(visitor.page)).to_contain_text("window 3, stride 2, padding 0: 1 x 1 out")
