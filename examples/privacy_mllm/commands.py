"""What each command of ``privacy-mllm`` does, and what it tells on the way."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from privacy_mllm import anonymizing, comparing, display, planning, probing, reporting, session
from privacy_mllm._weights_quality import compare_weights
from privacy_mllm.config import TrainConfig, settings_of
from privacy_mllm.data.checking import ORIGINS, check_data
from privacy_mllm.data.folder import export_clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.judging import Judging, evaluate_run
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.presets import EMBEDDED, load_preset
from privacy_mllm.pretrain import pretrain as make_weights
from privacy_mllm.runs import Run
from privacy_mllm.severities import Severities, read_severities
from privacy_mllm.tracking import tracked

Settings = TypeVar("Settings", TrainConfig, OracleConfig)

DEMO = TrainConfig(anonymizer="motion", **settings_of("motion"))
MINIATURE = replace(DEMO, clips=48, pool=16, batch=8, calls_per_sample=4.0, start_steps=20)


def demo(options: Namespace) -> int:
    """Train, judge and draw, on the rendered world."""
    started = time.monotonic()
    config = replace(MINIATURE if options.quick else DEMO, seed=options.seed)
    with display.watching() as watch:
        run, stopped_by = session.train_run(config, options.runs, "demo", watch)
        if stopped_by is not None:
            return _stopped(run, stopped_by)
        judging = Judging(test_clips=32, attacker_steps=5) if options.quick else Judging()
        judging = replace(judging, severities=_severities(options))
        results = evaluate_run(run, watch, judging, full=True)
    display.show_results(results)
    display.show_files(run)
    reporting.add_report(run.path)
    display.say(f"took {time.monotonic() - started:.0f} s")
    return 0


def train(options: Namespace) -> int:
    """Train with the given settings, or go on with a run; then judge."""
    config, oracle = _read(TrainConfig, options), _read(OracleConfig, options)
    if options.dry_run:
        return planning.run(config, oracle, options)
    with display.watching() as shown, tracked(shown, options.tracking) as watch:
        if options.resume is None:
            run, stopped_by = session.train_run(config, options.runs, options.name, watch, oracle)
        else:
            run = Run(options.resume)
            stopped_by = session.resume_run(run, watch)
        if stopped_by is not None:
            return _stopped(run, stopped_by)
        if options.no_evaluation:
            display.show_files(run)
            return 0
        results = evaluate_run(run, watch, _judging(options), full=False)
    display.show_results(results)
    display.show_files(run)
    return 0


def compare(options: Namespace) -> int:
    """Train and judge every method."""
    return comparing.run(_read(TrainConfig, options), _read(OracleConfig, options), options)


def probe_oracle(options: Namespace) -> int:
    """Ask one question about one picture, and tell all that came of it."""
    return probing.run(_read(OracleConfig, options), options)


def evaluate(options: Namespace) -> int:
    """Judge a run beside all classical methods."""
    run = Run(options.run)
    with display.watching() as watch:
        results = evaluate_run(run, watch, _judging(options, options.split), full=True)
    display.show_results(results)
    display.show_files(run)
    return 0


def report(options: Namespace) -> int:
    """Write runs and comparisons as one page."""
    return reporting.run(options)


def anonymize(options: Namespace) -> int:
    """Anonymize the user's pictures and videos."""
    return anonymizing.run(options)


def pretrain(options: Namespace) -> int:
    """Make the shipped networks again and compare them with the packaged ones."""
    with display.counting() as progress:
        manifest = make_weights(options.output, quick=options.quick, progress=progress)
    display.say(f"wrote {options.output} in {manifest['seconds']['training']} s")
    agreed = True
    for line in compare_weights(options.output, Path(__file__).parent / "weights"):
        display.say(str(line))
        agreed = agreed and line.agrees
    return 0 if agreed or options.quick else 1


def world(options: Namespace) -> int:
    """Write clips of the rendered world as files."""
    for split, count in (("train", options.clips), ("validation", options.test_clips), ("test", options.test_clips)):
        export_clips(render_clips(split, count), options.folder, split=split, append=split != "train")
    display.say(f"wrote {options.clips} + 2 x {options.test_clips} clips to {options.folder}")
    display.say(f"train on them: privacy-mllm train --data folder:{options.folder}")
    return 0


def data_check(options: Namespace) -> int:
    """Look through a data set on the disk."""
    with display.counting_files() as progress:
        report = check_data(options.name, options.root, decode=options.decode, progress=progress)
    for fact in report.facts:
        display.say(fact)
    for problem in report.problems:
        display.say(f"WRONG  {problem}")
    if not report.problems:
        display.say("all well")
    elif options.name in ORIGINS:
        display.say(f"what is missing is to be had from {ORIGINS[options.name]}")
    return 1 if report.problems else 0


def _judging(options: Namespace, split: str = "test") -> Judging:
    return Judging(
        test_clips=options.test_clips,
        attacker_steps=options.attacker_steps,
        attackers=options.attackers,
        scratch_steps=options.scratch_steps,
        severities=_severities(options),
        split=split,
    )


def _severities(options: Namespace) -> Severities | None:
    return None if options.severity is None else read_severities(options.severity)


def _stopped(run: Run, by: str) -> int:
    print(f"stopped by {by}", file=sys.stderr)
    print(f"what was learned so far is in {run.path}", file=sys.stderr)
    print(f"to go on: privacy-mllm train --resume {run.path}", file=sys.stderr)
    return 130 if by == session.CTRL_C else 1


def _read(kind: type[Settings], options: Namespace) -> Settings:
    """The settings of one kind: as they were typed, else what the anonymizer needs, the preset's, or the defaults."""
    preset = getattr(options, "preset", None)
    preset = None if preset == EMBEDDED else preset
    known: dict[str, Any] = {} if preset is None else load_preset(preset, options.data)
    known |= settings_of(options.anonymizer) if kind is TrainConfig else {}
    typed = options.typed - {"data"} if preset else options.typed
    values = {entry.name: getattr(options, entry.name) for entry in fields(kind)}
    return kind(**{name: value if name in typed else known.get(name, value) for name, value in values.items()})
