"""Small turns of phrase that several pages share."""


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
