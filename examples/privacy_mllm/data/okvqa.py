"""OK-VQA: questions about COCO images that need outside knowledge, ten answers each; and private attributes of images.

``ROOT/OpenEnded_mscoco_<train or val>2014_questions.json`` and ``ROOT/mscoco_<...>2014_annotations.json``; the images
are ``ROOT/<...>2014/COCO_<...>2014_<twelve digits>.jpg``. The published private attributes of validation images are one
more file, ``annotations.json``.

Reference:
    Marino et al., *OK-VQA: A Visual Question Answering Benchmark Requiring External Knowledge*, CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from privacy_mllm.data._files import file_name, list_of, number_of, read_json, text_of
from privacy_mllm.data.attributes import VISPR_ATTRIBUTES
from privacy_mllm.media import TableError

PARTS = ("train", "val")
PRIVACY_FILE = "annotations.json"


@dataclass(frozen=True)
class VqaQuestion:
    """One question.

    Args:
        number: Its identifier.
        image: File name of its image.
        question: The question.
        answers: One answer a person, repetitions kept.
        category: Name of its category.
        where: File and entry.
    """

    number: int
    image: str
    question: str
    answers: tuple[str, ...]
    category: str
    where: str


@dataclass(frozen=True)
class ImageAttributes:
    """The private attributes that a person saw in an image.

    Args:
        image: Its file name.
        labels: Labels of VISPR; empty where nothing was seen.
        where: File and entry.
    """

    image: str
    labels: frozenset[str]
    where: str


def read_okvqa(root: Path, part: str, *, categories: Collection[str] = ()) -> tuple[VqaQuestion, ...]:
    """The questions of a part, in the order of the file; opens no image.

    Args:
        root: The folder.
        part: "train" or "val".
        categories: Names of the categories that are kept, in any letter case; empty keeps all. The keys of the
            published file ("four") are no names.

    Raises:
        TableError: If a file is missing or says something wrong, or question and answers do not fit together.
        ValueError: If `part` or a category is unknown.
    """
    if part not in PARTS:
        raise ValueError(f"`part` must be one of {', '.join(PARTS)}, got {part!r}.")
    annotated = _read_annotations(root / f"mscoco_{part}2014_annotations.json", categories)
    path = root / f"OpenEnded_mscoco_{part}2014_questions.json"
    questions: dict[int, VqaQuestion] = {}
    for index, entry in enumerate(list_of(read_json(path), "questions", str(path))):
        where = f"{path}: question {index}"
        number = number_of(entry, "question_id", where)
        if number in questions:
            raise TableError(f"{where}: {number} is the number of {questions[number].where} too.")
        if number not in annotated:
            raise TableError(f"{where}: {number} has no answers in mscoco_{part}2014_annotations.json.")
        answer = annotated.pop(number)
        image = number_of(entry, "image_id", where)
        if image != answer.image:
            raise TableError(f"{where} is about image {image}, its answers ({answer.where}) about {answer.image}.")
        text = text_of(entry, "question", where)
        questions[number] = VqaQuestion(number, image_name(image, part), text, answer.answers, answer.category, where)
    if annotated:
        raise TableError(f"{next(iter(annotated.values())).where} belongs to no question of {path}.")
    wanted = {name.lower() for name in categories}
    return tuple(one for one in questions.values() if not wanted or one.category.lower() in wanted)


def image_name(number: int, part: str) -> str:
    """File name of a COCO image.

    Example:
        >>> image_name(836, "val")
        'COCO_val2014_000000000836.jpg'
    """
    return f"COCO_{part}2014_{number:012d}.jpg"


def read_image_attributes(path: Path) -> tuple[ImageAttributes, ...]:
    """The private attributes of images, each image once: what several people saw is joined.

    Args:
        path: The published list, an export of Label Studio. An entry has one label as ``choice``, several as
            ``{"choices": [...]}``, or no ``choice``, where nothing was seen.

    Raises:
        TableError: If it is missing or says something wrong; with file and entry.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise TableError(f"{path} must be a list of images.")
    found: dict[str, ImageAttributes] = {}
    for index, entry in enumerate(content):
        where = f"{path}: entry {index}"
        image = file_name(text_of(entry, "image", where), where)
        labels = _labels(entry, where)
        if image in found:
            labels, where = labels | found[image].labels, found[image].where
        found[image] = ImageAttributes(image, labels, where)
    return tuple(found.values())


@dataclass(frozen=True)
class _Annotation:
    image: int
    answers: tuple[str, ...]
    category: str
    where: str


def _read_annotations(path: Path, categories: Collection[str]) -> dict[int, _Annotation]:
    content = read_json(path)
    listed = list_of(content, "annotations", str(path))
    names = _category_names(content, path)
    known = {name.lower() for name in names.values()}
    for category in categories:
        if category.lower() not in known:
            raise ValueError(f"`categories` must be of {', '.join(sorted(names.values()))}, got {category!r}.")
    found: dict[int, _Annotation] = {}
    for index, entry in enumerate(listed):
        where = f"{path}: annotation {index}"
        number, kind = number_of(entry, "question_id", where), text_of(entry, "question_type", where)
        if kind not in names:
            raise TableError(f"{where} has the category {kind!a:.80}, which `question_types` does not name.")
        if number in found:
            raise TableError(f"{where}: {number} is the number of {found[number].where} too.")
        answers = tuple(text_of(one, "answer", f"{where}: answer") for one in list_of(entry, "answers", where))
        if not answers:
            raise TableError(f"{where} has no answer.")
        found[number] = _Annotation(number_of(entry, "image_id", where), answers, names[kind], where)
    return found


def _category_names(content: Mapping[str, object], path: Path) -> dict[str, str]:
    names = content.get("question_types")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise TableError(f"{path} must have an object `question_types` from a category's key to its name.")
    return names


def _labels(entry: Mapping[str, object], where: str) -> frozenset[str]:
    choice = entry.get("choice", [])
    if isinstance(choice, dict):
        choice = choice.get("choices")
    labels = [choice] if isinstance(choice, str) else choice
    if not isinstance(labels, list) or not all(label in VISPR_ATTRIBUTES for label in labels):
        raise TableError(f"{where}: `choice` must be labels of VISPR, such as 'a4_gender', got {choice!a:.80}.")
    return frozenset(labels)
