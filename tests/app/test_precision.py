"""Mixed precision: what is computed in bfloat16 stays close, repeats exactly, and leaves everything kept in float32."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch

import zoopt_mo as zo
from privacy_mllm.cli import main
from privacy_mllm.config import TrainConfig
from privacy_mllm.data.clips import Clips
from privacy_mllm.data.world import render_clips
from privacy_mllm.methods import NetworkAnonymizer
from privacy_mllm.models.factory import build_anonymizer, build_reviewer
from privacy_mllm.models.precision import in_precision, precision_of, set_precision
from privacy_mllm.oracles.embedded import EmbeddedOracle
from privacy_mllm.oracles.settings import OracleConfig
from privacy_mllm.reviewing import embed, review
from privacy_mllm.runs import Run
from privacy_mllm.starting import make_start
from privacy_mllm.train import Training

TINY = TrainConfig(clips=16, pool=8, batch=4, privacy_batch=4, calls_per_sample=6.0)
HALF = replace(TINY, precision="bfloat16")
ANONYMIZERS = ("small", "unet-4")
REVIEWERS = ("small", "resnet50")


@pytest.fixture(scope="module")
def clips() -> Clips:
    return render_clips("train", TINY.clips)


def pictures(count: int = 2, size: int = 48) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ANONYMIZERS)
def test_an_anonymizer_in_bfloat16_is_close_to_itself_and_gives_float32(name):
    network = build_anonymizer(name)
    exact = network(pictures())
    rounded = set_precision(network, "bfloat16")(pictures())
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    torch.testing.assert_close(rounded, exact, rtol=0, atol=4 / 255)


@pytest.mark.parametrize("name", REVIEWERS)
def test_a_reviewer_in_bfloat16_gives_close_features_and_logits_in_float32(name):
    reviewer = build_reviewer(name, 6)
    exact = reviewer(pictures()), reviewer.features(pictures())
    set_precision(reviewer, "bfloat16")
    for rounded, reference in zip((reviewer(pictures()), reviewer.features(pictures())), exact, strict=True):
        assert rounded.dtype == torch.float32
        assert not torch.equal(rounded, reference)
        assert (rounded - reference).norm() < 0.05 * reference.norm()


def test_float32_is_untouched_by_the_block_of_the_other_precision():
    network = build_anonymizer("small")
    before = network(pictures())
    set_precision(network, "bfloat16")(pictures())
    assert torch.equal(set_precision(network, "float32")(pictures()), before)


def test_a_copy_computes_as_its_original_and_an_unknown_precision_is_refused():
    network = set_precision(build_anonymizer("small"), "bfloat16")
    assert precision_of(copy.deepcopy(network)) == "bfloat16"
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    with pytest.raises(ValueError, match="`precision` must be one of float32, bfloat16, got 'float16'"):
        set_precision(network, "float16")
    with pytest.raises(ValueError, match="`precision` must be one of float32, bfloat16, got 'half'"):
        replace(TINY, precision="half")


def test_a_moved_parameter_counts_in_the_next_pass_also_where_gradients_are_recorded():
    """Torch keeps rounded weights for the length of an autocast block; a pass must not outlive one."""

    class Scale(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1, 1))

        @in_precision
        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.linear(numbers, self.weight)

    scale = set_precision(Scale(), "bfloat16")
    first = scale(torch.ones(1, 1)).item()
    with torch.no_grad():
        scale.weight.mul_(2)
    assert (first, scale(torch.ones(1, 1)).item()) == (1.0, 2.0)


def test_the_privacy_gradient_points_where_that_of_float32_points(clips):
    gradients = []
    for config in (TINY, HALF):
        training = Training(config, clips, EmbeddedOracle())
        training._draw()
        evaluation = training.privacy.evaluate(zo.Parameters(training.anonymizer))
        gradients.append(evaluation.gradient.dense())
    exact, rounded = gradients
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    assert float(torch.cosine_similarity(exact, rounded, dim=0)) > 0.99
    assert 0.95 < float(rounded.norm() / exact.norm()) < 1.05


def test_probes_repeat_bit_for_bit_and_differ_from_each_other(clips):
    training = Training(HALF, clips, EmbeddedOracle())
    training._draw()
    theta = zo.Parameters(training.anonymizer)
    first, again = training.utility.query(theta), training.utility.query(theta)
    assert first.tolist() == again.tolist()
    assert first[0] != first[1]


def test_what_probes_differ_by_in_bfloat16_is_what_they_differ_by_in_float32(clips):
    """The difference of two losses is all that a probe tells; rounding must not drown it."""
    training = Training(replace(TINY, pool=16, batch=16, calls_per_sample=60.0), clips, EmbeddedOracle())
    theta = zo.Parameters(training.anonymizer)
    differences = []
    for _ in range(10):
        training._draw()
        both = [
            training.utility.query(theta)
            for precision in ("bfloat16", "float32")
            if set_precision(training.anonymizer, precision)
        ]
        differences.append([float(losses[0] - losses[1]) for losses in both])
        training.utility.conclude(both[1])
    rounded, exact = torch.tensor(differences).T
    assert not torch.equal(rounded, exact)
    assert float(torch.corrcoef(torch.stack([rounded, exact]))[0, 1]) > 0.98
    assert float((rounded - exact).std()) < 0.2 * float(exact.std())


def test_training_learns_in_bfloat16_and_keeps_everything_in_float32(clips):
    training = Training(HALF, clips, EmbeddedOracle())
    before = zo.Parameters(training.anonymizer).flat()
    records = list(training.steps())
    moved = zo.Parameters(training.anonymizer).flat()
    assert len(records) == training.num_steps
    assert moved.dtype == torch.float32
    assert not torch.equal(before, moved)
    kept = [value for value in vars(training.scheme)["optimizer"].state_dict()["state"][0].values() if value.ndim]
    assert {value.dtype for value in kept} == {torch.float32}
    assert precision_of(training.reviewer) == "bfloat16"


def test_a_stopped_training_in_bfloat16_goes_on_bit_for_bit(tmp_path, clips):
    whole, stopped = Training(HALF, clips, EmbeddedOracle()), Training(HALF, clips, EmbeddedOracle())
    records = list(whole.steps())
    steps = stopped.steps()
    first = [next(steps) for _ in range(4)]
    zo.save_checkpoint(tmp_path / "state", stopped.state_dict())
    resumed = Training(HALF, clips, EmbeddedOracle())
    resumed.load_state_dict(zo.load_checkpoint(tmp_path / "state"))
    assert first + list(resumed.steps()) == records
    for one, other in ((whole.anonymizer, resumed.anonymizer), (whole.reviewer, resumed.reviewer)):
        assert torch.equal(zo.Parameters(one).flat(), zo.Parameters(other).flat())


def test_judging_uses_the_precision_that_the_networks_have(clips):
    start = make_start(HALF, clips)
    exact = make_start(TINY, clips)
    shown, reference = (NetworkAnonymizer(one.anonymizer, "network").anonymize(clips.head(2)) for one in (start, exact))
    difference = (shown.int() - reference.int()).abs()
    assert 0 < int(difference.max()) <= 8
    for see in (review, embed):
        seen, other = see(start.raw_reviewer, clips.frames[:2]), see(exact.raw_reviewer, clips.frames[:2])
        assert seen.dtype == torch.float32
        assert not torch.equal(seen, other)
        torch.testing.assert_close(seen, other, rtol=0.1, atol=0.3)


def test_the_record_of_a_run_names_precision_and_device(tmp_path):
    run = Run.create(tmp_path, "half")
    run.write_config(HALF, OracleConfig())
    about = json.loads((run.path / "config.json").read_text())
    assert about["config"]["precision"] == "bfloat16"
    assert about["device"]
    assert run.read_config()[0] == HALF


def test_a_device_that_is_not_there_is_refused_by_name(clips):
    with pytest.raises(ValueError, match="`network_device` must be a device of this machine, got 'nowhere'"):
        Training(replace(TINY, network_device="nowhere"), clips, EmbeddedOracle())


def test_the_command_anonymizes_in_bfloat16(tmp_path, clips, capsys):
    from PIL import Image

    training = Training(TINY, clips, EmbeddedOracle())
    run = Run.create(tmp_path / "runs", "tiny")
    run.save(training)
    picture = tmp_path / "picture.png"
    Image.fromarray(clips.frames[0, 0].permute(1, 2, 0).numpy()).save(picture)
    written = []
    for precision in ("float32", "bfloat16"):
        out = tmp_path / precision / "picture.png"
        out.parent.mkdir()
        words = ["anonymize", str(picture), "-o", str(out), "--run", str(run.path), "--precision", precision]
        assert main(words) == 0
        written.append(torch.frombuffer(bytearray(Image.open(out).tobytes()), dtype=torch.uint8).int())
    difference = (written[0] - written[1]).abs()
    assert 0 < int(difference.max()) <= 8
    assert "trained on the rendered world" in capsys.readouterr().err
