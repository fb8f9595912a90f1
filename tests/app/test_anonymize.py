"""The engine of ``privacy-mllm anonymize``: every file is done or named, and nothing else is touched."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor, nn

from privacy_mllm.anonymize import AnonymizeReport, anonymize_paths, plan
from privacy_mllm.media.masks import MaskFolder, parse_boxes
from privacy_mllm.media.pictures import read_picture, write_picture
from privacy_mllm.methods import Black, Blur, Downsample, NetworkAnonymizer
from privacy_mllm.models.factory import build_anonymizer

PHOTOGRAPHS = Path(data.__file__).parent
ASTRONAUT = PHOTOGRAPHS / "astronaut.png"


class Negative:
    """A method whose effect is known bit for bit, or that does what a test wants."""

    name = "negative"
    needs_mask = False

    def __init__(self, change: Callable[[Tensor], Tensor] = lambda picture: 255 - picture) -> None:
        self.change = change

    def __call__(self, picture: Tensor, mask: Tensor | None = None) -> Tensor:
        assert mask is None
        return self.change(picture)


def reasons(report: AnonymizeReport) -> dict[str, str]:
    return {failed.source.name: failed.reason for failed in report.failed}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path) -> dict[str, bytes]:
    """As :func:`snapshot`, by the names within the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder as people have it: real photographs, folders in folders, and broken files among them."""
    folder = tmp_path / "album"
    (folder / "trip" / "day 1").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "SECRET"
    Image.fromarray(data.rocket()).save(folder / "turned.JPG", exif=exif)
    shutil.copy(PHOTOGRAPHS / "chelsea.png", folder / "trip" / "cat.png")
    Image.fromarray(data.coffee()).convert("CMYK").save(folder / "trip" / "day 1" / "coffee.jpg")
    content = (PHOTOGRAPHS / "rocket.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    (folder / "empty.png").touch()
    (folder / "note.jpg").write_text("Dear diary")
    (folder / "plan.txt").write_text("Dear diary")
    (folder / ".hidden").write_text("not mine")
    return folder


def test_a_folder_is_done_and_broken_files_are_named(album: Path, tmp_path: Path) -> None:
    before = snapshot(album)
    report = anonymize_paths([album], tmp_path / "out", Negative())
    assert snapshot(album) == before
    assert not report.ok
    found = reasons(report)
    assert sorted(found) == ["cut.jpg", "empty.png", "note.jpg", "plan.txt"]
    assert "cut.jpg cannot be decoded as a picture, it is broken or cut off" in found["cut.jpg"]
    assert found["empty.png"].endswith("empty.png is empty.")
    assert "neither a picture nor a video that can be read" in found["note.jpg"]
    assert "neither a picture nor a video that can be read" in found["plan.txt"]
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert written == ["trip/cat.png", "trip/day 1/coffee.jpg", "turned.JPG"]
    assert sorted(done.target.name for done in report.done) == ["cat.png", "coffee.jpg", "turned.JPG"]


def test_copies_have_the_size_and_the_method_is_applied(album: Path, tmp_path: Path) -> None:
    anonymize_paths([album], tmp_path / "out", Negative())
    for name in ("turned.JPG", "trip/cat.png", "trip/day 1/coffee.jpg"):
        before, after = read_picture(album / name), read_picture(tmp_path / "out" / name)
        assert after.shape == before.shape
        assert (after.float() - (255 - before.float())).abs().mean() < 3
    assert read_picture(tmp_path / "out" / "turned.JPG").shape == (3, 640, 427)
    assert b"SECRET" not in (tmp_path / "out" / "turned.JPG").read_bytes()


def test_a_copy_has_the_usual_permissions(tmp_path: Path) -> None:
    anonymize_paths([ASTRONAUT], tmp_path / "out", Negative())
    (tmp_path / "usual").touch()
    assert (tmp_path / "out" / "astronaut.png").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_one_file_may_become_a_file_of_another_format(tmp_path: Path) -> None:
    report = anonymize_paths([ASTRONAUT], tmp_path / "new" / "me.webp", Downsample(4))
    assert report.ok
    with Image.open(tmp_path / "new" / "me.webp") as image:
        assert (image.format, image.size) == ("WEBP", (512, 512))


def test_one_file_goes_into_a_folder_that_only_looks_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "out.png").mkdir()
    anonymize_paths([ASTRONAUT], tmp_path / "out.png", Negative())
    assert (tmp_path / "out.png" / "astronaut.png").is_file()


def test_a_file_without_a_suffix_keeps_its_format(tmp_path: Path) -> None:
    shutil.copy(ASTRONAUT, tmp_path / "me")
    assert anonymize_paths([tmp_path / "me"], tmp_path / "out", Negative()).ok
    with Image.open(tmp_path / "out" / "me") as image:
        assert image.format == "PNG"


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "astronaut.png").write_text("precious")
    report = anonymize_paths([ASTRONAUT, PHOTOGRAPHS / "cell.png"], out, Negative())
    assert reasons(report) == {"astronaut.png": f"{out / 'astronaut.png'} exists; use --force"}
    assert (out / "astronaut.png").read_text() == "precious"
    assert (out / "cell.png").is_file()
    assert anonymize_paths([ASTRONAUT], out, Negative(), force=True).ok
    assert read_picture(out / "astronaut.png").shape == (3, 512, 512)


def test_a_failure_leaves_neither_a_copy_nor_a_part(tmp_path: Path) -> None:
    def broken(_: Tensor) -> Tensor:
        raise RuntimeError("no")

    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "astronaut.png").write_text("precious")
    report = anonymize_paths([ASTRONAUT], tmp_path / "out", Negative(broken), force=True)
    assert reasons(report) == {"astronaut.png": "no"}
    assert snapshot(tmp_path) == {str(tmp_path / "out" / "astronaut.png"): b"precious"}


def test_an_interruption_leaves_no_part(tmp_path: Path) -> None:
    def interrupted(_: Tensor) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        anonymize_paths([ASTRONAUT], tmp_path / "out", Negative(interrupted))
    assert not snapshot(tmp_path)


@pytest.mark.parametrize("result", [torch.zeros(3, 2, 2, dtype=torch.uint8), torch.zeros(3, 512, 512)])
def test_a_method_that_gives_no_such_picture_is_no_success(tmp_path: Path, result: Tensor) -> None:
    report = anonymize_paths([ASTRONAUT], tmp_path / "out", Negative(lambda _: result))
    assert "negative turned a picture [3, 512, 512] into torch." in reasons(report)["astronaut.png"]
    assert not snapshot(tmp_path)


def test_the_input_is_never_replaced(album: Path, tmp_path: Path) -> None:
    before = snapshot(album)
    cat = album / "trip" / "cat.png"
    for paths, out in (([cat], cat), ([cat], cat.parent), ([album], album), ([cat, album / "cut.jpg"], cat.parent)):
        with pytest.raises(ValueError, match="is an input itself and is never replaced; choose another output"):
            anonymize_paths(paths, out, Negative(), force=True)
    (tmp_path / "link").symlink_to(album)
    with pytest.raises(ValueError, match="is an input itself and is never replaced"):
        anonymize_paths([album], tmp_path / "link", Negative(), force=True)
    assert snapshot(album) == before


def test_a_link_at_the_place_of_the_copy_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious.png").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "astronaut.png").symlink_to(tmp_path / "precious.png")
    assert anonymize_paths([ASTRONAUT], tmp_path / "out", Negative(), force=True).ok
    assert (tmp_path / "precious.png").read_text() == "precious"
    assert not (tmp_path / "out" / "astronaut.png").is_symlink()


def test_two_inputs_for_one_copy_are_found_before_any_work(album: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cat\.png and .*cat\.png would both become .*out/cat\.png"):
        anonymize_paths([album / "trip" / "cat.png", album / "trip"], tmp_path / "out", Negative())
    assert not (tmp_path / "out").exists()


def test_links_to_folders_are_not_followed(album: Path, tmp_path: Path) -> None:
    (album / "trip" / "loop").symlink_to(album)
    (album / "self.png").symlink_to(album / "self.png")
    (album / "gone.png").symlink_to(album / "nowhere.png")
    report = anonymize_paths([album], tmp_path / "out", Negative())
    assert len(report.done) == 3
    found = reasons(report)
    assert found["gone.png"].startswith("No such file or directory")
    assert found["self.png"].startswith("Too many levels of symbolic links")


def test_former_copies_are_no_inputs(album: Path) -> None:
    first = anonymize_paths([album], album / "safe", Negative())
    second = anonymize_paths([album], album / "safe", Negative(), force=True)
    assert [done.source for done in first.done] == [done.source for done in second.done]


def test_what_does_not_exist_is_named_and_the_rest_done(tmp_path: Path) -> None:
    report = anonymize_paths([tmp_path / "gone.png", ASTRONAUT], tmp_path / "out", Negative())
    assert reasons(report) == {"gone.png": "there is no such file"}
    assert len(report.done) == 1


def test_wrong_orders_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`paths` must not be empty"):
        anonymize_paths([], tmp_path, Negative())
    (tmp_path / "void").mkdir()
    with pytest.raises(ValueError, match=r"There is no file in .*void"):
        anonymize_paths([tmp_path / "void"], tmp_path / "out", Negative())
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is a file; the copies of several files need a folder"):
        anonymize_paths([ASTRONAUT, PHOTOGRAPHS / "cell.png"], tmp_path / "file", Negative())
    with pytest.raises(ValueError, match=r"black \(box\) must be told what to hide: give boxes or masks"):
        anonymize_paths([ASTRONAUT], tmp_path / "out", Black())
    assert not (tmp_path / "out").exists()


def test_a_picture_cannot_become_a_video(tmp_path: Path) -> None:
    report = anonymize_paths([ASTRONAUT], tmp_path / "me.mp4", Negative())
    assert "astronaut.png is a picture and cannot become" in reasons(report)["astronaut.png"]
    shutil.copy(ASTRONAUT, tmp_path / "trick.mp4")
    report = anonymize_paths([tmp_path / "trick.mp4"], tmp_path / "out", Negative())
    assert "is named like a video but holds a picture; rename it" in reasons(report)["trick.mp4"]


def test_boxes_hide_what_they_name_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("astronaut.png", "cell.png"):
        shutil.copy(PHOTOGRAPHS / name, tmp_path / "in")
    (tmp_path / "boxes.json").write_text('{"astronaut.png": [[150, 20, 300, 200]]}')
    boxes = parse_boxes(tmp_path / "boxes.json")
    report = anonymize_paths([tmp_path / "in"], tmp_path / "out", Black(), masks=boxes)
    assert "boxes.json has no boxes for cell.png; give [] if there" in reasons(report)["cell.png"]
    expected = data.astronaut().copy()
    expected[20:200, 150:300] = 0
    assert np.array_equal(np.array(Image.open(tmp_path / "out" / "astronaut.png")), expected)
    assert not (tmp_path / "out" / "cell.png").exists()


def test_masks_hide_what_is_white(tmp_path: Path) -> None:
    mask = torch.zeros(1, 512, 512, dtype=torch.uint8)
    mask[:, :, :256] = 255
    (tmp_path / "masks").mkdir()
    write_picture(tmp_path / "masks" / "astronaut.png", mask)
    report = anonymize_paths([ASTRONAUT], tmp_path / "out", Blur(), masks=MaskFolder(tmp_path / "masks"))
    assert report.ok
    before, after = read_picture(ASTRONAUT), read_picture(tmp_path / "out" / "astronaut.png")
    assert torch.equal(after[..., 256:], before[..., 256:])
    assert (after[..., :256].float() - before[..., :256].float()).abs().mean() > 5


def test_a_picture_that_the_network_saw_reduced_is_reported(tmp_path: Path) -> None:
    method = NetworkAnonymizer(nn.AvgPool2d(3, 1, 1), "mean", max_pixels=100_000)
    report = anonymize_paths([ASTRONAUT, PHOTOGRAPHS / "coins.png"], tmp_path / "out", method)
    remarks = {done.source.name: done.remark for done in report.done}
    assert remarks["astronaut.png"] == "the network saw it reduced from 512x512 to 316x316 pixels"
    small = NetworkAnonymizer(nn.AvgPool2d(3, 1, 1), "mean")
    assert anonymize_paths([ASTRONAUT], tmp_path / "out2", small).done[0].remark is None


def test_copies_are_the_same_for_any_number_of_workers(album: Path, tmp_path: Path) -> None:
    method = NetworkAnonymizer(build_anonymizer("small", seed=3), "network")
    alone = anonymize_paths([album], tmp_path / "one", method)
    told: list[tuple[int, int, str]] = []
    together = anonymize_paths(
        [album], tmp_path / "three", method, workers=3, progress=lambda *state: told.append(state)
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "three") != {}
    assert [done.source for done in alone.done] == [done.source for done in together.done]
    assert reasons(alone) == reasons(together)
    assert [index for index, _, _ in told] == list(range(len(told)))
    with pytest.raises(ValueError, match="`workers` must be positive, got 0"):
        anonymize_paths([album], tmp_path / "none", method, workers=0)


def test_pictures_at_once_are_bounded_by_their_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [(60, 60), (60, 60), (60, 60), (300, 300), (60, 60), (60, 60)]
    (tmp_path / "in").mkdir()
    for index, size in enumerate(sizes):
        Image.new("RGB", size).save(tmp_path / "in" / f"{index}.png")
    lock, inside, most = threading.Lock(), [0], [0]

    def change(picture: Tensor) -> Tensor:
        pixels = picture[0].numel()
        with lock:
            inside[0] += pixels
            most[0] = max(most[0], inside[0])
            assert inside[0] <= 8000 or inside[0] == pixels
        time.sleep(0.02)
        with lock:
            inside[0] -= pixels
        return picture

    monkeypatch.setattr("privacy_mllm.anonymize.PIXELS_AT_ONCE", 8000)
    report = anonymize_paths([tmp_path / "in"], tmp_path / "out", Negative(change), workers=4)
    assert report.ok, report.failed
    assert most[0] == 300 * 300


def test_an_interruption_of_several_workers_leaves_no_part(album: Path, tmp_path: Path) -> None:
    def interrupted(picture: Tensor) -> Tensor:
        if picture.shape[1] > picture.shape[2]:
            raise KeyboardInterrupt
        return picture

    with pytest.raises(KeyboardInterrupt):
        anonymize_paths([album], tmp_path / "out", Negative(interrupted), workers=2)
    assert not [name for name in contents(tmp_path / "out") if name.endswith(".part")]


def test_progress_names_every_file(album: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    anonymize_paths([album], tmp_path / "out", Negative(), progress=lambda *state: told.append(state))
    assert [state[0] for state in told] == list(range(8))
    assert {state[1] for state in told} == {7}
    assert told[0][2] == "cut.jpg"
    assert told[-1][2] == ""


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "trip").write_text("in the way")
    (tmp_path / "in" / "trip").mkdir(parents=True)
    shutil.copy(ASTRONAUT, tmp_path / "in" / "trip")
    report = anonymize_paths([tmp_path / "in"], tmp_path / "out", Negative())
    assert "out/trip" in reasons(report)["astronaut.png"]


def test_without_av_pictures_are_done_and_videos_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "v.mp4").write_bytes(b"\0\0\0\x18ftypisom\0\0\0\0")
    report = anonymize_paths([tmp_path / "v.mp4", ASTRONAUT], tmp_path / "out", Negative())
    assert 'pip install "zoopt-mo[video]"' in reasons(report)["v.mp4"]
    assert len(report.done) == 1


def test_the_plan_writes_nothing(album: Path, tmp_path: Path) -> None:
    jobs, failed = plan([album], tmp_path / "out")
    assert [job.name for job in jobs][:2] == ["cut.jpg", "empty.png"]
    assert not failed
    assert not (tmp_path / "out").exists()
