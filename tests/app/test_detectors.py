"""Detectors: what OpenCV finds on a photograph, and what is hidden of it in clips, pictures and videos."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor

from privacy_mllm.anonymize import anonymize_paths
from privacy_mllm.changing import HOLD
from privacy_mllm.cli import main
from privacy_mllm.data.clips import Clips
from privacy_mllm.media.masks import Boxes
from privacy_mllm.media.pictures import read_picture
from privacy_mllm.methods import Black, Blur, OpenCVDetector
from privacy_mllm.methods.detectors import Box
from privacy_mllm.methods.regions import boxes_mask, region_mask

FACE = (slice(75, 150), slice(185, 265))
"""Where the astronaut's face is: rows and columns."""

FACES_ONLY = OpenCVDetector(("face",))


def photograph() -> Tensor:
    return torch.from_numpy(data.astronaut()).permute(2, 0, 1).contiguous()


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    Image.fromarray(data.astronaut()).save(folder / "astronaut.png")
    Image.fromarray(data.coffee()).save(folder / "coffee.png")
    return folder


def coverage(boxes: list[Box], height: int, width: int) -> float:
    return boxes_mask(boxes, height, width)[0][FACE].mean().item()


@pytest.mark.parametrize("size", [(512, 512), (128, 128), (2048, 2048)])
def test_the_face_of_a_photograph_is_found_at_any_size(size: tuple[int, int]) -> None:
    picture = np.array(Image.fromarray(data.astronaut()).resize(size))
    scale = 512 / size[0]
    found = FACES_ONLY(torch.from_numpy(picture).permute(2, 0, 1))
    boxes = [(x0 * scale, y0 * scale, x1 * scale, y1 * scale) for x0, y0, x1, y1 in found]
    assert coverage(boxes, 512, 512) == 1
    assert boxes_mask(boxes, 512, 512).mean() < 0.25


def test_a_mirrored_profile_is_found_where_it_is() -> None:
    # The cameraman looks to the right; the cascade knows faces that look to the left.
    picture = torch.from_numpy(data.camera()).expand(3, -1, -1).contiguous()
    boxes, mirrored = OpenCVDetector(("face",))(picture), OpenCVDetector(("face",))(picture.flip(-1))
    mask = boxes_mask(boxes, 512, 512)
    assert mask[0, 80:140, 190:270].mean() == 1
    assert (mask - boxes_mask(mirrored, 512, 512).flip(-1)).abs().mean() < 0.05


def test_nothing_is_found_where_nobody_is() -> None:
    assert OpenCVDetector()(torch.full((3, 300, 200), 90, dtype=torch.uint8)) == []


def test_a_detector_finds_the_same_in_many_threads() -> None:
    detector = OpenCVDetector()
    alone = detector(photograph())
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: detector(photograph()), range(4))) == [alone] * 4


def test_unknown_kinds_are_refused() -> None:
    for kinds in ((), ("cat",)):
        with pytest.raises(ValueError, match='`kinds` must be of "face" and "person", got'):
            OpenCVDetector(kinds)  # type: ignore[arg-type]


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r'OpenCV is missing: pip install "zoopt-mo\[detect\]"'):
        OpenCVDetector()


def test_boxes_are_cut_off_at_the_border_and_count_where_they_touch() -> None:
    assert boxes_mask([(-3.0, 0.5, 1.2, 1.5), (3.0, 9.0, 4.0, 12.0)], 3, 4)[0].tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    assert boxes_mask([(-5.0, -5.0, -1.0, -1.0)], 3, 4).sum() == 0


def test_clips_are_hidden_where_a_detector_says_frame_by_frame() -> None:
    frames = torch.full((2, 2, 3, 8, 8), 100, dtype=torch.uint8)
    frames[1, 0] = 50
    clips = Clips(frames, torch.zeros(2, 1), ("face",), ({"what": ("that",)},) * 2, ("a", "b"))

    def detector(picture: Tensor) -> list[Box]:
        return [(0.0, 0.0, 4.0, 2.0)] if picture[0, 0, 0] == 50 else []

    expected = frames.clone()
    expected[1, 0, :, :2, :4] = 0
    method = Black(detector)
    assert torch.equal(method.anonymize(clips), expected)
    assert (method.name, Blur("weak", detector).name) == ("black (detected)", "weak blur (detected)")
    assert region_mask(clips.head(0), detector, needed_by="x").shape == (0, 2, 1, 8, 8)


def test_the_command_blurs_the_face_of_a_photograph(
    album: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["anonymize", str(album), "-o", str(out), "--method", "blur", "--detector", "opencv-face"]
    assert main(words) == 0
    before, after = read_picture(album / "astronaut.png"), read_picture(out / "astronaut.png")
    edges_before, edges_after = (
        picture[(slice(None), *FACE)].float().diff(dim=-1).abs().mean() for picture in (before, after)
    )
    assert edges_after < edges_before / 4
    assert torch.equal(after[:, 300:], before[:, 300:])
    told = capsys.readouterr().out
    assert "coffee.png (the detector found nothing in the picture: left as it was)" in " ".join(told.split())
    assert torch.equal(read_picture(out / "coffee.png"), read_picture(album / "coffee.png"))


def test_black_is_content_with_a_detector_and_masks_beside_it_are_refused(album: Path, tmp_path: Path) -> None:
    report = anonymize_paths([album / "astronaut.png"], tmp_path / "a", Black(), detector=FACES_ONLY)
    assert report.ok
    assert read_picture(tmp_path / "a" / "astronaut.png")[(slice(None), *FACE)].sum() == 0
    with pytest.raises(ValueError, match="`masks` and `detector` both say what to hide"):
        anonymize_paths([album], tmp_path / "b", Black(), masks=Boxes(Path("x"), {}), detector=FACES_ONLY)


def test_a_detector_that_blinks_lets_no_face_through(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    calls = 0

    def blinking(picture: Tensor) -> list[Box]:
        nonlocal calls
        calls += 1
        return [(0.0, 0.0, 32.0, 32.0)] if calls == 2 else []

    source, length = tmp_path / "film.mp4", HOLD + 4
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(length):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 200, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    report = anonymize_paths([source], tmp_path / "out", Black(), detector=blinking)
    missed = length - HOLD
    assert report.done[0].remark == f"the detector found nothing in {missed} of {length} frames: left as it was"
    with av.open(str(tmp_path / "out" / "film.mp4")) as container:
        dark = [frame.to_ndarray(format="gray")[4:28, 4:28].mean() < 50 for frame in container.decode(video=0)]
    assert dark == [False] + [True] * HOLD + [False] * (length - HOLD - 1)
