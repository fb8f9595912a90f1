"""Files of published data sets that say something wrong: named with their line, whatever they hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from privacy_mllm.data.hmdb51 import read_hmdb51
from privacy_mllm.data.okvqa import read_image_attributes, read_okvqa
from privacy_mllm.data.pa_hmdb51 import SCHEMES, read_pa_hmdb51
from privacy_mllm.data.ucf101 import read_ucf101
from privacy_mllm.data.vispr import read_vispr
from privacy_mllm.media import TableError
from tests.app import data_fixtures as disk

HMDB_LIST = "testTrainMulti_7030_splits/climb_test_split1.txt"
UCF_INDEX, UCF_TRAIN = "ucfTrainTestlist/classInd.txt", "ucfTrainTestlist/trainlist01.txt"
VISPR_FILE = "annotations/train2017/2017_00000001.json"
QUESTIONS, ANSWERS = "OpenEnded_mscoco_val2014_questions.json", "mscoco_val2014_annotations.json"
PRIVACY, PA_FILE = "annotations.json", "PrivacyAttributes/climb.json"


def read_all(root: Path) -> None:
    """Every parser, each on the files that it finds in the folder."""
    read_hmdb51(root)
    read_ucf101(root)
    read_vispr(root, "train")
    for video in read_pa_hmdb51(root):
        for scheme in SCHEMES:
            video.targets(scheme)
    read_okvqa(root, "val")
    read_image_attributes(root / PRIVACY)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All data sets in one folder, without pixels where they are not needed."""
    folder = tmp_path_factory.mktemp("data")
    disk.make_hmdb51(folder)
    disk.make_ucf101(folder, "")
    disk.make_vispr(folder)
    disk.make_pa_hmdb51(folder)
    disk.make_okvqa(folder)
    read_all(folder)
    return folder


class Replaced:
    """A file with another content, until the block ends."""

    def __init__(self, path: Path, content: bytes | None) -> None:
        self.path, self.content, self.before = path, content, path.read_bytes()

    def __enter__(self) -> None:
        if self.content is None:
            self.path.unlink()
        else:
            self.path.write_bytes(self.content)

    def __exit__(self, *_: object) -> None:
        self.path.write_bytes(self.before)


def question(**changes: Any) -> str:
    return json.dumps({"questions": [{"image_id": 7, "question": "Why?", "question_id": 75} | changes]})


def pa(**changes: Any) -> str:
    return json.dumps({"x.avi": disk.PA_CLIMBER | changes})


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (HMDB_LIST, "a.avi 1 \n\nb.avi 3 \n", r"climb_test_split1\.txt:3 must be '<video>\.avi <0, 1 or 2>', got 'b\."),
        (HMDB_LIST, "a.avi\n", r"split1\.txt:1 must be '<video>"),
        (HMDB_LIST, "a.mp4 1\n", r"split1\.txt:1 must be '<video>"),
        (HMDB_LIST, "../a.avi 1\n", r"split1\.txt:1 must name a file, without folders, got '\.\./a'"),
        (HMDB_LIST, "a.avi 1\na.avi 2\n", r"split1\.txt:2: a is listed already in .*split1\.txt:1"),
        (UCF_INDEX, "0 ApplyEyeMakeup\n", r"classInd\.txt:1 must be '1 <Action>', got '0 Apply"),
        (UCF_INDEX, "1 A\n2 A\n", r"classInd\.txt:2: A has number 1 already"),
        (UCF_INDEX, "\n", r"classInd\.txt lists no action"),
        (UCF_TRAIN, "Archery/v.avi 3\n", r"trainlist01\.txt:1 must begin with '<Action>/' of classInd\.txt"),
        (
            UCF_TRAIN,
            "ApplyEyeMakeup/v.avi 2\n",
            r"list01\.txt:1: ApplyEyeMakeup has number 1 in classInd\.txt, got '2'",
        ),
        (UCF_TRAIN, "ApplyEyeMakeup/v.avi 1 1\n", r"trainlist01\.txt:1 must be '<Action>/<video>\.avi'"),
        (UCF_TRAIN, f"ApplyEyeMakeup/{disk.UCF_VIDEOS[1]}.avi\n", r"testlist01\.txt:1: v_.* is listed already in .*:1"),
        ("train2017.txt", "/etc/passwd\n", r"train2017\.txt:1 must hold a path inside the data set"),
        ("train2017.txt", "annotations/none.json\n", r"none\.json is missing"),
        (VISPR_FILE, '{"image_path": "x.jpg", "labels": ["a4"]}', r"1\.json: 'a4' is no label of VISPR"),
        (VISPR_FILE, '{"image_path": "x.jpg", "labels": [[]]}', r"1\.json: \[\] is no label of VISPR"),
        (VISPR_FILE, '{"image_path": "x.jpg", "labels": [], "safe": false}', r"has no label but says .* not safe"),
        (VISPR_FILE, '{"labels": []}', r"1\.json must be an object with a text `image_path`"),
        (VISPR_FILE, '{"image_path": "../x.jpg", "labels": []}', r"1\.json must hold a path inside"),
        (VISPR_FILE, '{\n"labels": [,]}', r"1\.json:2 is not JSON: Expecting value at column 12"),
        (
            PA_FILE,
            pa(face=[[0, 3]]),
            r"climb\.json: 'x\.avi': face must be \[first frame, last frame, 0 to 2 or a list",
        ),
        (PA_FILE, pa(face=[[0, 3, 3]]), r"face must be .* got \[0, 3, 3\]"),
        (PA_FILE, pa(face=[[4, 3, 1]]), r"face must be .* got \[4, 3, 1\]"),
        (PA_FILE, pa(face=[[0, 10**12, 1]]), r"face must be .* got \[0, 1000000000000, 1\]"),
        (PA_FILE, pa(face=[[0, 3, []]]), r"face must be .* got \[0, 3, \[\]\]"),
        (PA_FILE, pa(face=[[0, True, 1]]), r"face must be .* got \[0, True, 1\]"),
        (PA_FILE, pa(gender=None), r"must have a list of segments `gender`, got None"),
        (PA_FILE, '{"x": {}}', r"'x' must be '<video>\.avi' with an object"),
        (PA_FILE, '{"x.avi": {}, "x.avi": {}}', r"the key 'x\.avi' occurs twice in one object"),
        (QUESTIONS, question(question_id=1), r"question 0: 1 has no answers in mscoco_val2014_annotations\.json"),
        (QUESTIONS, question(image_id=9), r"question 0 is about image 9, its answers \(.* annotation 1\) about 7"),
        (QUESTIONS, question(question=5), r"question 0 must be an object with a text `question`"),
        (QUESTIONS, question(), r"annotation 0 belongs to no question of .*questions\.json"),
        (ANSWERS, '{"annotations": []}', r"annotations\.json must have an object `question_types`"),
        (PRIVACY, '[{"image": "x.jpg", "choice": "face"}]', r"annotations\.json: entry 0: `choice` must be labels"),
        (PRIVACY, '[{"image": "a/x.jpg"}]', r"entry 0 must name a file, without folders"),
        (PRIVACY, "{}", r"annotations\.json must be a list of images"),
        (PRIVACY, "[" * 100_000, r"annotations\.json is not JSON that can be read"),
    ],
)
def test_a_slip_is_named_with_its_place(root: Path, file: str, content: str, message: str) -> None:
    with Replaced(root / file, content.encode()), pytest.raises(TableError, match=message):
        read_all(root)


@pytest.mark.parametrize("file", [HMDB_LIST, UCF_INDEX, UCF_TRAIN, "train2017.txt", VISPR_FILE, QUESTIONS, PRIVACY])
def test_a_file_that_is_no_text_is_named(root: Path, file: str) -> None:
    message = rf"{Path(file).name} is not UTF-8 text"
    with Replaced(root / file, b"\xff\xfe\x00"), pytest.raises(TableError, match=message):
        read_all(root)


@pytest.mark.parametrize("file", [UCF_INDEX, UCF_TRAIN, "train2017.txt", VISPR_FILE, QUESTIONS, ANSWERS, PRIVACY])
def test_a_file_that_is_missing_is_named(root: Path, file: str) -> None:
    with Replaced(root / file, None), pytest.raises(TableError, match=rf"{Path(file).name} is missing"):
        read_all(root)


def test_a_list_of_an_action_that_is_none_is_named(tmp_path: Path) -> None:
    disk.write(tmp_path / "testTrainMulti_7030_splits" / "climbing_test_split1.txt", "")
    with pytest.raises(TableError, match=r"climbing_test_split1\.txt is named after 'climbing', which is no action"):
        read_hmdb51(tmp_path)


@pytest.mark.parametrize("read", [read_hmdb51, read_pa_hmdb51])
def test_an_empty_folder_says_what_belongs_there(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(TableError, match=r"has no (lists )?<action>"):
        read(tmp_path)


def test_splits_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    for read in (read_hmdb51, read_ucf101):
        with pytest.raises(ValueError, match=r"`split` must be 1, 2 or 3, got 4\."):
            read(tmp_path, split=4)
    with pytest.raises(ValueError, match=r"`split` must be one of train, val, test, got 'validation'"):
        read_vispr(tmp_path, "validation")


LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(["a.avi 1 ", "1 ApplyEyeMakeup", "ApplyEyeMakeup/v.avi", "annotations/x.json", "\x00.avi 1"]),
    ),
    max_size=5,
).map("\n".join)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["a4_gender", "x.avi"])
)
KEYS = st.sampled_from(
    [
        *("x.avi", "image_path", "labels", "safe", "skin_color", "relationship", "face", "nudity", "gender", "image"),
        *("choice", "choices", "questions", "question", "question_id", "image_id", "question_types", "annotations"),
        *("question_type", "answers", "answer"),
    ]
)
JSON = st.recursive(VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6))
CONTENTS = st.one_of(LINES.map(lambda text: text.encode(errors="surrogatepass")), st.binary(max_size=40))


@pytest.mark.parametrize(
    "file", [HMDB_LIST, UCF_INDEX, UCF_TRAIN, "train2017.txt", VISPR_FILE, PA_FILE, QUESTIONS, ANSWERS, PRIVACY]
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=CONTENTS | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_a_file_holds_it_is_read_or_refused_by_name(root: Path, file: str, content: bytes) -> None:
    with Replaced(root / file, content):
        try:
            read_all(root)
        except TableError as error:
            assert str(root) in str(error)  # noqa: PT017 - most contents are refused, some are not


@pytest.mark.parametrize("file", [VISPR_FILE, PA_FILE, QUESTIONS, ANSWERS, PRIVACY])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_right_file_with_one_wrong_value_is_read_or_refused_by_name(
    root: Path, file: str, data: st.DataObject
) -> None:
    content = json.loads((root / file).read_text())
    node: Any = content
    while True:  # down to a random place
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(node[key], (dict, list)) or not node[key] or data.draw(st.integers(0, 4)) == 0:
            break
        node = node[key]
    node[key] = data.draw(VALUES | st.lists(VALUES, max_size=3))
    with Replaced(root / file, json.dumps(content).encode()):
        try:
            read_all(root)
        except TableError as error:
            assert str(root) in str(error)  # noqa: PT017 - most values are refused, some are as good


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["skin_color", "relationship", "face", "nudity", "gender"]),
        st.lists(st.tuples(st.integers(-1, 50), st.integers(-1, 50), st.integers(-1, 4) | st.lists(st.integers(0, 3)))),
    )
)
def test_labelled_frames_have_one_target_a_column_whatever_the_segments(root: Path, annotation: dict[str, Any]) -> None:
    with Replaced(root / PA_FILE, pa(**annotation).encode()):
        try:
            (video,) = read_pa_hmdb51(root)
        except TableError as error:
            assert "climb.json: 'x.avi'" in str(error)  # noqa: PT017 - segments out of order are refused
            return
        for scheme, columns in SCHEMES.items():
            targets = video.targets(scheme)
            assert all(0 <= frame < video.num_frames for frame in targets)
            assert all(len(row) == len(columns) and set(row) <= {0, 1} for row in targets.values())
