"""Loading a model of the Hugging Face hub or of a folder, with errors that say what to do."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

import torch

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf")

_SAMPLE = 1 << 20


class ModelLoadError(RuntimeError):
    """A model that cannot be loaded; the message says what to do."""


def load(model: str | Path, revision: str | None, device: str, dtype: torch.dtype | str) -> tuple[Any, Any, str]:
    """A model for pictures and text, its processor, and a name for both that holds no path.

    Args:
        model: Folder, or hub id such as ``llava-hf/llava-1.5-7b-hf``.
        revision: Branch, tag or commit of the hub; None takes the default.
        device: Where it runs; "auto" spreads it over all GPUs.
        dtype: Type of its numbers; "auto" is that of the file.

    Returns:
        Model in evaluation mode, processor, name.

    Raises:
        ImportError: If transformers is missing, or a package that this model needs beside it.
        FileNotFoundError: If `model` is a path and there is no such folder.
        ModelLoadError: If the hub cannot be reached or has no such model, or the folder holds none.
    """
    transformers = _transformers()
    source, where = locate(model), {"revision": revision or "main"}
    spread = {"device_map": "auto"} if device == "auto" else {}
    try:
        processor = transformers.AutoProcessor.from_pretrained(source, **where)
        network = transformers.AutoModelForImageTextToText.from_pretrained(source, dtype=dtype, **where, **spread)
    except Exception as error:
        raise _explained(error, source) from error
    if device != "auto":
        network = network.to(device)
    return network.eval(), processor, _name(source, revision, network)


def locate(model: str | Path) -> str:
    """The folder, or the hub id as it is.

    Raises:
        FileNotFoundError: If `model` is a path and there is no such folder.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return str(folder)
    text = str(model)
    if isinstance(model, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FileNotFoundError(f"`model` must be a folder or a hub id such as 'owner/name', got {text!r}: no folder.")
    return text


def fingerprint(folder: Path) -> str:
    """A short hash of a model's files: contents of the small ones; of weights, name, size, first and last MiB."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            if path.suffix in WEIGHTS and path.stat().st_size > 2 * _SAMPLE:
                digest.update(file.read(_SAMPLE))
                file.seek(-_SAMPLE, 2)
            digest.update(file.read())
    return digest.hexdigest()[:12]


def _transformers() -> Any:  # noqa: ANN401
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise ImportError('`HuggingFaceOracle` needs transformers: pip install "zoopt-mo[hf]"') from error


def _name(source: str, revision: str | None, network: Any) -> str:  # noqa: ANN401
    folder = Path(source)
    if folder.is_dir():
        return f"{folder.resolve().name}@{fingerprint(folder)}"
    return f"{source}@{getattr(network.config, '_commit_hash', None) or revision or 'main'}"


def _explained(error: Exception, source: str) -> Exception:
    words = f"{type(error).__name__}: {error}"
    if "torchvision" in words.lower() or "VIDEO_PROCESSOR_MAPPING" in words or _broken_torchvision():
        return ImportError(
            f"{source!r} needs torchvision in the build that matches torch {torch.__version__}, from the index that "
            f"torch came from: {_torchvision_command()}"
        )
    if isinstance(error, ImportError):
        return error
    if isinstance(error, OSError) and not Path(source).is_dir():
        return ModelLoadError(
            f"{source!r} could not be loaded from the Hugging Face hub. Without a network, or for a model behind a "
            f"licence, fetch it first (`hf download {source}`) and give its folder. The hub said: {_first_line(error)}"
        )
    return ModelLoadError(f"{source!r} holds no model for pictures and text that transformers can load: {words}")


def _broken_torchvision() -> bool:
    """Whether a torchvision is installed that belongs to another torch; transformers then fails in odd places."""
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return False
    except Exception:  # a RuntimeError: "operator torchvision::nms does not exist"
        return True
    return False


def _torchvision_command() -> str:
    build = torch.__version__.partition("+")[2]
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return f"pip install torchvision{index} torch=={torch.__version__}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
