"""What the table of the runs says: names, settings in short, states, and what a comparison has found."""

import re
from collections.abc import Iterable

from cnn_core.network import PRESETS
from cnn_core.network import format as format_network
from cnn_core.runs import Run
from cnn_core.runs.compare import Comparison
from cnn_core.runs.rows import Row
from cnn_core.training import Settings
from ui.networks import recipe
from ui.wording import OPTIMIZER_NAMES, count

MAX_NETWORK = 14
MAX_NAMED = 3


def plain(text: str) -> str:
    """Write what somebody has typed so that Markdown takes each character as it stands.

    Example:
        >>> plain("[a](b)")
        '\\\\[a\\\\]\\\\(b\\\\)'
    """
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


def unique_names(rows: Iterable[Row]) -> dict[str, str]:
    """Give each run a name that no other has: its owner's, else its settings in a few words.

    Args:
        rows: The newest first; of several with one name, the later ones are numbered.

    Returns:
        Name by id.
    """
    names, used = {}, set()
    for row in reversed(list(rows)):
        name = usual = row.name or usual_name(row.settings)
        number = 1
        while name in used:
            number += 1
            name = f"{usual} ({number})"
        used.add(name)
        names[row.id] = name
    return names


def usual_name(settings: Settings) -> str:
    """Name a run by what is changed most often.

    Example:
        >>> usual_name(Settings())
        'lenet-modern, Adam 0.003, seed 0'
    """
    optimizer = OPTIMIZER_NAMES[settings.optimizer]
    return f"{network_word(settings)}, {optimizer} {settings.learning_rate:g}, seed {settings.seed}"


def network_word(settings: Settings) -> str:
    """Call a preset by its name, another network by the beginning of its notation."""
    if settings.network in PRESETS:
        return settings.network
    notation = format_network(settings.layers)
    return notation if len(notation) <= MAX_NETWORK else notation[:MAX_NETWORK] + "…"


def the_rest(settings: Settings) -> str:
    """Say in short what the usual name of a run leaves out.

    Example:
        >>> the_rest(Settings(flip=True))
        'MNIST, 5,000 digits; 10 epochs, batches of 64, mirrored at random'
    """
    words = [count(settings.num_epochs, "epoch"), f"batches of {settings.batch_size:,}"]
    if settings.optimizer == "sgd" and settings.momentum:
        words.append(f"momentum {settings.momentum:g}")
    return f"{settings.spec.title}; {', '.join([*words, *recipe.unusual(settings)])}"


def beside_settings(run: Run | Row) -> list[str]:
    """Say in a few words each what made a run another one than its settings alone."""
    words = ["weights from a file"] * run.begins_from_file
    if run.rate_changes:
        last = run.rate_changes[-1]
        times = f"{len(run.rate_changes)} times by hand, last" if len(run.rate_changes) > 1 else "by hand"
        words.append(f"learning rate set {times} to {last.learning_rate:g} after step {last.step:,}")
    return words


def state(row: Row) -> str:
    """Say in what state a run is, and how far it has come."""
    if row.state == "queued":
        return f"waiting, place {row.position}"
    if row.state in ("running", "paused"):
        return f"{row.state}, {row.progress:.0%}"
    return row.state


def setting(name: str, settings: Settings) -> str:
    """Write the value of a setting for a table."""
    value = getattr(settings, name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    words = {
        "data": settings.spec.title,
        "network": network_word(settings),
        "optimizer": OPTIMIZER_NAMES[settings.optimizer],
        "schedule": recipe.SCHEDULE_TITLES[settings.schedule],
    }
    return words.get(name) or (f"{value:g}" if isinstance(value, float) else f"{value:,}")


def verdict(found: Comparison) -> str:
    """Say what a comparison of two finished runs has found."""
    if found.why_not:
        return f"Not compared: {plain(found.why_not)}."
    compared = f"{found.num_numbers:,} numbers in the parameters, {found.num_losses:,} losses"
    if found.is_identical:
        text = f"**Bit-identical:** all {compared}, and the class named for each test picture."
    else:
        text = f"**Not identical:** {_what_differs(found)}. Compared were {compared} and the classes named."
        text += _why(found.circumstances)
    if found.num_unmatched:
        text += (
            f" {found.num_unmatched:,} more losses are means over other steps, because a slow training logs more "
            "often; these cannot be compared."
        )
    return text


def _what_differs(found: Comparison) -> str:
    parts = []
    if found.different_arrays:
        names = ", ".join(found.different_arrays[:MAX_NAMED])
        names += ", …" * (len(found.different_arrays) > MAX_NAMED)
        parts.append(f"{names} differ by up to {found.largest_difference:.2g}")
    if found.num_different_losses:
        first = (
            "" if found.first_different_step is None else f", first at step {found.first_different_step:,}"
        )
        parts.append(f"{found.num_different_losses:,} losses differ{first}")
    if not found.has_same_predictions:
        parts.append("some test pictures are named differently")
    return "; ".join(parts)


def _why(circumstances: tuple[str, ...]) -> str:
    if not circumstances:
        return " Device, threads and versions were the same. Only a processor of another kind should do that."
    return f" What was not alike: {plain('; '.join(circumstances))}."
