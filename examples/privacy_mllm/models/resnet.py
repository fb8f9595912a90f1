"""ResNet-50, the reviewer of the paper and of most work on visual privacy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from privacy_mllm.models.attribute_network import AttributeNetwork
from privacy_mllm.models.precision import in_precision

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Inner channels, number of blocks and first step of each of the four stages."""

EXPANSION = 4
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""The colours of ImageNet, by which public weights expect their input to be normalised."""


class ResNet50(AttributeNetwork):
    """ResNet-50 with the step in the 3x3 convolution ("version 1.5").

    Modules are named as in torchvision and timm, so that their public weights load; see
    :func:`privacy_mllm.models.pretrained.load_pretrained`. 25,557,032 parameters at 1000 classes, 23,522,375 at 7.
    Frames are normalised inside, by the colours of ImageNet.

    Args:
        num_attributes: Number of logits ``k``.

    Reference:
        He et al. (2016), "Deep Residual Learning for Image Recognition", CVPR.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_attributes: int = 7) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels, layers = 64, []
        for inner, blocks, stride in STAGES:
            layers.append(_stage(channels, inner, blocks, stride))
            channels = EXPANSION * inner
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.fc = nn.Linear(channels, num_attributes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @in_precision
    def features(self, frames: Tensor) -> Tensor:
        """The averaged responses of the last stage, ``[b, 2048]``, of frames ``[b, 3, h, w]`` in [0, 1]."""
        hidden = F.relu(self.bn1(self.conv1((frames - self.mean) / self.std)))
        hidden = F.max_pool2d(hidden, 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            hidden = layer(hidden)
        return hidden.mean((2, 3))

    @in_precision
    def forward(self, frames: Tensor) -> Tensor:
        """One logit an attribute, ``[b, k]``, of frames ``[b, 3, h, w]`` in [0, 1]; any size."""
        logits: Tensor = self.fc(self.features(frames))
        return logits


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut, ``[b, i, h, w]`` to ``[b, 4 * inner, h / stride, w / stride]``.

    Args:
        inputs: Channels that come in.
        inner: Channels of the 3x3 convolution.
        stride: Its step.
    """

    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        outputs = EXPANSION * inner
        self.conv1, self.bn1 = nn.Conv2d(inputs, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, pictures: Tensor) -> Tensor:
        """The features after the block."""
        hidden = F.relu(self.bn1(self.conv1(pictures)))
        hidden = F.relu(self.bn2(self.conv2(hidden)))
        return F.relu(self.bn3(self.conv3(hidden)) + self.downsample(pictures))


def _stage(inputs: int, inner: int, blocks: int, stride: int) -> nn.Sequential:
    rest = (Bottleneck(EXPANSION * inner, inner, 1) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inputs, inner, stride), *rest)
