"""The choices of the page on pooling, and the settings that it offers to try."""

from ui.page import Setting

GRID, PICTURE, SHIFT = "small grid", "picture", "shift test"
"""What to look at."""

FLOOR, CEIL = "floor", "ceil"
"""How to round a size."""

RECTIFIED, PLAIN, NONE = "edges after ReLU", "edges", "the picture"
"""Which feature map to shift."""

IN_PLACE, MOVED = "in place", "moved along"
"""How to compare the outputs of a picture and of the shifted picture."""

GRIDS = [
    Setting(
        "The book's first",
        "Window 2, stride 1. Which inputs never win? Take the average: which four numbers come out?",
        {"p-numbers": "counting", "p-h-input": 3, "p-h-stride": 1},
    ),
    Setting(
        "Two channels",
        "X and X + 1 come out as two channels. What would a convolution do with them?",
        {"p-numbers": "counting", "p-channels": 2, "p-h-window": 3, "p-h-padding": 1},
    ),
    Setting(
        "Many windows",
        "Windows overlap. Which input wins most of them, and how large is its gradient? Which inputs get none?",
        {"p-h-input": 6, "p-h-window": 3, "p-h-stride": 1, "p-pin": "input.0.2.2"},
    ),
    Setting(
        "Hanging over",
        "The last window finds 4 numbers instead of 9. Choose floor: which numbers are never seen?",
        {"p-h-input": 6, "p-h-window": 3, "p-rounding": CEIL, "p-pin": "output.0.2.2"},
    ),
]

PICTURES = [
    Setting(
        "Bright wins",
        "Max pooling, window 4. What becomes of the thin dark legs of the tripod? Then choose min.",
        {"p-view": PICTURE, "p-h-window": 4, "p-h-stride": 4},
    ),
    Setting(
        "Smooth",
        "The average keeps light and dark in balance. Which details does it lose?",
        {"p-view": PICTURE, "p-mode": "average", "p-h-window": 4, "p-h-stride": 4},
    ),
    Setting(
        "Colours apart",
        "Red, green and blue are pooled one by one. Can a colour come out that no pixel had?",
        {"p-view": PICTURE, "p-picture": "coffee", "p-apart": True, "p-h-window": 6, "p-h-stride": 6},
    ),
    Setting(
        "No smaller",
        "Stride 1 keeps almost all pixels. What does the window do, and what does the stride do?",
        {"p-view": PICTURE, "p-h-window": 7, "p-h-stride": 1},
    ),
]

SHIFTS = [
    Setting(
        "One pixel",
        "How much of the feature map's change is left after pooling? And with a shift of 8?",
        {"p-view": SHIFT, "p-shift": 1},
    ),
    Setting(
        "A larger window",
        "Window 6 keeps the change low for longer. Now set the stride to 6: does that matter?",
        {"p-view": SHIFT, "p-h-window": 6, "p-h-stride": 1},
    ),
    Setting(
        "Moved along",
        "Stride 4. At which shifts is the change 0 after pooling? And with stride 3?",
        {"p-view": SHIFT, "p-compare": MOVED, "p-h-window": 4, "p-h-stride": 4},
    ),
    Setting(
        "Smooth already",
        "In the picture itself, neighbours are alike. Does pooling still help? Look at 8 pixels too.",
        {"p-view": SHIFT, "p-map": NONE, "p-h-window": 4, "p-h-stride": 4},
    ),
]
