"""The settings that the page on padding and stride offers to try, for each operation."""

from ui.chapter.size_layer import CONVOLUTION, POOLING, TRANSPOSED
from ui.page import Setting

FLOOR, CEIL = "floor", "ceil"
"""How to round a size."""

TO_TRY = {
    CONVOLUTION: [
        Setting(
            "Keep the size",
            "Kernel 5 and padding 2 give 28 out of 28. Which padding does kernel 7 need?",
            {"ps-h-input": 28, "ps-h-kernel": 5, "ps-h-before": 2, "ps-h-after": 2, "ps-wanted": 28},
        ),
        Setting(
            "Lose a row",
            "Stride 2 on 8 pixels: the marked pixel feeds no output. Which input sizes lose none?",
            {"ps-h-input": 8, "ps-h-stride": 2, "ps-pin": "input.0.7.7", "ps-wanted": 4},
        ),
        Setting(
            "The book's odd one",
            "8 x 8, kernel 3 x 5, padding 0 and 1, stride 3 and 4. Can you get 2 x 2 by hand?",
            {
                "ps-alike": False,
                "ps-h-input": 8,
                "ps-w-input": 8,
                "ps-h-kernel": 3,
                "ps-w-kernel": 5,
                "ps-w-before": 1,
                "ps-w-after": 1,
                "ps-h-stride": 3,
                "ps-w-stride": 4,
                "ps-wanted": 2,
            },
        ),
        Setting(
            "Same, with stride",
            "224 pixels, kernel 3, stride 2. PyTorch's padding 1 and TensorFlow's same both give 112. "
            "Do they look at the same pixels?",
            {
                "ps-h-input": 224,
                "ps-h-kernel": 3,
                "ps-h-before": 1,
                "ps-h-after": 1,
                "ps-h-stride": 2,
                "ps-wanted": 112,
            },
        ),
    ],
    TRANSPOSED: [
        Setting(
            "The book's",
            "2 x 2 in, kernel 2: 3 x 3 out. The marked output is a sum of four products. Why is it the only one?",
            {"ps-operation": TRANSPOSED, "ps-h-input": 2, "ps-h-kernel": 2, "ps-pin": "output.0.1.1"},
        ),
        Setting(
            "Twice the size",
            "Kernel 4, stride 2 and padding 1 double every size. Which padding does kernel 2 need?",
            {
                "ps-operation": TRANSPOSED,
                "ps-h-input": 4,
                "ps-h-kernel": 4,
                "ps-h-stride": 2,
                "ps-h-before": 1,
            },
        ),
        Setting(
            "Chessboard",
            "Kernel 3, stride 2: outputs side by side are sums of 1, 2 or 4 products. What does that do to a "
            "picture? Does kernel 4 do it too?",
            {"ps-operation": TRANSPOSED, "ps-h-input": 4, "ps-h-stride": 2, "ps-pin": "output.0.4.4"},
        ),
        Setting(
            "There and back",
            "A convolution with kernel 3 and stride 2 makes 3 out of 7, and out of 8. Which output padding leads "
            "back to which?",
            {"ps-operation": TRANSPOSED, "ps-h-input": 3, "ps-h-stride": 2, "ps-h-extra": 1},
        ),
    ],
    POOLING: [
        Setting(
            "Round up",
            "8 pixels, window 3, stride 2. The last window hangs over. Choose floor: which pixels are never seen?",
            {
                "ps-operation": POOLING,
                "ps-h-input": 8,
                "ps-h-stride": 2,
                "ps-rounding": CEIL,
                "ps-pin": "output.0.3.3",
            },
        ),
        Setting(
            "One window dropped",
            "The formula rounds up to 3, and 2 come out. Where would the third window start?",
            {
                "ps-operation": POOLING,
                "ps-h-input": 5,
                "ps-h-kernel": 2,
                "ps-h-before": 1,
                "ps-h-stride": 3,
                "ps-rounding": CEIL,
            },
        ),
        Setting(
            "Halved",
            "Window 2, stride 2 halves 28. Window 3 with padding 1 does it too. How many windows is a pixel in?",
            {"ps-operation": POOLING, "ps-h-input": 28, "ps-h-kernel": 2, "ps-h-stride": 2},
        ),
    ],
}
"""Name of an operation -> settings worth seeing; each begins from the page's defaults."""
