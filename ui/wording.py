"""Small turns of phrase that several pages share."""

from cnn_core import images

OPTIMIZER_NAMES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


def count(number: int, one: str) -> str:
    """Write a number of things, with an s where there are several.

    Example:
        >>> count(1, "row"), count(2000, "row")
        ('1 row', '2,000 rows')
    """
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def both(first: object, second: object) -> str:
    """Write what holds for the height and for the width, once if it is the same.

    Example:
        >>> both(3, 3), both(3, 5)
        ('3', '3 x 5')
    """
    return str(first) if first == second else f"{first} x {second}"


def first_of(shown: int, total: int, thing: str) -> str:
    """Say how many things are shown, and of how many.

    Example:
        >>> first_of(6, 6, "kernel"), first_of(32, 64, "kernel")
        ('6 kernels', 'the first 32 of 64 kernels')
    """
    return count(total, thing) if shown == total else f"the first {shown} of {count(total, thing)}"


def percent(share: float) -> str:
    """Write a part as percent; only nothing is 0%, and only all is 100%.

    Example:
        >>> percent(0.784), percent(1), percent(0.997), percent(0.004)
        ('78%', '100%', 'more than 99%', 'less than 1%')
    """
    text = f"{share:.0%}"
    if text == "100%" and share < 1:
        return "more than 99%"
    return "less than 1%" if text == "0%" and share > 0 else text


def credit(name: str) -> str:
    """Say what a picture shows, who made it, and on what terms."""
    picture = images.IMAGES[name]
    return f"{picture.title}. Picture: {picture.credit}, {picture.licence}."
