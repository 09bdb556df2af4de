"""Whatever happens to a file, its reader gives what it should, or one sentence and exit status 2.

Hypothesis damages one file of a chapter's synthetic set as copies, editors and full disks do: bytes flip,
rows get lost, columns change places, the end is missing, a folder bears the file's name. A longer hunt than
the suite's, with new cases each time:

    python -m pytest tests/test_fuzz.py --hypothesis-profile hunt
"""

import contextlib
import io
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_contract import CHAPTERS, ROOT

CELLS = [
    "",
    " ",
    "nan",
    "inf",
    "-1",
    "1e999",
    "0.5",
    "1_0",
    "9" * 30,
    "9" * 400,
    "true",
    '"',
    "\0",
    "é",
    "３",
    "🙂",
    "a b",
]
SEPARATORS = (b",", b"\t", b" +++$+++ ", b": ")
PICTURES = {".bmp", ".jpg", ".png"}
OTHERS = {".h5", ".mat"}


def aligned(*arrays):
    """All are as long, not empty and finite."""
    assert len({len(array) for array in arrays}) == 1
    assert len(arrays[0]) > 0
    assert all(np.isfinite(array).all() for array in arrays if isinstance(array, np.ndarray))


def labelled_pictures(pictures, labels):
    aligned(pictures, labels)
    assert pictures.dtype == np.uint8
    assert pictures.ndim == 4
    assert labels.dtype == np.int64
    assert labels.min() >= 0


def read_hw01(chapter, folder):
    windows, targets, months = chapter.dataset.load_train(folder)
    aligned(windows, targets, list(months))
    assert windows.shape[1:] == (18, 9)
    ids, windows = chapter.dataset.load_test(folder)
    aligned(ids, windows)
    assert windows.shape == (240, 18, 9)


def read_hw02(chapter, folder):
    x, y, columns = chapter.dataset.load_train(folder)
    aligned(x, y)
    assert x.shape[1] == len(columns)
    assert set(y) == {0, 1}
    ids, x = chapter.dataset.load_test(folder, columns)
    aligned(ids, x)
    assert len(set(ids)) == len(ids)


def read_hw03(chapter, folder):
    size = chapter.images.common_side(folder / "food-11" / "training")
    for part in ("training", "validation"):
        labelled_pictures(*chapter.dataset.load_labelled(folder / "food-11" / part, size))
    ids, pictures = chapter.dataset.load_test(folder / "food-11" / "testing", size)
    labelled_pictures(pictures, ids)
    assert (np.diff(ids) > 0).all()


def read_hw04(chapter, folder):
    sentences, labels = chapter.dataset.load_labelled(folder)
    aligned(sentences, labels)
    assert set(labels) == {0, 1}
    assert all(sentence.split() for sentence in [*sentences, *chapter.dataset.load_unlabelled(folder)])
    ids, sentences = chapter.dataset.load_test(folder)
    aligned(ids, sentences)
    assert len(set(ids)) == len(ids)


def read_hw05(chapter, folder):
    for part in ("training", "validation"):
        paths, labels = chapter.images.labelled_files(folder / "food-11" / part)
        labelled_pictures(chapter.images.read_squares(paths, 16), labels)


def read_hw06(chapter, folder):
    pictures, labels, categories, names = chapter.dataset.load_images(folder)
    labelled_pictures(pictures, labels)
    aligned(labels, names)
    assert labels.max() < len(categories)


def read_hw07(chapter, folder):
    size = chapter.images.common_side(folder / "food-11" / "training")
    for part in ("training", "validation", "testing"):
        labelled_pictures(*chapter.dataset.load_part(folder / "food-11" / part, size, part != "testing"))


def read_hw08(chapter, folder):
    english, chinese = chapter.dataset.load_vocabularies(folder)
    for name in ("training", "validation", "testing"):
        pairs = chapter.dataset.load_pairs(folder / f"{name}.txt")
        for vocabulary, side in ((english, "english"), (chinese, "chinese")):
            ids = vocabulary.encode([getattr(pair, side) for pair in pairs])
            assert ids.shape[0] == len(pairs) > 0
            assert ids.max() < len(vocabulary.words)


def read_hw09(chapter, folder):
    pictures, validation = (chapter.dataset.load_images(folder / f"{x}.npy") for x in ("trainX", "valX"))
    labelled_pictures(validation, chapter.dataset.load_labels(folder / "valY.npy", len(validation)))
    assert pictures.dtype == np.uint8


def read_hw10(chapter, folder):
    training, test = (chapter.dataset.load_images(folder / f"{x}.npy") for x in ("train", "test"))
    aligned(test, chapter.dataset.load_answers(folder / "answers.csv", len(test)))
    assert np.abs(chapter.dataset.as_floats(training)).max() <= 1 + 1e-3


def read_hw11(chapter, folder):
    faces, aside, _ = chapter.dataset.load_faces(folder, 16)
    assert faces.shape[1:] == aside.shape[1:] == (16, 16, 3)
    assert len(faces) > len(aside) > 0


def read_hw12(chapter, folder):
    folder = folder / "mnist_to_mnistm"
    source, labels = chapter.dataset.load_source(folder)
    labelled_pictures(source, labels)
    target = chapter.dataset.load_target(folder)
    answers = chapter.dataset.load_answers(folder / "answers.csv", len(target), labels.max() + 1)
    labelled_pictures(target, np.zeros(len(target), np.int64) if answers is None else answers)


def read_hw13(chapter, folder):
    for drawings in chapter.dataset.load_characters(folder).values():
        assert drawings.dtype == np.uint8
        assert drawings.shape == (len(drawings), 28, 28)


def read_hw14(chapter, folder):
    for reader in chapter.dataset.READERS.values():
        for pictures, labels in reader(folder):
            labelled_pictures(pictures.reshape(len(pictures), 1, 1, -1), labels)
            assert labels.max() <= 9


def read_hw15(chapter, folder):
    variables = [chapter.checkpoint.keras.Variable(np.ones((3, 2))) for _ in range(3)]
    checkpoint = chapter.checkpoint.Checkpoint(training_in(folder))
    checkpoint.restore(variables)
    assert all(np.isfinite(np.asarray(variable)).all() for variable in variables)
    assert len(checkpoint.history()) == (folder / "checkpoint.npz").is_file()


READERS = {
    "hw01_regression": read_hw01,
    "hw02_classification": read_hw02,
    "hw03_cnn": read_hw03,
    "hw04_rnn_selftrain": read_hw04,
    "hw05_explain": read_hw05,
    "hw06_adversarial": read_hw06,
    "hw07_compression": read_hw07,
    "hw08_seq2seq": read_hw08,
    "hw09_autoencoder": read_hw09,
    "hw10_anomaly": read_hw10,
    "hw11_gan": read_hw11,
    "hw12_dann": read_hw12,
    "hw13_meta": read_hw13,
    "hw14_lifelong": read_hw14,
    "hw15_rl": read_hw15,
}


def training_in(folder):
    """The flags of the training whose checkpoint is damaged."""
    return SimpleNamespace(out_dir=folder, world="LunarLander-v3", method="ppo", seed=0)


def small_set(name, chapter, synthetic, folder):
    """The chapter's synthetic set with few pictures a folder; for hw15, which has none, a checkpoint."""
    if name == "hw15_rl":
        folder.mkdir()
        checkpoint = chapter.checkpoint.Checkpoint(training_in(folder))
        checkpoint.add(1, {"loss": 0.1, "seconds": 1.5})
        checkpoint.save([chapter.checkpoint.keras.Variable(np.zeros((3, 2))) for _ in range(3)])
        return folder
    shutil.copytree(synthetic(name), folder, ignore=shutil.ignore_patterns("*.keras"))
    if name == "hw06_adversarial":  # a row of labels.csv each
        return folder
    few = 24 if name == "hw11_gan" else 8
    for index in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        pictures = sorted(path for path in index.iterdir() if path.suffix in PICTURES)
        for path in pictures[few:]:
            path.unlink()
    for path, rows in (
        (folder / "mnist_to_mnistm" / "answers.csv", 1 + few),
        (folder / "train.csv", 1 + 2 * 20 * 18),  # two months
    ):
        if path.is_file():
            path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:rows]))
    return folder


def flip_bytes(draw, content):
    content = bytearray(content)
    for index in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[index] = draw(st.integers(0, 255))
    return bytes(content)


def flip_a_byte_of_the_head(draw, content):
    index = draw(st.integers(0, min(len(content), 200) - 1))
    return content[:index] + bytes([draw(st.integers(0, 255))]) + content[index + 1 :]


def cut_the_end(draw, content):
    return content[: draw(st.integers(0, len(content) - 1))]


def cut_the_beginning(draw, content):
    return content[draw(st.integers(1, len(content))) :]


def empty(draw, content):
    return b""


def double(draw, content):
    return content + content


def drop_rows(draw, content):
    rows = content.splitlines(keepends=True)
    start = draw(st.integers(0, len(rows) - 1))
    return b"".join(rows[:start] + rows[start + draw(st.integers(1, 20)) :])


def repeat_a_row(draw, content):
    rows = content.splitlines(keepends=True)
    return b"".join([*rows, rows[draw(st.integers(0, len(rows) - 1))]])


def swap_columns(draw, content):
    separator = next((separator for separator in SEPARATORS if separator in content), b" ")
    rows = [row.split(separator) for row in content.splitlines()]
    first, second = draw(st.tuples(*[st.integers(0, min(map(len, rows)) - 1)] * 2))
    for row in rows if draw(st.booleans()) else [draw(st.sampled_from(rows))]:
        row[first], row[second] = row[second], row[first]
    return b"\n".join(separator.join(row) for row in rows)


def drop_a_column(draw, content):
    separator = next((separator for separator in SEPARATORS if separator in content), b" ")
    index = draw(st.integers(0, content.splitlines()[0].count(separator)))
    rows = [row.split(separator) for row in content.splitlines()]
    return b"\n".join(separator.join(row[:index] + row[index + 1 :]) for row in rows)


def replace_a_cell(draw, content):
    separator = next((separator for separator in SEPARATORS if separator in content), b" ")
    rows = [row.split(separator) for row in content.splitlines()]
    row = draw(st.sampled_from(rows))
    row[draw(st.just(0) | st.integers(0, len(row) - 1))] = draw(st.sampled_from(CELLS)).encode()
    return b"\n".join(separator.join(row) for row in rows)


def change_the_array(draw, content):
    loaded = np.load(io.BytesIO(content))
    arrays = {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    name = draw(st.sampled_from(sorted(arrays)))
    array = np.atleast_1d(arrays[name])
    change = draw(st.sampled_from(["rows", "axes", "type", "value", "shape", "columns"]))
    if change == "rows":
        array = array[: draw(st.integers(0, len(array) - 1))]
    elif change == "axes":
        array = np.moveaxis(array, 0, -1)
    elif change == "type":
        kind = draw(st.sampled_from([np.float16, np.float64, np.int16, bool, complex, "U4", "datetime64[s]"]))
        array = np.zeros(array.shape, kind) if draw(st.booleans()) else np.zeros(array.shape).astype(kind)
    elif change == "value" and array.dtype.kind == "f":
        array.flat[draw(st.integers(0, array.size - 1))] = draw(
            st.sampled_from([np.nan, np.inf, -1, 0.5, 1e9])
        )
    elif change == "shape":
        array = array.reshape(-1)
    elif change == "columns":
        array = array[..., ::-1]
    arrays[name] = array
    written = io.BytesIO()
    if isinstance(loaded, np.ndarray):
        np.save(written, array)
    else:
        np.savez(written, **arrays)
    return written.getvalue()


def change_the_picture(draw, content):
    picture = Image.open(io.BytesIO(content))
    picture = picture.resize(draw(st.tuples(st.integers(1, 40), st.integers(1, 40))))
    mode = draw(st.sampled_from(["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LA"]))
    written = io.BytesIO()
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    else:
        picture = picture.convert(mode)
    picture.save(written, "TIFF" if mode in ("CMYK", "F") else "PNG")
    return written.getvalue()


ANY = [flip_bytes, flip_a_byte_of_the_head, cut_the_end, cut_the_beginning, empty, double]
TEXT = [drop_rows, repeat_a_row, swap_columns, drop_a_column, replace_a_cell]


@contextlib.contextmanager
def damaged(draw, folder):
    """Something happens to one of the folder's files, and is undone."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    kind = draw(st.sampled_from(sorted({path.suffix for path in files})))  # one .csv among many pictures
    path = draw(st.sampled_from([path for path in files if path.suffix == kind]))
    content, elsewhere = path.read_bytes(), path.with_name(path.name)
    own = {
        ".npy": [change_the_array],
        ".npz": [change_the_array],
        **dict.fromkeys(PICTURES, [change_the_picture]),
    }
    damages = [
        *ANY,
        *(own.get(kind, TEXT if kind not in OTHERS else [])),
        "folder",
        "missing",
        "renamed",
        "mixed up",
    ]
    damage = draw(st.sampled_from(damages))
    try:
        if callable(damage):
            path.write_bytes(damage(draw, content))
        elif damage == "mixed up":
            path.write_bytes(draw(st.sampled_from(files)).read_bytes())
        else:
            path.unlink()
            if damage == "folder":
                path.mkdir()
            elif damage == "renamed":
                name = draw(
                    st.sampled_from(["0", "1_", "-1_0", "٣_٣", "x", "1e3", "00007", ".hidden", "a b"])
                )
                elsewhere = path.with_name(name + path.suffix)
                taken = elsewhere.read_bytes() if elsewhere.exists() else None
                elsewhere.write_bytes(content)
        yield
    finally:
        if elsewhere != path:
            elsewhere.unlink()
            if taken is not None:
                elsewhere.write_bytes(taken)
        if path.is_dir():
            path.rmdir()
        path.write_bytes(content)


def test_every_chapter_has_a_reader():
    assert list(READERS) == CHAPTERS


@pytest.mark.parametrize("examples", [25, pytest.param(200, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused_in_one_sentence(name, examples, load_chapter, synthetic, tmp_path):
    modules = ("checkpoint",) if name == "hw15_rl" else ("dataset", "images")
    chapter = load_chapter(name, *[module for module in modules if (ROOT / name / f"{module}.py").is_file()])
    folder = small_set(name, chapter, synthetic, tmp_path / "data")
    READERS[name](chapter, folder)  # whole, it is read
    refused = 0

    @settings(max_examples=examples if settings.default.derandomize else settings.default.max_examples)
    @given(st.data())
    def read(data):
        nonlocal refused
        stderr, status = io.StringIO(), 0
        with (
            damaged(data.draw, folder),
            contextlib.redirect_stderr(stderr),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            try:
                chapter.scaffold.run(lambda: READERS[name](chapter, folder))
            except SystemExit as ended:
                status = ended.code
        if status:
            refused += 1
            assert status == 2
            assert stderr.getvalue().endswith(".\n")
            assert len(stderr.getvalue().splitlines()) == 1

    read()
    assert refused > examples / 5, "hardly a damage was noticed"
