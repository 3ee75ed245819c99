from ui import controls, page
from ui.chapter import filters_learn, filters_picture, filters_slide, filters_two
from ui.chapter.filters_settings import LEARN_LOOK, SLIDE_LOOK, TWO_LOOK

LOOKS = {
    SLIDE_LOOK: filters_slide.section,
    LEARN_LOOK: filters_learn.section,
    TWO_LOOK: filters_two.section,
}


def main() -> None:
    page.header(
        "Filters",
        "What does sliding a small kernel over a picture find?",
        ideas=["kernel", "cross-correlation", "convolution", "signed output", "learned kernel", "separable"],
    )
    controls.reserve({"f-size": filters_picture.FIRST_SIZE, "f-colour": filters_picture.GREY})
    LOOKS[controls.choice("Look at", list(LOOKS), key="f-view")]()


main()
