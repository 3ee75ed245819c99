"""Recipes: settings that were searched for, with what they reach. They were chosen on validation pictures.

References:
    One-cycle schedule: Smith & Topin, 2017, arXiv:1708.07120. Label smoothing: Szegedy et al., 2015, arXiv:1512.00567.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cnn_core.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings worth knowing.

    Attributes:
        title: What to call it.
        sentence: What it is for.
        settings: What to train, and how.
    """

    title: str
    sentence: str
    settings: Settings


_COMMON = Settings(
    data="fashion-mnist",
    optimizer="sgd",
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    schedule="one-cycle",
    learning_rate=0.2,
    batch_size=128,
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "fast": Recipe(
            title="Fast on clothes",
            sentence="Nine of ten right, in the least time that was found. What makes it so quick?",
            settings=replace(
                _COMMON,
                network="conv16k5s2p2-max2-norm-relu-conv64k3p1-norm-relu-flatten-10",
                num_epochs=3,
            ),
        ),
        "good": Recipe(
            title="Good on clothes",
            sentence="The best that was found. It takes some minutes. Which part of it can you leave out?",
            settings=replace(
                _COMMON,
                network="conv32k3p1-max2-norm-relu-conv64k3p1-max2-norm-relu-conv128k3p1-norm-relu-"
                "conv128k3p1-max2-norm-relu-flatten-10",
                learning_rate=0.1,
                num_epochs=16,
                flip=True,
                shift=1,
                label_smoothing=0.1,
            ),
        ),
    }
)
"""Recipes by the name that `python -m cnn_core train --recipe` takes."""
