import numpy as np
from PIL import Image
from playwright.sync_api import expect


def text(page):
    return page.get_by_label("Cells as text", exact=True)


def edit_cell(visitor, column: int, keys: str) -> None:
    """Choose another cell of the grid's first row; it is a canvas, with cells 56 pixels wide and 35 high."""
    page = visitor.page
    cell = page.locator('[data-testid="stDataFrame"] .dvn-scroller')
    cell.click(position={"x": 56 * column + 28, "y": 52})
    if keys == "Delete":
        page.keyboard.press("Delete")
    else:
        page.keyboard.press("Enter")
        box = page.locator(".gdg-input")
        box.fill(keys)
        box.press("Enter")
        box.wait_for(state="detached")
    visitor.settle()


def test_an_edited_cell_reaches_the_text_the_figure_and_the_address(visit):
    visitor = visit("filters?f-kernel=Your+own+kernel&f-cells=1,-1&f-size=64")
    page = visitor.page
    edit_cell(visitor, 1, "-0.25")
    page.wait_for_url("**f-cells=1%2C-0.25**")
    expect(text(page)).to_have_value("1,-0.25")
    edit_cell(visitor, 0, "2")
    page.wait_for_url("**f-cells=2%2C-0.25**")
    edit_cell(visitor, 1, "Delete")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("kernel cell (row 0, column 1) is empty")
    expect(page.get_by_text("Outputs run")).to_contain_text("kernel 1 x 2")
    text(page).fill("3,-0.25")
    page.keyboard.press("Enter")
    alert.wait_for(state="detached")
    page.reload()
    visitor.settle()
    expect(text(page)).to_have_value("3,-0.25")
    assert visitor.exceptions() == []


def test_an_upload_takes_the_place_of_the_bundled_picture_and_a_wrong_one_is_refused(visit, tmp_path):
    good, bad = tmp_path / "mine.png", tmp_path / "![x](http:--a).png"
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(good)
    bad.write_text("not a picture")
    visitor = visit("filters?f-picture=Your+own+picture")
    page = visitor.page
    page.locator('input[type="file"]').set_input_files(good)
    page.get_by_text("20 x 30 in").wait_for()
    page.locator('input[type="file"]').set_input_files(bad)
    page.get_by_text("file is not a PNG").wait_for()
    page.get_by_text("128 x 128 in").wait_for()
    assert visitor.exceptions() == []


def test_a_setting_to_try_is_in_the_address_whole(visit):
    visitor = visit("filters")
    page = visitor.page
    page.get_by_role("button", name="Blur in colour").click()
    page.wait_for_url("**f-colour=per+channel**")
    page.get_by_text("Output, channels put together").wait_for()
    page.get_by_role("button", name="Back to the start").click()
    page.wait_for_url(lambda url: "f-" not in url)
