"""Anonymizing videos: frame by frame, with boxes, and broken ones named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from privacy_mllm.anonymize import AnonymizeReport, anonymize_paths
from privacy_mllm.media.masks import parse_boxes
from privacy_mllm.methods import Black


def reasons(report: AnonymizeReport) -> dict[str, str]:
    return {failed.source.name: failed.reason for failed in report.failed}


def test_a_video_is_anonymized_frame_by_frame(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    (tmp_path / "in").mkdir()
    with av.open(str(tmp_path / "in" / "v.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for step in range(6):
            picture = np.ascontiguousarray(data.chelsea()[100:196, 100 + step : 228 + step])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    (tmp_path / "in" / "cut.mp4").write_bytes((tmp_path / "in" / "v.mp4").read_bytes()[:3000])
    (tmp_path / "boxes.csv").write_text("file,x0,y0,x1,y1\nv.mp4,0,0,64,96\ncut.mp4,0,0,64,96\n")
    masks = parse_boxes(tmp_path / "boxes.csv")
    report = anonymize_paths([tmp_path / "in"], tmp_path / "out", Black(), masks=masks)
    assert "it is broken or cut off" in reasons(report)["cut.mp4"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["v.mp4"]
    with av.open(str(tmp_path / "out" / "v.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [frame.shape for frame in frames] == [(96, 128, 3)] * 6
    for frame in frames:
        assert frame[:, :60].max() < 12
        assert frame[:, 70:].mean() > 60
