"""The published data sets in miniature, on the disk in their own formats; all names and pictures are invented.

Every irregularity that the published files have is here, and what must come out is stated in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from privacy_mllm.media.pictures import write_picture

CLIMBER = "Foo(1)_bar!_climb_f_cm_np1_le_med_0"
"""A video of HMDB51 that PA-HMDB51 annotates, with brackets and an exclamation mark in its name."""

HMDB_VIDEOS = {
    "climb": {CLIMBER: 1, "B_climb_u_nm_np1_fr_goo_1": 2, "C_climb_u_nm_np1_fr_goo_3": 1},
    "climb_stairs": {"S#x_climb_stairs_f_cm_np1_ba_med_0": 1, "T & u_climb_stairs_f_cm_np1_ba_bad_2": 0},
}
UCF_VIDEOS = ("v_ApplyEyeMakeup_g08_c01", "v_ApplyEyeMakeup_g01_c01", "v_HandStandPushups_g01_c01")
VISPR_IMAGES: dict[str, list[str]] = {
    "2017_00000001": ["a17_color", "a4_gender", "a9_face_complete"],
    "2017_00000002": ["a0_safe"],
    "2017_00000003": ["a10_face_partial", "a65_rel_social", "a104_license_plate_partial"],
    "2017_00000004": [],
}
PA_CLIMBER: dict[str, Any] = {
    "skin_color": [[0, 9, [2, 3]]],
    "relationship": [[0, 9, 0]],
    "face": [[0, 3, 1], [4, 9, 2]],
    "nudity": [[0, 9, 2]],
    "gender": [[0, 5, [1, 2]], [7, 9, 0]],
    "review": True,
}
"""Ten frames: no gender in frame 6, values that are lists, no `note`."""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def write_json(path: Path, content: Any) -> Path:
    return write(path, json.dumps(content))


def write_noise(path: Path, seed: int = 0, size: tuple[int, int] = (48, 64)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return path


def grey_frames(count: int = 10, height: int = 48, width: int = 64) -> torch.Tensor:
    """Frame ``i`` has the grey level ``20 i``, so that a frame can be told after any codec; ``[t, 3, h, w]``."""
    levels = 20 * torch.arange(count, dtype=torch.uint8)
    return levels[:, None, None, None].expand(count, 3, height, width).contiguous()


def write_clip(path: Path, frames: torch.Tensor) -> Path:
    """A clip as a video, a ``.npy`` file, or (without a suffix) a folder of frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, frames.permute(0, 2, 3, 1).numpy())
    elif path.suffix in (".avi", ".mp4"):
        _write_video(path, frames)
    else:
        path.mkdir()
        for index, frame in enumerate(frames, start=1):
            write_picture(path / f"{index:05d}.png", frame)
    return path


def make_hmdb51(root: Path, ending: str = "", videos: Mapping[str, Mapping[str, int]] = HMDB_VIDEOS) -> Path:
    """Lists with the trailing space of the published ones, for all three splits; clips with the given suffix."""
    folder = "hmdb51_org" if ending else "frames"
    for action, codes in videos.items():
        for split in (1, 2, 3):
            # Split 2 tests on what split 1 trains on.
            of_split = {name: code if split == 1 else {1: 2, 2: 1}.get(code, code) for name, code in codes.items()}
            lines = "".join(f"{name}.avi {code} \n" for name, code in of_split.items())
            write(root / "testTrainMulti_7030_splits" / f"{action}_test_split{split}.txt", lines)
        for name in codes:
            write_clip(root / folder / action / (name + ending), grey_frames())
    return root


def make_ucf101(root: Path, ending: str = ".avi") -> Path:
    """CRLF line ends, a label in one line of the test list only, and the folder that is spelled apart."""
    lists = root / "ucfTrainTestlist"
    write(lists / "classInd.txt", "1 ApplyEyeMakeup\r\n2 HandstandPushups\r\n")
    for split in (1, 2, 3):
        write(lists / f"trainlist{split:02d}.txt", f"ApplyEyeMakeup/{UCF_VIDEOS[0]}.avi 1\r\n")
        test = f"ApplyEyeMakeup/{UCF_VIDEOS[1]}.avi\r\nHandstandPushups/{UCF_VIDEOS[2]}.avi 2\r\n"
        write(lists / f"testlist{split:02d}.txt", test)
    for name, action in zip(UCF_VIDEOS, ("ApplyEyeMakeup", "ApplyEyeMakeup", "HandstandPushups"), strict=True):
        write_clip(root / "UCF-101" / action / (name + ending), grey_frames())
    return root


def make_vispr(root: Path, folder: str = "images/{}2017") -> Path:
    """The same labels in each split; every image has a name of its own."""
    for number, split in enumerate(("train", "val", "test")):
        lines: list[str] = []
        for name, labels in VISPR_IMAGES.items():
            image = name.replace("2017_0", f"2017_{number}")
            file = f"annotations/{split}2017/{image}.json"
            write_json(root / file, {"image_path": f"images/{split}2017/{image}.jpg", "labels": labels})
            write_noise(root / folder.format(split) / f"{image}.jpg", seed=len(lines))
            lines.append(f"{file}\n")
        write(root / f"{split}2017.txt", "".join(lines))
    return root


def make_pa_hmdb51(root: Path, annotation: Mapping[str, Any] = PA_CLIMBER) -> Path:
    write_json(root / "PrivacyAttributes" / "climb.json", {f"{CLIMBER}.avi": annotation})
    return root


def answers_of(*counted: tuple[str, int]) -> list[dict[str, Any]]:
    texts = [text for text, number in counted for _ in range(number)]
    return [
        {"answer_id": index, "raw_answer": text, "answer_confidence": "yes", "answer": text}
        for index, text in enumerate(texts, start=1)
    ]


def make_okvqa(root: Path, parts: Sequence[str] = ("train", "val")) -> Path:
    """Two questions of different categories, one without `confidence`, about two images; and private attributes."""
    sport = answers_of(("tennis", 4), ("racket", 3), ("sport", 2), ("ball", 1))
    for part in parts:
        head = {"info": {}, "license": {}, "data_subtype": f"{part}2014", "task_type": "Open-Ended"}
        questions = [
            {"image_id": 7, "question": "What sport is this?", "question_id": 75},
            {"image_id": 8, "question": "What fruit?", "question_id": 85},
        ]
        types = {
            "four": "Sports and Recreation",
            "seven": "People and Everyday life",
            "eight": "Plants and Animals",
        }
        common = {"answer_type": "other"}
        annotations = [
            common | {"image_id": 8, "question_id": 85, "question_type": "eight", "answers": answers_of(("apple", 10))},
            common | {"image_id": 7, "question_id": 75, "question_type": "four", "confidence": 3, "answers": sport},
        ]
        write_json(root / f"OpenEnded_mscoco_{part}2014_questions.json", head | {"questions": questions})
        write_json(
            root / f"mscoco_{part}2014_annotations.json", head | {"question_types": types, "annotations": annotations}
        )
        for number in (7, 8, 9):
            write_noise(root / f"{part}2014" / f"COCO_{part}2014_{number:012d}.jpg", seed=number)
    seen: list[dict[str, Any]] = [
        {"image": "COCO_val2014_000000000007.jpg", "id": 5, "choice": {"choices": ["a4_gender", "a17_color"]}},
        {"image": "COCO_val2014_000000000008.jpg", "id": 6},
        {"image": "COCO_val2014_000000000009.jpg", "id": 7, "choice": "a9_face_complete"},
        {"image": "COCO_val2014_000000000009.jpg", "id": 8, "choice": "a4_gender"},
    ]
    write_json(root / "annotations.json", seen)
    return root


def make_all(root: Path) -> Path:
    """The data sets of the paper's experiments, each in its folder."""
    for name, make in (("ucf101", make_ucf101), ("vispr", make_vispr), ("okvqa", make_okvqa)):
        make(root / name)
    make_hmdb51(root / "hmdb51", ".avi")
    make_pa_hmdb51(root / "pa-hmdb51")
    return root


def _write_video(path: Path, frames: torch.Tensor) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = frames.shape[2], frames.shape[3], "yuv420p"
        for frame in frames.permute(0, 2, 3, 1).numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode(None))
