"""The networks of the paper's family: sizes to the digit, any picture, batch norm that holds still, by name."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

import zoopt_mo as zo
from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.batch_norm import frozen_batch_norm
from privacy_mllm.models.clip_network import show_clips
from privacy_mllm.models.factory import ANONYMIZERS, REVIEWERS, build_anonymizer, build_reviewer, restore_anonymizer
from privacy_mllm.models.resnet import MEAN, STD, ResNet50
from privacy_mllm.models.wide_unet import WideUNet


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _random(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("width", "number"), [(64, 17_267_523), (32, 4_320_675), (16, 1_082_067), (8, 271_467), (4, 68_343)]
)
def test_the_wide_unet_has_the_published_size(width: int, number: int) -> None:
    assert _count(WideUNet(width)) == number
    assert _count(WideUNet(width, norm="group")) == number


@pytest.mark.parametrize(("classes", "number"), [(1000, 25_557_032), (7, 23_522_375), (5, 23_518_277)])
def test_resnet_50_has_the_published_size_and_number_of_entries(classes: int, number: int) -> None:
    network = ResNet50(classes)
    assert _count(network) == number
    assert len(network.state_dict()) == 320


def test_resnet_50_names_its_weights_as_torchvision_and_timm_do() -> None:
    names = set(ResNet50(7).state_dict())
    assert {"conv1.weight", "bn1.running_var", "bn1.num_batches_tracked", "fc.bias"} < names
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        shortcuts = {name.split(".")[1] for name in names if name.startswith(f"layer{stage}.") and "downsample" in name}
        assert shortcuts == {"0"}
        assert {int(name.split(".")[1]) for name in names if name.startswith(f"layer{stage}.")} == set(range(blocks))
    assert {"layer1.0.downsample.0.weight", "layer1.0.downsample.1.weight", "layer4.2.conv3.weight"} < names


def _torchvision() -> ModuleType:
    try:
        return importlib.import_module("torchvision.models")
    except Exception as error:  # a torchvision for another torch raises RuntimeError
        pytest.skip(f"torchvision cannot be imported: {error}")


def test_resnet_50_computes_what_torchvision_computes() -> None:
    theirs = _torchvision().resnet50(weights=None).eval()
    ours = ResNet50(1000).eval()
    ours.load_state_dict(theirs.state_dict())
    pictures = _random(2, 3, 64, 64)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    with torch.no_grad():
        assert torch.equal(ours(pictures), theirs((pictures - mean) / std))


def test_the_stride_of_resnet_50_is_in_the_middle_convolution() -> None:
    network = ResNet50(2)
    steps = {
        name: module.stride[0]
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.stride != (1, 1)
    }
    assert steps == {"conv1": 2} | {f"layer{k}.0.{part}": 2 for k in (2, 3, 4) for part in ("conv2", "downsample.0")}


def test_resnet_50_takes_frames_as_they_are_and_normalises_them_itself() -> None:
    network = ResNet50(3).eval()
    grey = torch.tensor(MEAN)[None, :, None, None].expand(1, 3, 64, 64)
    with torch.no_grad():
        # The mean colour is the origin, where every convolution without bias and fresh batch norm stay 0.
        assert torch.allclose(network.features(grey), torch.zeros(1, 2048), atol=1e-5)
        assert torch.allclose(network(grey), network.fc.bias.expand(1, 3), atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (112, 112), (37, 101)])
def test_resnet_50_takes_pictures_of_any_size(size: tuple[int, int]) -> None:
    with torch.no_grad():
        network = ResNet50(7).eval()
        assert network(_random(1, 3, *size)).shape == (1, 7)
        assert network.features(_random(1, 3, *size)).shape == (1, 2048)


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 31), (37, 101)])
def test_the_wide_unet_takes_pictures_of_any_size(size: tuple[int, int], norm: str) -> None:
    with torch.no_grad():
        output = WideUNet(4, norm=norm).eval()(_random(2, 3, *size))
    assert output.shape == (2, 3, *size)
    assert bool(((output > 0) & (output < 1)).all())


def test_padding_repeats_the_border_and_is_cut_off_again() -> None:
    network = WideUNet(4).eval()
    picture = _random(1, 3, 30, 45)
    padded = nn.functional.pad(picture, (0, 3, 0, 2), mode="replicate")
    with torch.no_grad():
        assert torch.equal(network(picture), network(padded)[..., :30, :45])


def test_the_last_stage_takes_the_first_shortcut_before_the_doubled_features() -> None:
    """With the doubled half cut off, a pixel is reached by four 3x3 convolutions alone: a 9x9 neighbourhood."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # some weights let nothing through at this pixel
        network = WideUNet(4, norm="none").eval()
    picture = _random(1, 3, 32, 32).requires_grad_()
    with torch.no_grad():
        network.get_parameter("up4.0.weight")[:, 4:] = 0
    network(picture)[0, 0, 11, 19].backward()
    assert picture.grad is not None
    reached = picture.grad[0].abs().sum(0) > 0
    assert bool(reached[11, 19])
    assert int(reached.sum()) == int(reached[7:16, 15:24].sum())


def test_probes_see_the_frozen_statistics_and_leave_them_where_they_are() -> None:
    network = WideUNet(4).train()
    pictures = _random(4, 3, 16, 16)
    with torch.no_grad():
        for _ in range(3):
            network(pictures)  # the statistics have moved off their start
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    parameters = zo.Parameters(network)
    seen: list[Tensor] = []

    @frozen_batch_norm(network)
    def render() -> Tensor:
        assert network.training  # only the batch-norm layers hold still
        seen.append(network(pictures))
        seen.append(network(pictures[:1]))
        return seen[-2]

    utility = zo.BlackBox(
        render=render, judge=lambda pictures: [float(p.mean()) for p in pictures], estimator=zo.SPSA(radius=0.01)
    )
    utility.evaluate(parameters)
    assert len(seen) == 4
    for whole, single in zip(seen[::2], seen[1::2], strict=True):
        assert torch.allclose(whole[:1], single, atol=1e-6)  # a picture's output does not hang on the others
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
    with torch.no_grad():
        network(pictures)
    assert not torch.equal(network.get_buffer("inc.1.running_mean"), before["inc.1.running_mean"])


def test_batch_norm_thaws_layer_by_layer_also_after_an_error() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.Dropout()).train()
    network[1].eval()

    @frozen_batch_norm(network)
    def fail() -> None:
        assert [layer.training for layer in network] == [False, False, True]
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        fail()
    assert [layer.training for layer in network] == [True, False, True]


@pytest.mark.parametrize("name", ANONYMIZERS)
def test_every_anonymizer_is_built_by_its_name_and_comes_back_from_its_state(name: str) -> None:
    network = build_anonymizer(name)
    assert not network.training
    clip = _random(1, 2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(show_clips(restore_anonymizer(network.state_dict()), clip), show_clips(network, clip))


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_width_and_normalisation_are_read_off_a_state(norm: str) -> None:
    network = restore_anonymizer(build_anonymizer("unet-8", norm=norm).state_dict())
    assert isinstance(network, WideUNet)
    assert network.get_parameter("inc.0.weight").shape[0] == 8
    assert network.state_dict().keys() == WideUNet(8, norm=norm).state_dict().keys()
    small = restore_anonymizer(build_anonymizer("small-8").state_dict())
    assert small.get_parameter("outer.0.weight").shape[0] == 8


@pytest.mark.parametrize("name", REVIEWERS)
def test_every_reviewer_is_built_by_its_name_with_features_before_its_logits(name: str) -> None:
    network = build_reviewer(name, 5)
    assert isinstance(network, AttributeNetwork)
    pictures = _random(2, 3, 64, 64)
    with torch.no_grad():
        linear = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        assert torch.equal(linear(network.features(pictures)), network(pictures))
        assert network(pictures).shape == (2, 5)


def test_the_seed_decides_the_first_weights_and_the_global_random_state_is_left_alone() -> None:
    state = torch.get_rng_state()
    first, same, other = (build_reviewer("small", 4, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first["head.2.weight"], other["head.2.weight"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unet", '`name` must be "small", "motion", "regions" or "unet-W"'),
        ("unet-0", "got 'unet-0'"),
        ("small-6", '`name` must have a width that is a multiple of 4, got "small-6"'),
    ],
)
def test_unknown_anonymizers_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_anonymizer(name)


def test_bad_arguments_of_networks_are_named() -> None:
    with pytest.raises(ValueError, match="`name` must be one of small, resnet50, got 'resnet18'"):
        build_reviewer("resnet18", 3)
    with pytest.raises(ValueError, match="`num_attributes` must be positive, got 0"):
        build_reviewer("small", 0)
    with pytest.raises(ValueError, match="`norm` must be one of batch, group, none, got 'layer'"):
        build_anonymizer("unet-4", norm="layer")
    with pytest.raises(ValueError, match='`width` must be a multiple of 4 for norm="group", got 6'):
        WideUNet(6, norm="group")
    with pytest.raises(ValueError, match="`width` must be positive, got 0"):
        WideUNet(0)
    with pytest.raises(ValueError, match=r"`state` must be that of an anonymizer, got the keys conv1\.weight"):
        restore_anonymizer({"conv1.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="`state` must be that of an anonymizer: Error"):
        restore_anonymizer({"inc.0.weight": torch.zeros(4, 3, 3, 3)})
