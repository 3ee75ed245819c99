import re

import pytest

from ui.chapter.predict import Question

SIZES, POOLING, CHANNELS = "chapter/padding_stride.py", "chapter/pooling.py", "chapter/channels.py"
WHY, FILTERS = "chapter/why_convolutions.py", "chapter/filters.py"

# Page, prefix, what leads to the look, and for each question the place on the page that shows the answer;
# None where a picture shows it.
LOOKS = {
    "convolution": (
        SIZES,
        "ps-",
        {},
        {
            "outputs": r": (\d+) x \d+ out",
            "same": r"padding (\d+)[^:]*: 7 x 7 out",
            "left-over": r", (\d+) rows? (?:of padding )?left over",
        },
    ),
    "transposed": (SIZES, "ps-", {"ps-operation": "transposed"}, {"transposed": r": (\d+) x \d+ out"}),
    "pooling layer": (SIZES, "ps-", {"ps-operation": "pooling"}, {"rounded-up": r": (\d+) x \d+ out"}),
    "grid": (POOLING, "p-", {}, {"channels": r"channels in, (\d+) channels out", "extreme": None}),
    "picture": (POOLING, "p-", {"p-view": "picture"}, {"brightness": None}),
    "shift test": (POOLING, "p-", {"p-view": "shift test"}, {"in-place": None, "moved-along": None}),
    "sums": (CHANNELS, "c-sum-", {}, {"kernels": r"= (\d+) kernels", "bias": r"= (\d+)\*\*"}),
    "costs": (CHANNELS, "c-cost-", {}, {"parameters": r"([\d,]+) parameters", "larger-input": None}),
    "the weights": (WHY, "w-", {"w-view": "the weights"}, {"dense": None, "shared": r"([\d,]+) if shared"}),
    "the matrix": (
        WHY,
        "w-",
        {"w-view": "the matrix"},
        {"columns": r"\d+ x (\d+) = [\d,]+ entries", "rows": r"(\d+) x \d+ = [\d,]+ entries"},
    ),
    "a shift": (WHY, "w-", {"w-view": "a shift"}, {"border": None}),
    "a signal": (WHY, "w-", {"w-view": "a signal"}, {"length": r": (\d+) out"}),
    "slide": (FILTERS, "f-", {"f-view": "Slide a kernel"}, {"even": None, "flip": None}),
    "learn": (
        FILTERS,
        "f-",
        {"f-view": "Learn a kernel"},
        {"first-step": None, "rate": None},
    ),
    "two": (FILTERS, "f-", {"f-view": "Two in a row"}, {"single": r"single kernel is (\d+) x"}),
}


def texts(app):
    return [element.value for element in (*app.markdown, *app.caption)]


def asked(app):
    """What is asked now: the text below the heading of the card."""
    return next(text for text in texts(app) if "**stride" in text or "**dilation" in text)


def place(app):
    return next(text for text in texts(app) if "Think first" in text)


def say(app, key, answer):
    widgets = [*app.number_input, *app.radio]
    next(widget for widget in widgets if widget.key == key).set_value(answer)
    return app.button(f"{key}-show").click().run()


def given(app, prefix, name):
    return app.session_state[f"{prefix}predicted"].given[name]


def turn_to(app, prefix, name):
    while not [button for button in app.button if button.key == f"{prefix}predict-{name}-show"]:
        app.button(f"{prefix}predict-next").click().run()


def test_a_right_answer_sets_the_controls_and_the_page_shows_it(open_page):
    app = open_page(SIZES)
    text = asked(app)
    assert text.startswith(
        "Take **stride 2** and **padding 1 on each side**, with 7 rows in and kernel 3 as now."
    )
    say(app, "ps-predict-outputs", 4)
    assert app.success[0].value.startswith("**Right: the page shows 4.** 7 + 2 of padding make 9 rows.")
    assert "7 x 7 in, kernel 3, stride 2, padding 1: 4 x 4 out" in "".join(texts(app))
    assert asked(app) == text
    assert place(app) == "Question 1 of 3. Think first, then look. So far: 1 of 1 right."


def test_a_wrong_answer_is_told_what_it_overlooks(open_page):
    app = open_page(SIZES)
    say(app, "ps-predict-outputs", 3)
    assert not app.success
    verdict = app.warning[0].value
    assert verdict.startswith("**Not quite: you said 3, the page shows 4.** That counts the steps.")
    assert place(app).endswith("So far: 0 of 1 right.")


def test_a_wrong_answer_that_nobody_expects_is_told_the_reason_alone(open_page):
    app = say(open_page(SIZES), "ps-predict-outputs", -1000)
    assert "**Not quite: you said -1,000, the page shows 4.**  7 + 2 of padding" in app.warning[0].value


def test_what_is_right_under_the_settings_of_the_moment_is_no_mistake():
    question = Question("1 + 1?", {}, 2, "Count.", mistakes={2: "Twice 1.", 3: "One too many."})
    assert question.mistakes == {3: "One too many."}


def test_before_an_answer_is_given_nothing_is_told(open_page):
    app = open_page(SIZES)
    app.button("ps-predict-outputs-show").click().run()
    assert app.warning[0].value == "Give an answer first. A guess will do."
    assert app.select_slider("ps-h-stride").value == 1
    assert place(app) == "Question 1 of 3. Think first, then look."


def test_the_question_follows_the_controls(open_page):
    app = open_page(SIZES, **{"ps-h-stride": 2, "ps-h-input": 9, "ps-h-before": 1})
    assert asked(app).startswith("Take **stride 3** and **padding 2 before and 1 after**, with 9 rows in")
    app.number_input("ps-h-input").set_value(20).run()
    assert "with 20 rows in" in asked(app)


def test_asked_again_a_question_starts_from_the_settings_of_the_moment(open_page):
    app = say(open_page(SIZES), "ps-predict-outputs", 4)
    app.button("ps-predict-again").click().run()
    assert "**stride 3** and **padding 2 on each side**" in asked(app)
    assert (not app.success, app.number_input("ps-predict-outputs").value) == (True, None)
    assert place(app) == "Question 1 of 3. Think first, then look."
    say(app, "ps-predict-outputs", 3)
    assert app.success[0].value.startswith("**Right: the page shows 3.**")


def test_after_a_control_has_moved_the_verdict_speaks_of_what_was(open_page):
    app = say(open_page(SIZES), "ps-predict-outputs", 4)
    app.select_slider("ps-h-stride").set_value(4).run()
    assert app.success[0].value.startswith("**Right: it was 4.**")


def test_the_questions_follow_one_another_and_the_answers_stay(open_page):
    app = say(open_page(SIZES), "ps-predict-outputs", 4)
    app.button("ps-predict-next").click().run()
    assert place(app) == "Question 2 of 3. Think first, then look. So far: 1 of 1 right."
    say(app, "ps-predict-same", 4)
    assert "That is both sides together. With dilation 2" in app.warning[0].value
    assert place(app).endswith("So far: 1 of 2 right.")
    for _ in range(2):
        app.button("ps-predict-next").click().run()
    assert app.success[0].value.startswith("**Right: it was 4.**")


def test_answers_stay_for_the_visit_and_out_of_the_address(open_page):
    app = say(open_page(SIZES), "ps-predict-outputs", 4)
    assert set(app.query_params) == {"ps-h-before", "ps-h-after", "ps-h-stride"}
    app.switch_page(f"pages/{POOLING}").run()
    app.switch_page(f"pages/{SIZES}").run()
    assert app.success[0].value.startswith("**Right: ")


@pytest.mark.parametrize(
    ("path", "query", "reason"),
    [
        (SIZES, {"ps-h-before": 12}, "This question adds padding, and 12 is the most here. Take less."),
        (
            SIZES,
            {"ps-operation": "transposed", "ps-h-input": 256},
            "This question takes one more row, and there is no room for it. Take a smaller input.",
        ),
        (
            SIZES,
            {"ps-operation": "pooling", "ps-h-input": 3},
            "With these sizes rounding changes nothing. Take a larger input.",
        ),
        (
            WHY,
            {"w-size": 2048},
            "This question doubles the picture, and 2,048 is the most here. Take 1,024 or less.",
        ),
        (
            POOLING,
            {"p-view": "picture", "p-h-window": 1},
            "A window of one pixel leaves all pixels as they are. Take a larger one.",
        ),
        (
            FILTERS,
            {"f-view": "Two in a row", "f-picture": "The book's small picture, 6 x 8"}
            | {
                "f-kernel": "Your own kernel",
                "f-cells": "1;1;1;1;1;1",
                "f-2-kernel": "Second derivative along a row, 1 x 3",
            },
            "No other second kernel fits on this picture. Take a larger one.",
        ),
        (
            FILTERS,
            {"f-view": "Two in a row", "f-picture": "The book's small picture, 6 x 8"}
            | {"f-kernel": "Motion blur, 1 x 7"},
            "No other second kernel fits on this picture. Take a larger one.",
        ),
    ],
)
def test_a_question_without_room_says_what_to_change(open_page, path, query, reason):
    app = open_page(path, **query)
    assert not app.exception
    assert reason in [info.value for info in app.info]
    assert not [button for button in app.button if button.label == "Show me"]


@pytest.mark.parametrize("look", LOOKS)
def test_each_answer_sets_the_controls_and_is_what_the_page_shows_then(open_page, look):
    path, prefix, query, shows = LOOKS[look]
    app = open_page(path, **query)
    for name, pattern in shows.items():
        for number in (987_654, 1):  # asked again, it starts from where the first answer has led
            turn_to(app, prefix, name)
            key = f"{prefix}predict-{name}"
            radio = next((radio for radio in app.radio if radio.key == key), None)
            say(app, key, radio.options[0] if radio else number)
            assert not app.exception
            # That a loss grows is an answer; any other error is none.
            assert not [error for error in app.error if not error.value.startswith("The loss grows")]
            assert [*app.success, *app.warning]
            question = given(app, prefix, name).question
            assert {control: app.session_state[control] for control in question.values} == question.values
            assert not pattern or f"{question.answer:,}" in re.findall(pattern, "\n".join(texts(app)))
            app.button(f"{prefix}predict-again").click().run()
