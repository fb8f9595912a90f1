"""The command ``privacy-mllm anonymize``: which method, what to hide, and what is said about the outcome."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from privacy_mllm import display
from privacy_mllm.anonymize import anonymize_paths
from privacy_mllm.config import APART
from privacy_mllm.devices import check_device
from privacy_mllm.media.masks import MaskSource, mask_folder, parse_boxes
from privacy_mllm.methods import Black, Blur, Downsample, NetworkAnonymizer, PictureMethod
from privacy_mllm.methods.detectors import Detector, OpenCVDetector
from privacy_mllm.models.precision import set_precision
from privacy_mllm.runs import CHECKPOINT, Trained, load_anonymizer


def run(options: Namespace) -> int:
    """Anonymize the files and folders of the command line.

    Args:
        options: The parsed command line.

    Returns:
        0 if every file was done, else 1.
    """
    trained = _trained(options) if options.method is None else None
    method = _classical(options) if trained is None else _network(trained, options)
    with display.counting_files() as progress:
        report = anonymize_paths(
            options.paths,
            options.output,
            method,
            masks=_masks(options),
            detector=_detector(options),
            force=options.force,
            keep_audio=options.keep_audio,
            apart=_apart(options, trained),
            progress=progress,
            workers=options.workers,
        )
    for done in report.done:
        display.say(f"{done.source} -> {done.target}" + (f" ({done.remark})" if done.remark else ""))
    for failed in report.failed:
        print(f"not done: {failed.source}: {failed.reason}", file=sys.stderr)
    return 0 if report.ok else 1


def _classical(options: Namespace) -> PictureMethod:
    if options.method == "blur":
        return Blur(options.strength)
    return Black() if options.method == "black" else Downsample(options.factor)


def _trained(options: Namespace) -> Trained:
    """The network of the run, with a word about what it was trained on."""
    place = options.run or newest_run(options.runs)
    trained = load_anonymizer(place)
    if trained.trained_on == "world":
        print(
            f"warning: the network of {place} was trained on the rendered world; on photographs it protects nobody. "
            "Train on your own pictures (privacy-mllm train --data folder:DIR) or hide regions with --method.",
            file=sys.stderr,
        )
    else:
        note = f"note: the network of {place} was trained on {trained.trained_on}; it may not protect elsewhere."
        print(note, file=sys.stderr)
    return trained


def _network(trained: Trained, options: Namespace) -> PictureMethod:
    network = trained.network.to(check_device(options.network_device))
    return NetworkAnonymizer(set_precision(network, options.precision), "network")


def _apart(options: Namespace, trained: Trained | None) -> float:
    """Seconds between two pictures that are compared: as told, else as in training, else a usual time."""
    known = options.apart if options.apart is not None or trained is None else trained.apart
    return APART if known is None else float(known)


def newest_run(runs: Path) -> Path:
    """The run of the newest checkpoint.

    Args:
        runs: Folder in which runs are kept.

    Raises:
        FileNotFoundError: If there is none.
    """
    checkpoints = sorted(runs.glob(f"*/{CHECKPOINT}"), key=lambda file: file.stat().st_mtime)
    if not checkpoints:
        raise FileNotFoundError(
            f"{runs} holds no trained network: run 'privacy-mllm demo', name one with --run, or choose a --method."
        )
    return checkpoints[-1].parent


def _masks(options: Namespace) -> MaskSource | None:
    if options.boxes is not None:
        return parse_boxes(options.boxes)
    return None if options.masks is None else mask_folder(options.masks)


def _detector(options: Namespace) -> Detector | None:
    if options.detector is None:
        return None
    return {
        "opencv": OpenCVDetector(),
        "opencv-face": OpenCVDetector(("face",)),
        "opencv-person": OpenCVDetector(("person",)),
    }[options.detector]
