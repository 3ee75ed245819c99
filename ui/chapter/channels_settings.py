"""What the page on channels offers to try, part by part."""

from ui.page import Setting

COUNTING, DRAWN = "Counting up, as in the book", "Random"
"""How the numbers of the small layer begin."""

SUMS = [
    Setting(
        "The next output",
        "Output 1 has kernels one larger than output 0. By how much do its sums grow, and why?",
        {"c-sum-at-channel": 1, "c-sum-pin": "output.0.0.0"},
    ),
    Setting(
        "Cancel out",
        "Both channels answer strongly, yet the sum is 0. What would one of them alone report?",
        {
            "c-sum-numbers": DRAWN,
            "c-sum-seed": 492,
            "c-sum-input": 5,
            "c-sum-kernel": 3,
            "c-sum-pin": "output.0.1.2",
        },
    ),
    Setting(
        "Three in, one out",
        "Three kernels of 1 x 1, one for each channel. Which numbers make one output?",
        {
            "c-sum-numbers": DRAWN,
            "c-sum-input": 4,
            "c-sum-kernel": 1,
            "c-sum-in": 3,
            "c-sum-out": 1,
            "c-sum-pin": "output.0.1.1",
        },
    ),
    Setting(
        "Keep the size",
        "Padding 1 and kernel 3, with a bias. How many real pixels does a corner see in each channel?",
        {
            "c-sum-numbers": DRAWN,
            "c-sum-input": 5,
            "c-sum-padding": 1,
            "c-sum-kernel": 3,
            "c-sum-bias": 5,
            "c-sum-pin": "output.0.0.0",
        },
    ),
]

COLOURS = [
    Setting(
        "Red against the rest",
        "Red counts plus, green and blue minus one half each. What does a grey pixel give?",
        {"c-rgb-red": 1.0, "c-rgb-green": -0.5, "c-rgb-blue": -0.5},
    ),
    Setting(
        "Edges of all colours",
        "The same edge kernel for each channel. Where do the three parts agree, where not?",
        {"c-rgb-kernel": "sobel-x", "c-rgb-red": 1.0, "c-rgb-green": 1.0, "c-rgb-blue": 1.0},
    ),
    Setting(
        "Edges of one colour",
        "Edges of red minus edges of blue. Which edges of the picture are gone?",
        {"c-rgb-kernel": "sobel-x", "c-rgb-red": 1.0, "c-rgb-green": 0.0, "c-rgb-blue": -1.0},
    ),
]

MATRICES = [
    Setting(
        "One channel in",
        "With a single input channel there is nothing to mix. What is left of the kernel?",
        {"c-one-in": 1, "c-one-out": 3},
    ),
    Setting(
        "Fewer channels",
        "Four channels become one. What would you use that for in a large network?",
        {"c-one-input": 4, "c-one-in": 4, "c-one-out": 1},
    ),
    Setting(
        "One pixel",
        "A picture of one pixel is a list of numbers. Which layer is this now?",
        {"c-one-input": 1, "c-one-in": 4, "c-one-out": 4},
    ),
]

COSTS = [
    Setting(
        "LeNet's second",
        "6 channels in, 16 out, on 14 x 14. Which of LeNet's two convolutions has more weights?",
        {"c-cost-input": 14, "c-cost-padding": 0, "c-cost-in": 6, "c-cost-out": 16},
    ),
    Setting(
        "A deep layer",
        "512 to 512 channels on a small picture. What would half of both cost?",
        {
            "c-cost-input": 14,
            "c-cost-padding": 1,
            "c-cost-kernel": 3,
            "c-cost-in": 512,
            "c-cost-out": 512,
        },
    ),
    Setting(
        "Depthwise",
        "As many groups as channels. How many times fewer weights than with one group?",
        {
            "c-cost-padding": 1,
            "c-cost-kernel": 3,
            "c-cost-in": 32,
            "c-cost-out": 32,
            "c-cost-groups": 32,
        },
    ),
    Setting(
        "Only mixing",
        "1 x 1 from 256 to 64 channels. How much would 3 x 3 cost in its place?",
        {"c-cost-padding": 0, "c-cost-kernel": 1, "c-cost-in": 256, "c-cost-out": 64},
    ),
]
