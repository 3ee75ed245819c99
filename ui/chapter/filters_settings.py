"""The looks of the page Filters, and the settings that each of them offers to try."""

from ui.page import Setting

SLIDE_LOOK, LEARN_LOOK, TWO_LOOK = "Slide a kernel", "Learn a kernel", "Two in a row"
BOOK, PHOTOGRAPH = "the book's", "a picture"
FIRST_KERNEL = "sobel-x"

_BOOK = {"f-picture": "book-edge", "f-pin": "output.0.2.1"}

SLIDE = [
    Setting(
        "The book's edges",
        "Subtract the right neighbour. Why is one edge positive, the other negative, and all else 0?",
        _BOOK | {"f-kernel": "book-columns"},
    ),
    Setting(
        "Its transpose",
        "Subtract the lower neighbour instead. Every output is 0. Which picture would this kernel answer to?",
        _BOOK | {"f-kernel": "book-rows"},
    ),
    Setting(
        "Edges in any direction",
        "Turn the dial. Which part of the rim answers most, which not at all? What does half a turn change?",
        {"f-picture": "disc", "f-kernel": "direction", "f-row": 62, "f-column": 19},
    ),
    Setting(
        "Blur in colour",
        "Each channel is averaged alone. Which details disappear? Now choose Sharpen: which come out?",
        {"f-picture": "chelsea", "f-colour": "per channel", "f-kernel": "box-blur-5", "f-size": 160}
        | {"f-row": 40, "f-column": 56, "f-pin": "output.0.4.4"},
    ),
]

LEARN = [
    Setting(
        "Ten steps of the book",
        "The sum of both cells turns its sign at each step. Why does it still come nearer to 0?",
        {"f-view": LEARN_LOOK, "f-seed": 1},
    ),
    Setting(
        "Too fast",
        "A little more than the largest stable rate. How does the loss look, and the kernel?",
        {"f-view": LEARN_LOOK, "f-book-rate": 0.035, "f-steps": 40},
    ),
    Setting(
        "Sobel from a photograph",
        "After 1,000 steps the outputs look right. Which cells are still wrong, and why these?",
        {"f-view": LEARN_LOOK, "f-example": PHOTOGRAPH, "f-steps": 1000, "f-size": 64, "f-rate": 0.3},
    ),
    Setting(
        "A picture that hides it",
        "All rows of the book's picture are equal. The loss goes to 0. Is Sobel's kernel found?",
        {"f-view": LEARN_LOOK, "f-example": PHOTOGRAPH, "f-picture": "book-edge", "f-steps": 100}
        | {"f-rate": 0.5},
    ),
]

TWO = [
    Setting(
        "Blur, then edges",
        "Sobel after a blur. Which single kernel is it, and which small edges are gone?",
        {"f-view": TWO_LOOK, "f-kernel": "gaussian-5"} | {"f-2-kernel": "sobel-x"},
    ),
    Setting(
        "A column and a row",
        "Smooth down, then subtract across. The single kernel has a name. How many multiplications are saved?",
        {"f-view": TWO_LOOK, "f-kernel": "your-own", "f-cells": "1;2;1"}
        | {"f-2-kernel": "your-own", "f-2-cells": "-1,0,1"},
    ),
    Setting(
        "Twice the book's kernel",
        "The difference of differences. What does it find at an edge that the kernel alone does not?",
        {"f-view": TWO_LOOK, "f-picture": "disc", "f-kernel": "book-columns", "f-2-kernel": "book-columns"},
    ),
    Setting(
        "ReLU between",
        "Negative numbers become 0 on the way. Where do the two ways differ, and why there?",
        {"f-view": TWO_LOOK, "f-relu": True},
    ),
]
