"""Pictures: every kind that people have, and every kind of broken file."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin
from skimage import data
from torch import Tensor

from privacy_mllm.media import MediaError
from privacy_mllm.media.kinds import kind_of, kind_of_name
from privacy_mllm.media.pictures import read_mask, read_picture, write_picture

CHELSEA = data.chelsea()  # 300 x 451, so that no turn goes unseen.


def to_array(picture: Tensor) -> np.ndarray:
    return picture.permute(1, 2, 0).numpy()


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_photograph_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(CHELSEA).save(tmp_path / "cat.png")
    picture = read_picture(tmp_path / "cat.png")
    assert picture.dtype == torch.uint8
    assert picture.is_contiguous()
    assert np.array_equal(to_array(picture), CHELSEA)


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, CHELSEA),
        (2, CHELSEA[:, ::-1]),
        (3, CHELSEA[::-1, ::-1]),
        (4, CHELSEA[::-1]),
        (5, CHELSEA.transpose(1, 0, 2)),
        (6, np.rot90(CHELSEA, 1)),
        (7, np.rot90(CHELSEA, 2).transpose(1, 0, 2)),
        (8, np.rot90(CHELSEA, -1)),
        (9, CHELSEA),
    ],
)
def test_exif_turns_the_picture_upright(tmp_path: Path, orientation: int, stored: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "cat.jpg", exif=exif, quality=95)
    difference = to_array(read_picture(tmp_path / "cat.jpg")).astype(int) - CHELSEA
    assert np.abs(difference).mean() < 4


def test_exif_that_cannot_be_parsed_turns_nothing(tmp_path: Path) -> None:
    Image.fromarray(CHELSEA).save(tmp_path / "cat.jpg", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert read_picture(tmp_path / "cat.jpg").shape == (3, 300, 451)


def test_cmyk_grey_palette_and_bilevel_become_rgb(tmp_path: Path) -> None:
    rgb = Image.fromarray(CHELSEA)
    for name, mode in (("c.jpg", "CMYK"), ("g.png", "L"), ("p.png", "P"), ("b.png", "1"), ("c.tif", "CMYK")):
        image = rgb.convert(mode)
        image.save(tmp_path / name)
        expected = np.array(image.convert("RGB")).astype(int)
        picture = to_array(read_picture(tmp_path / name))
        assert picture.shape == CHELSEA.shape
        assert np.abs(picture - expected).mean() < 3


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(values).save(tmp_path / "deep.png")
    Image.fromarray(values).save(tmp_path / "deep.tif")
    expected = np.rint(values / 257).astype(np.uint8)
    for name in ("deep.png", "deep.tif"):
        picture = read_picture(tmp_path / name)
        assert np.array_equal(picture.numpy(), np.broadcast_to(expected, (3, 256, 256)))


def test_float_pictures_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), dtype=np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(MediaError, match=r"f\.tif has 32-bit pixels of unknown range; save it with 8 or 16 bits"):
        read_picture(tmp_path / "f.tif")


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0, :, 3] = (0, 51, 255)  # Black behind nothing, a fifth, everything.
    Image.fromarray(rgba).save(tmp_path / "a.png")
    Image.fromarray(rgba[..., [0, 3]]).save(tmp_path / "la.png")
    Image.fromarray(rgba).save(tmp_path / "a.webp", lossless=True)
    for name in ("a.png", "la.png", "a.webp"):
        assert read_picture(tmp_path / name)[:, 0].tolist() == [[255, 204, 0]] * 3
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=0)
    assert read_picture(tmp_path / "p.png")[:, 0].tolist() == [[255, 10], [255, 20], [255, 30]]


def test_an_embedded_profile_is_applied_and_a_broken_one_ignored(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(CHELSEA)
    image.save(tmp_path / "same.png", icc_profile=lab)
    image.save(tmp_path / "broken.png", icc_profile=b"no profile at all")
    assert np.abs(to_array(read_picture(tmp_path / "same.png")).astype(int) - CHELSEA).max() <= 1
    assert np.array_equal(to_array(read_picture(tmp_path / "broken.png")), CHELSEA)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    Image.fromarray(CHELSEA).save(tmp_path / "cat.jpg", format="PNG")
    assert np.array_equal(to_array(read_picture(tmp_path / "cat.jpg")), CHELSEA)


def test_the_second_picture_of_a_phone_is_no_animation(tmp_path: Path) -> None:
    image = Image.fromarray(CHELSEA)
    image.save(tmp_path / "phone.jpg", format="MPO", save_all=True, append_images=[image.resize((45, 30))])
    assert read_picture(tmp_path / "phone.jpg").shape == (3, 300, 451)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_animations_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving{suffix}"
    frames = [Image.fromarray(np.roll(CHELSEA, 40 * step, axis=1)) for step in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(MediaError, match=rf"moving\{suffix} has 3 frames, and only its first would be read"):
        read_picture(path)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(12_001, 10_000))
    message = r"bomb\.png claims 12001x10000 pixels .* decompression bomb: the limit is 120000000 pixels"
    with pytest.raises(MediaError, match=message):
        read_picture(path)
    path.write_bytes(png_header(60_000, 60_000))  # Beyond what Pillow itself opens.
    with pytest.raises(MediaError, match=r"bomb\.png is refused as a decompression bomb: .*limit of \d+ pixels"):
        read_picture(path)


def test_the_limit_can_be_lowered(tmp_path: Path) -> None:
    Image.fromarray(CHELSEA).save(tmp_path / "cat.png")
    with pytest.raises(MediaError, match=r"cat\.png claims 451x300 pixels .* the limit is 135299 pixels"):
        read_picture(tmp_path / "cat.png", max_pixels=300 * 451 - 1)
    assert read_picture(tmp_path / "cat.png", max_pixels=300 * 451).shape == (3, 300, 451)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".gif", ".bmp"])
def test_cut_off_pictures_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cat{suffix}"
    Image.fromarray(CHELSEA).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=rf"cat\{suffix} cannot be decoded as a picture, it is broken or cut off"):
        read_picture(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"x\.jpg is empty"),
        (b"Dear diary", r"x\.jpg is not a picture of a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"x\.jpg is not a picture of a known format"),
        (b"\xff\xd8\xff\xe0 and then nothing", r"x\.jpg .*(known format|broken or cut off)"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(MediaError, match=message):
        read_picture(tmp_path / "x.jpg")


def test_a_missing_picture_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No such file"):
        read_picture(tmp_path / "x.jpg")


@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"]),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_pictures_are_read_or_refused_but_never_crash(
    tmp_path_factory: pytest.TempPathFactory, picture_format: str, damage: list[tuple[int, int]]
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(CHELSEA[:24, :24]).save(buffer, picture_format)
    content = bytearray(buffer.getvalue())
    for place, value in damage:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        read = str(read_picture(path, max_pixels=1_000_000).dtype)
    except MediaError as error:
        read = str(error)
    assert read == "torch.uint8" or read.startswith(str(path))


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([".png", ".bmp", ".tif", ".PNG", ".tiff"]))
def test_exact_formats_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, suffix: str
) -> None:
    generator = torch.Generator().manual_seed(height * 21 + width)
    picture = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)
    path = tmp_path_factory.getbasetemp() / f"exact{suffix}"
    write_picture(path, picture)
    assert torch.equal(read_picture(path), picture)


@pytest.mark.parametrize(("suffix", "name"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".webp", "WEBP"), (".gif", "GIF")])
def test_formats_follow_the_suffix(tmp_path: Path, suffix: str, name: str) -> None:
    picture = torch.from_numpy(CHELSEA).permute(2, 0, 1)
    write_picture(tmp_path / f"cat{suffix}", picture)
    with Image.open(tmp_path / f"cat{suffix}") as image:
        assert image.format == name
        assert image.size == (451, 300)
        assert not image.getexif()
        assert not {"icc_profile", "exif", "xmp", "comment"} & set(image.info)
    difference = read_picture(tmp_path / f"cat{suffix}").float() - picture.float()
    assert difference.abs().mean() < 6


def test_nothing_but_pixels_survives(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET description"
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "SECRET text")
    image = Image.fromarray(CHELSEA)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(tmp_path / "in.jpg", exif=exif, comment=b"SECRET comment", icc_profile=profile, xmp=b"SECRET xmp")
    image.save(tmp_path / "in.png", exif=exif, pnginfo=notes, icc_profile=profile)
    image.save(tmp_path / "in.webp", exif=exif, xmp=b"SECRET xmp", icc_profile=profile)
    for suffix in ("jpg", "png", "webp"):
        assert b"SECRET" in (tmp_path / f"in.{suffix}").read_bytes()
        write_picture(tmp_path / f"out.{suffix}", read_picture(tmp_path / f"in.{suffix}"))
        content = (tmp_path / f"out.{suffix}").read_bytes()
        for trace in (b"SECRET", b"Exif", b"EXIF", b"ICC_PROFILE", b"ICCP", b"iCCP", b"eXIf", b"tEXt", b"XMP "):
            assert trace not in content


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"x\.xyz must end in one of \.png, \.jpg"):
        write_picture(tmp_path / "x.xyz", torch.zeros(3, 2, 2, dtype=torch.uint8))


def test_a_size_that_the_format_cannot_hold_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"x\.webp: WEBP cannot hold a picture of 20000x1"):
        write_picture(tmp_path / "x.webp", torch.zeros(3, 1, 20_000, dtype=torch.uint8))
    assert not list(tmp_path.iterdir())


def test_masks_are_grey(tmp_path: Path) -> None:
    mask = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    write_picture(tmp_path / "m.png", mask)
    assert torch.equal(read_mask(tmp_path / "m.png"), mask)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif", ".gif"])
def test_kinds_of_pictures(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cat{suffix}"
    Image.fromarray(CHELSEA).save(path)
    assert kind_of(path) == kind_of_name(path)
    assert kind_of(path.rename(tmp_path / "cat")).medium == "picture"


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.png", r"a\.png is empty"),
        (b"hello", "a.jpg", r"a\.jpg is neither a picture nor a video that can be read \(\.png"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a.heic", r"a\.heic is a HEIC picture, which is not supported; save it as J"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "a.jpg", r"a\.jpg is named like a picture but holds a video; rename it"),
        (b"GIF89a", "a.mp4", r"a\.mp4 is named like a video but holds a picture; rename it"),
    ],
)
def test_kinds_that_do_not_fit_are_refused(tmp_path: Path, content: bytes, name: str, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=message):
        kind_of(tmp_path / name)
