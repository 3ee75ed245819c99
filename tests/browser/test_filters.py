import numpy as np
from PIL import Image
from playwright.sync_api import expect


def text(page):
    return page.get_by_label("Cells as text", exact=True)


def edit_cell(page, kind: str, place: tuple[int, int], size: tuple[int, int], number: str) -> None:
    """Type a number into a cell of the explorer's input or kernel, which has so many rows and columns."""
    grid = page.locator(f"figure.{kind} canvas").last
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    y, x = (
        (index + 0.5) * box[side] / count
        for index, side, count in zip(place, ("height", "width"), size, strict=True)
    )
    grid.dblclick(position={"x": x, "y": y})
    typed = page.get_by_label("New number")
    typed.fill(number)
    typed.press("Enter")


def test_an_edited_cell_reaches_the_text_the_figure_and_the_address(visit):
    visitor = visit("filters?f-size=64&f-kernel=Neighbours+in+a+row,+1+x+2")
    page = visitor.page
    edit_cell(page, "kernel", (0, 1), (1, 2), "-0.25")
    page.wait_for_url("**f-cells=1%2C-0.25**")
    expect(text(page)).to_have_value("1,-0.25")
    edit_cell(page, "kernel", (0, 0), (1, 2), "2")
    page.wait_for_url("**f-cells=2%2C-0.25**")
    expect(page.get_by_text("cannot give less than")).to_contain_text(
        "less than -63.75 or more than 510 with"
    )
    text(page).fill("3,")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("kernel cell (row 0, column 1) is empty")
    expect(page.get_by_text("Outputs run")).to_contain_text("kernel 1 x 2")
    edit_cell(page, "kernel", (0, 1), (1, 2), "7")
    page.wait_for_url("**f-cells=2%2C7**")
    alert.wait_for(state="detached")
    page.reload()
    visitor.settle()
    expect(text(page)).to_have_value("2,7")
    assert visitor.exceptions() == []


def test_a_painted_pixel_is_in_the_picture_and_the_address_until_it_is_undone(visit):
    visitor = visit("filters?f-size=64&f-row=0&f-column=0&f-server=true")
    page = visitor.page
    edit_cell(page, "input", (1, 2), (12, 12), "300")
    page.wait_for_url("**f-retouched=66.255**")
    expect(page.get_by_text("1 pixel is retouched.")).to_be_visible()
    expect(page.get_by_text("Largest difference between Python and the browser: 0.")).to_be_visible()
    page.reload()
    visitor.settle()
    edit_cell(page, "input", (1, 3), (12, 12), "0")
    page.wait_for_url("**f-retouched=66.255_67.0**")
    page.get_by_role("button", name="Undo the retouching").click()
    page.wait_for_url(lambda url: "f-retouched" not in url)
    expect(page.get_by_text("pixels are retouched.")).to_have_count(0)
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
