"""Neither a key nor a picture that hides nothing is left in anything that a paid run writes or sends."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from privacy_mllm import session
from privacy_mllm.config import TrainConfig
from privacy_mllm.data import sources
from privacy_mllm.data.world import render_clips
from privacy_mllm.oracles.settings import OracleConfig
from tests.app.fault_server import KEY, MODEL, running_service

MARK = b"PLANTEDPICTURE!!"  # 16 bytes, a row of pixels
TINY = TrainConfig(clips=8, pool=4, batch=2, privacy_batch=2, calls_per_sample=4.0, utility_loss="rank")


@pytest.mark.slow
def test_a_run_against_a_service_leaks_neither_its_key_nor_a_raw_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    clips = render_clips("train", TINY.clips)
    row = torch.tensor(list(MARK), dtype=torch.uint8)
    clips.frames[..., :, : len(MARK)] = row  # every row of every frame begins with it
    monkeypatch.setattr(sources, "render_clips", lambda _split, count: clips.head(count))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said: list[str] = []
    watch = session.Watch(say=said.append)
    bodies = tmp_path / "bodies"
    bodies.mkdir()
    with running_service(
        tmp_path / "log.jsonl", "--model", MODEL, "--fail-rate", "0.2", "--hang", "2", "--keep", str(bodies)
    ) as service:
        oracle = OracleConfig(oracle=f"openai:{MODEL}", base_url=service.url, timeout=1.0)
        _, stopped_by = session.train_run(TINY, tmp_path / "runs", "paid", watch, oracle)
    assert stopped_by is None
    said += capfd.readouterr()
    files = [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
    assert {"queries.sqlite", "state.ckpt", "config.json", "metrics.jsonl"} <= {file.name for file in files}
    for file in files:
        content = file.read_bytes()
        assert KEY.encode() not in content, file
        assert MARK not in content, file
    assert KEY not in "".join(said)
    sent = [body for file in bodies.iterdir() for body in [file.read_bytes()] if b"data:image/png" in body]
    assert len(sent) >= TINY.pool * TINY.calls_per_sample
    assert not any(_shows_mark(body) for body in sent)


def _shows_mark(body: bytes) -> bool:
    """Whether one of the request's pictures still has the raw rows."""
    parts = body.split(b"data:image/png;base64,")[1:]
    pictures = [Image.open(io.BytesIO(base64.b64decode(part.split(b'"')[0]))) for part in parts]
    return any(MARK in np.asarray(picture)[..., 0].tobytes() for picture in pictures)
