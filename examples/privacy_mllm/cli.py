"""The command ``privacy-mllm``: what can be asked for, and which function does it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from privacy_mllm import option_groups
from privacy_mllm.concurrency import usual_workers
from privacy_mllm.config import APART, PRECISIONS, TrainConfig
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.presets import preset_names

RUNS = Path("runs")
DATA = ("folder", "hmdb51", "ucf101", "vispr", "pa-hmdb51", "okvqa", "okvqa-privacy")
PRIVACY_EXTRA = ("rich", "safetensors", "PIL", "jinja2")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after ``privacy-mllm``; those of the process by default.

    Returns:
        Exit code: 0 done, 1 done in part, 2 wrong use or bad input, 130 stopped by Ctrl-C.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(words)
    options.typed = {word[2:].partition("=")[0].replace("-", "_") for word in words if word.startswith("--")}
    try:
        return _run(options)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PRIVACY_EXTRA:
            raise
        print(f'privacy-mllm: {package} is missing: pip install "zoopt-mo[privacy]"', file=sys.stderr)
    except (ValueError, OSError, ImportError) as error:
        print(f"privacy-mllm: {error}", file=sys.stderr)
    return 2


def _run(options: argparse.Namespace) -> int:
    # Imported on use: --help must not wait for torch.
    import torch

    from privacy_mllm import commands

    # The tensors are small: two threads inside one operation cost more than they bring. Work is shared out above.
    torch.set_num_threads(1)
    code: int = getattr(commands, options.command)(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="privacy-mllm",
        description="Train a network that removes private attributes from pictures and video while a black-box "
        "multimodal model still answers questions about them; and use it.",
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(verbs)
    _add_train(verbs)
    _add_evaluate(verbs)
    _add_compare(verbs)
    _add_report(verbs)
    _add_probe(verbs)
    _add_anonymize(verbs)
    _add_pretrain(verbs)
    _add_world(verbs)
    _add_data(verbs)
    return parser


_Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no public name


def _add_verb(verbs: _Verbs, name: str, command: str, help_text: str, more: str = "") -> argparse.ArgumentParser:
    description = f"{help_text[0].upper()}{help_text[1:]}. {more}".strip()
    parser = verbs.add_parser(
        name,
        help=help_text,
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=command)
    return parser


def _add_demo(verbs: _Verbs) -> None:
    parser = _add_verb(
        verbs,
        "demo",
        "demo",
        "train an anonymizer on the rendered world, judge it beside the classical methods, and draw what it does",
        "Takes a few minutes on two cores; needs no data, no key and no network.",
    )
    _add_runs(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of the training")
    option_groups.add_severity(parser)
    parser.add_argument("--quick", action="store_true", help="a miniature of everything, to see that it works")


def _add_train(verbs: _Verbs) -> None:
    parser = _add_verb(
        verbs,
        "train",
        "train",
        "train an anonymizer against the black box, then judge it beside raw pictures and the no-query control",
        "Writes everything into a new folder of --runs, every answer as soon as it comes. Ctrl-C, a crash or a service "
        "that fails keeps what was learned and paid so far; --resume goes on from there.",
    )
    _add_runs(parser)
    parser.add_argument("--name", default="train", help="name of the run's folder")
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help=f"an experiment of the paper, with --data the folder of its data sets: {', '.join(preset_names())}",
    )
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run, with its own settings")
    parser.add_argument(
        "--tracking",
        choices=("none", "tensorboard"),
        default="none",
        help='"tensorboard" also writes curves into the run\'s folder (extra "tracking")',
    )
    parser.add_argument("--no-evaluation", action="store_true", help="train only")
    option_groups.add_judging(parser)
    option_groups.add_plan(parser)
    option_groups.add_settings(parser, "settings of the black box", OracleConfig)
    option_groups.add_settings(parser, "settings of the method", TrainConfig)


def _add_compare(verbs: _Verbs) -> None:
    parser = _add_verb(
        verbs,
        "compare",
        "compare",
        "train and judge every method of the paper's tables beside ours",
        "Every row is kept as soon as it is known: a comparison that was stopped goes on when it is called again. "
        "Methods that make no sense where actions, labels or black box are others' are left out, and named.",
    )
    parser.add_argument("-o", "--output", type=Path, default=RUNS / "compare", help="folder to write to")
    option_groups.add_comparison(parser)
    option_groups.add_judging(parser)
    option_groups.add_settings(parser, "settings of the black box", OracleConfig)
    option_groups.add_settings(parser, "settings of the method", TrainConfig)


def _add_report(verbs: _Verbs) -> None:
    parser = _add_verb(
        verbs,
        "report",
        "report",
        "write runs and comparisons as one page for a browser",
        "One HTML file that holds everything: clips before and after, the table, the curves, the cost, the settings. "
        "It sends nothing, and no paid question is put. Raw pictures are left out, except those of the rendered world.",
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="RUN", help="a run, or the output of compare")
    parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="file to write")
    parser.add_argument("--with-raw", action="store_true", help="show raw pictures of your data too")


def _add_probe(verbs: _Verbs) -> None:
    parser = _add_verb(
        verbs,
        "probe-oracle",
        "probe_oracle",
        "ask the black box one question about one picture, and tell the answer, log-probabilities, time and cost",
        "Costs one call. Without --picture a rendered picture is shown, with a question that the rendered world knows.",
    )
    parser.add_argument("--picture", type=Path, help="a picture of yours; it is sent as it is")
    parser.add_argument("--question", default="", help="a question of yours")
    parser.add_argument("--answers", default="", help="answers to choose from, separated by commas")
    option_groups.add_settings(parser, "settings of the black box", OracleConfig)


def _add_evaluate(verbs: _Verbs) -> None:
    parser = _add_verb(
        verbs,
        "evaluate",
        "evaluate",
        "judge a trained anonymizer beside every classical method",
        "Prints the answers that stay right, and the leakage to the frozen reviewer and to an attacker fine-tuned on "
        "each method's pictures.",
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    option_groups.add_judging(parser)
    parser.add_argument("--split", choices=("test", "validation"), default="test", help="clips of which split")


def _add_anonymize(verbs: _Verbs) -> None:
    parser = _add_verb(
        verbs,
        "anonymize",
        "anonymize",
        "anonymize pictures, videos and folders of them",
        "Sizes and relative names stay; metadata is dropped. A file that cannot be read is named and left out, "
        "and the exit code is then 1.",
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="picture, video or folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder (or file, for one file) to write to")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", type=Path, help="use the network of this run; without it, the newest run of --runs")
    what.add_argument("--method", choices=("blur", "black", "downsample"), help="a classical method instead")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of runs")
    parser.add_argument("--network-device", default="cpu", help="where the network runs, such as 'cuda'")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="how the network computes")
    parser.add_argument("--strength", choices=("weak", "strong"), default="strong", help="of the blur")
    parser.add_argument("--factor", type=int, default=4, help="of the downsampling")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--boxes", type=Path, help="JSON or CSV file of boxes to hide: file name, x0, y0, x1, y1")
    where.add_argument("--masks", type=Path, help="folder of masks with the pictures' names; white is hidden")
    where.add_argument(
        "--detector",
        choices=("opencv", "opencv-face", "opencv-person"),
        help='what finds the regions to hide: faces and standing people by OpenCV (extra "detect"); it misses some',
    )
    parser.add_argument("--force", action="store_true", help="write over files that exist")
    parser.add_argument("--keep-audio", action="store_true", help="copy the sound of videos")
    parser.add_argument(
        "--apart",
        type=float,
        help="seconds between the pictures of a video that a network of '--anonymizer motion' compares; by default as "
        f"many as in its training clips, {APART:g} where the run does not know",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=usual_workers(),
        help="pictures, or frames of one video, that are in work at the same time; one with --detector, and with a "
        "network of '--anonymizer motion'",
    )


def _add_pretrain(verbs: _Verbs) -> None:
    parser = _add_verb(
        verbs,
        "pretrain",
        "pretrain",
        "make the shipped networks again from their seeds, and say whether they agree",
        "About 15 minutes on two cores. The packaged files stay as they are.",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("pretrained"), help="folder to write to")
    parser.add_argument("--quick", action="store_true", help="a few steps only: useless networks, to see that it works")


def _add_world(verbs: _Verbs) -> None:
    parser = _add_verb(verbs, "world", "world", "write clips of the rendered world as files")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    export = actions.add_parser(
        "export",
        help="write clips as a folder that 'train --data folder:DIR' reads",
        description="Write clips as PNG frames with attributes.csv and questions.jsonl: an example of the folder form.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    export.add_argument("folder", type=Path, metavar="DIR", help="folder to write to; made if missing")
    export.add_argument("--clips", type=int, default=64, help="training clips")
    export.add_argument(
        "--test-clips", type=int, default=32, help="clips of the validation and of the test split, each"
    )


def _add_data(verbs: _Verbs) -> None:
    parser = _add_verb(verbs, "data", "data_check", "look through a data set on the disk")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="say what is there, and name every missing or broken file",
        description="Count a published data set, or a folder of your own, and name every file that is missing or says "
        "something wrong. Nothing is changed or downloaded. The exit code is 1 if something is wrong.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    check.add_argument("name", choices=DATA, metavar="NAME", help=f"one of {', '.join(DATA)}")
    check.add_argument("root", metavar="DIR", help="its folder; pa-hmdb51 may have DIR?videos=HMDB51")
    check.add_argument("--decode", action="store_true", help="also open every file and decode it to its end")


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder in which runs are kept")


if __name__ == "__main__":
    sys.exit(main())
