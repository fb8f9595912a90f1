"""What a user wants hidden: boxes and masks, and every slip in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from privacy_mllm.media.masks import MaskFolder, mask_folder, parse_boxes
from privacy_mllm.media.pictures import write_picture


def test_boxes_from_json_and_csv_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"a/x.jpg": [[1, 2, 3, 5], [0.5, 0, 1, 1]], "./y.jpg": []}')
    (tmp_path / "b.csv").write_text("file,x0,y0,x1,y1\na/x.jpg,1,2,3,5\n\ny.jpg,,,,\n./a/x.jpg,0.5,0,1,1\n")
    from_json, from_csv = parse_boxes(tmp_path / "b.json"), parse_boxes(tmp_path / "b.csv")
    assert from_json.boxes == from_csv.boxes == {"a/x.jpg": ((1, 2, 3, 5), (0.5, 0, 1, 1)), "y.jpg": ()}
    mask = from_json.mask_for("a/x.jpg", 6, 4)
    assert mask[0].tolist() == [
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]
    assert not from_json.mask_for("y.jpg", 6, 4).any()


def test_boxes_are_cut_at_the_border(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text('{"x.jpg": [[-5, -5, 1, 1], [2, 1, 99, 99]]}')
    mask = parse_boxes(tmp_path / "b.json").mask_for("x.jpg", 2, 3)
    assert mask[0].tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("box", ["[3, 0, 4, 1]", "[0, 2, 1, 3]", "[-2, 0, 0, 1]", "[0, -2, 1, 0]"])
def test_a_box_outside_the_picture_is_refused(tmp_path: Path, box: str) -> None:
    (tmp_path / "b.json").write_text(f'{{"x.jpg": [{box}]}}')
    with pytest.raises(ValueError, match=r"b\.json: the box \[.*\] of x\.jpg lies outside the upright picture of 3x2"):
        parse_boxes(tmp_path / "b.json").mask_for("x.jpg", 2, 3)


def test_a_picture_without_boxes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("{}")
    with pytest.raises(ValueError, match=r"b\.json has no boxes for x\.jpg; give \[\] if there is nothing to hide"):
        parse_boxes(tmp_path / "b.json").mask_for("x.jpg", 2, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.txt", "", r"b\.txt must be a \.json or \.csv file"),
        ("b.json", '{\n"x.jpg": [[1, 2, 3, 4]],}', r"b\.json:2 is not JSON"),
        ("b.json", "[]", r"b\.json must hold an object from file name to a list of boxes"),
        ("b.json", '{"x.jpg": 7}', r"b\.json: x\.jpg must have a list of boxes \[x0, y0, x1, y1\], got 7"),
        ("b.json", '{"x.jpg": [7]}', r"b\.json: x\.jpg must be four numbers \[x0, y0, x1, y1\], got 7"),
        ("b.json", '{"x.jpg": [[1, 2, 3]]}', r"b\.json: x\.jpg must be four numbers .*, got \[1, 2, 3\]"),
        ("b.json", '{"x.jpg": [[3, 2, 1, 4]]}', r"b\.json: x\.jpg must be a box with x0 < x1 and y0 < y1, got \[3\.0"),
        ("b.json", '{"x.jpg": [[0, 0, NaN, 4]]}', r"b\.json: x\.jpg must be a box with x0 < x1"),
        ("b.csv", "file,x,y\n", r"b\.csv:1 must have the columns file,x0,y0,x1,y1, got file,x,y"),
        ("b.csv", "file,x0,y0,x1,y1\nx.jpg,1,2,3\n", r"b\.csv:2 must be four numbers"),
        ("b.csv", "file,x0,y0,x1,y1\nx.jpg,1,2,3,a\n", r"b\.csv:2 must be four numbers .*'a'"),
        ("b.csv", "file,x0,y0,x1,y1\nx.jpg,1,2,0,4\n", r"b\.csv:2 must be a box with x0 < x1 and y0 < y1"),
    ],
)
def test_slips_in_boxes_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        parse_boxes(tmp_path / name)


def test_boxes_in_another_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"file,x0,y0,x1,y1\n\xff.jpg,1,2,3,4\n")
    with pytest.raises(ValueError, match=r"b\.csv is not UTF-8 text"):
        parse_boxes(tmp_path / "b.csv")


def test_masks_follow_the_pictures_names(tmp_path: Path) -> None:
    (tmp_path / "a" / "v").mkdir(parents=True)
    write_picture(tmp_path / "a" / "x.png", torch.full((1, 2, 3), 51, dtype=torch.uint8))
    for index in range(2):
        write_picture(tmp_path / "a" / "v" / f"{index}.png", torch.full((1, 2, 3), 255 * index, dtype=torch.uint8))
    masks = mask_folder(tmp_path)
    assert masks == MaskFolder(tmp_path)
    assert masks.mask_for("a/x.jpg", 2, 3).tolist() == torch.full((1, 2, 3), 0.2).tolist()
    assert [masks.mask_for("a/v.mp4", 2, 3, frame).mean().item() for frame in range(2)] == [0, 1]
    with pytest.raises(ValueError, match=r"v has 2 masks, too few for frame 2 of its video"):
        masks.mask_for("a/v.mp4", 2, 3, 2)
    with pytest.raises(ValueError, match=r"x\.png is 3x2 pixels, but the upright picture a/x\.jpg is 2x3"):
        masks.mask_for("a/x.jpg", 3, 2)
    with pytest.raises(ValueError, match=r"y\.png is missing: a/y\.jpg has no mask; give a black one if nothing"):
        masks.mask_for("a/y.jpg", 3, 2)
    with pytest.raises(ValueError, match="nowhere is not a folder of masks"):
        mask_folder(tmp_path / "nowhere")
