"""The command ``experiment``: do all trainings of an experiment and print the results."""

import argparse
import sys

from tqdm import tqdm

from cnn_core import experiments
from cnn_core.commands import FAILED
from cnn_core.commands.shared import as_path, check_place, check_threads, writing
from cnn_core.training import checkpoints


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the parser of ``experiment``."""
    experiment = commands.add_parser(
        "experiment", help="do all trainings of an experiment and print the results"
    )
    experiment.set_defaults(command=_execute)
    experiment.add_argument("name", help=", ".join(experiments.EXPERIMENTS))
    experiment.add_argument(
        "--threads", type=int, default=1, metavar="N", help="threads on the CPU; 1 by default, as in the app"
    )
    experiment.add_argument(
        "--save", type=as_path, metavar="FILE", help="write the results there too, after each training"
    )


def _execute(options: argparse.Namespace) -> int:
    experiment = experiments.find(options.name)
    check_threads(options.threads)
    if options.save:
        check_place(options.save)
    import torch

    torch.set_num_threads(options.threads)
    outcomes = []
    with tqdm(experiment.trials, unit="training") as trials:
        for trial in trials:
            try:
                done = experiments.train(trial)
            except ValueError as error:
                print(f"cnn_core: {error}", file=sys.stderr)
                return FAILED
            outcomes.append(done)
            if options.save:  # first, because nobody may read what is written
                results = experiments.Results(name=options.name, outcomes=tuple(outcomes))
                with writing(options.save):
                    checkpoints.replace_file(options.save, results.to_json().encode())
            trials.write(f"{done.label}: test accuracy {done.test_accuracy:.4f}, {done.seconds:.1f} s")
    if options.save:
        print(f"written to {options.save}")
    return 0
