import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import CHROMIUM, FLAGS, Visitor


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


def test_a_run_of_gradient_descent_is_in_the_address_and_comes_back(visit):
    visitor = visit("filters?f-view=Learn+a+kernel")
    page = visitor.page
    expect(page.get_by_text("After 10 steps: loss")).to_be_visible()
    page.get_by_role("button", name="100 steps").click()
    page.wait_for_url("**f-steps=110**")
    expect(page.get_by_text("After 110 steps: loss")).to_be_visible()
    page.reload()
    visitor.settle()
    expect(page.get_by_text("After 110 steps: loss")).to_be_visible()
    page.get_by_role("button", name="Too fast").click()
    page.wait_for_url("**f-book-rate=0.035**")
    expect(page.get_by_role("alert")).to_contain_text("The loss grows")
    page.get_by_role("button", name="Learning rate 0.03", exact=True).click()
    expect(page.get_by_role("alert")).to_have_count(0)
    # Without the message all below moves up: a button may leave while the mouse is down on it.
    visitor.settle()
    page.get_by_role("button", name="A picture that hides it").click()
    page.wait_for_url("**f-picture=The+book**")
    assert visitor.exceptions() == []


def test_settings_of_a_look_leave_the_address_with_it_and_come_back(visit):
    visitor = visit("filters?f-kernel=Emboss&f-stride=2&f-size=64")
    page = visitor.page
    expect(page.get_by_text("Outputs run")).to_contain_text("stride 2")
    page.get_by_text("Two in a row", exact=True).click()
    page.wait_for_url("**f-view=Two**")
    expect(page.get_by_text("The single kernel is")).to_contain_text("64 x 64 in, kernel 3 x 3")
    page.get_by_text("Slide a kernel", exact=True).click()
    page.wait_for_url("**f-stride=2**")
    expect(page.get_by_text("Outputs run")).to_contain_text("64 x 64 in, kernel 3 x 3, stride 2")
    assert visitor.exceptions() == []


def test_factors_put_in_a_row_are_in_the_address(visit):
    visitor = visit("filters?f-view=Two+in+a+row")
    page = visitor.page
    page.get_by_role("button", name="Put the two factors of the first kernel in a row").click()
    page.wait_for_url("**f-2-cells=-1%2C0%2C1**")
    expect(page.get_by_text("Both ways give")).to_contain_text("Sobel, left to right")
    page.reload()
    visitor.settle()
    expect(page.get_by_text("Both ways give")).to_contain_text("Sobel, left to right")
    assert visitor.exceptions() == []


def test_the_dial_turns_by_key_and_is_in_the_address(visit):
    visitor = visit("filters?f-size=24&f-kernel=Edges+in+any+direction+(a+dial)")
    page = visitor.page
    page.get_by_role("slider", name="Direction in degrees").press("ArrowRight")
    page.wait_for_url("**f-angle=48**")
    expect(page.get_by_text("Finds edges across the direction of 48 degrees")).to_be_visible()


def test_without_a_camera_the_page_works_on_and_says_what_to_do(visit):
    visitor = visit("filters?f-picture=A+picture+from+your+webcam")
    page = visitor.page
    expect(page.get_by_text("if there is no camera, nothing is lost")).to_be_visible()
    expect(page.get_by_text("128 x 128 in")).to_be_visible()
    page.get_by_role("button", name="Choose a file instead").click()
    expect(page.locator('input[type="file"]')).to_have_count(1)
    assert visitor.exceptions() == []


def test_a_photograph_from_a_camera_is_filtered(browser, server):
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with_camera = browser.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, *fake])
    try:
        visitor = Visitor(with_camera, server.url)
        page = visitor.open("filters?f-picture=A+picture+from+your+webcam&f-size=64")
        page.get_by_role("button", name="Take Photo").click()
        expect(page.get_by_text("Your picture is not in the link.")).to_be_visible()
        expect(page.get_by_text("Outputs run")).to_contain_text("48 x 64 in")
        assert (visitor.exceptions(), visitor.problems) == ([], [])
    finally:
        with_camera.close()
