"""What all chapters do alike: in any environment a right result or one sentence, never a traceback."""

import errno
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import check_sentence
from PIL import Image
from test_contract import CHAPTERS, ROOT

FIRST = CHAPTERS[0]  # needs neither Keras nor TensorFlow: it starts in a second
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


@pytest.fixture
def scaffold(load_chapter):
    return load_chapter(FIRST, "scaffold").scaffold


@pytest.fixture
def records(load_chapter):
    return load_chapter(FIRST, "scaffold").records


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of a training of made-up data."""
    folder = tmp_path_factory.mktemp("out")
    start("train.py", "--synthetic", "--epochs", "1", "--out-dir", folder)
    return folder


def start(script, *flags, redirect="", chapter=FIRST, status=0, folder=None, **variables):
    """Run a script in a shell, in a current folder. Returns it: .stdout and .stderr."""
    words = " ".join(f"'{word}'" for word in (sys.executable, ROOT / chapter / script, *flags))
    command = ["bash", "-o", "pipefail", "-c", f"{words} {redirect}"]
    done = subprocess.run(command, cwd=folder, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    return done


@pytest.mark.parametrize("redirect", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_streams(out, redirect):
    start("predict.py", "--synthetic", "--out-dir", out, redirect=redirect)


def test_a_training_with_a_closed_stderr_writes_nothing_else_into_its_files(tmp_path):
    start("train.py", "--synthetic", "--epochs", "1", "--out-dir", tmp_path, redirect="2>&-")
    json.loads((tmp_path / "metrics.json").read_text())
    with Image.open(tmp_path / "learning_curve.png") as image:
        image.load()


@pytest.mark.parametrize(
    ("chapter", "script", "flags"),
    [
        ("hw02_classification", "train", "--method generative --trees 3"),
        ("hw02_classification", "predict", "--person own.csv --probabilities"),
        ("hw03_cnn", "predict", "--picture own.jpg --probabilities"),
        ("hw04_rnn_selftrain", "train", "--no-self-training --threshold 0.8"),
        ("hw04_rnn_selftrain", "train", "--no-self-training --rounds 2"),
        ("hw04_rnn_selftrain", "train", "--model bag --no-language-model"),
        ("hw05_explain", "predict", "--picture own.jpg --pictures 3"),
        ("hw06_adversarial", "train", "--method fgsm --diversity 0.5"),
        ("hw07_compression", "train", "--from-teacher --teacher a.keras --width 2"),
        ("hw12_dann", "train", "--method source-only --lambda 0.5"),
        ("hw12_dann", "train", "--method dann --pseudo-labels-from=0.5"),
        ("hw13_meta", "train", "--task sine --held-out Arcs"),
        ("hw13_meta", "train", "--task sine --views 3"),
        ("hw13_meta", "train", "--task sine --filters 64"),
        ("hw13_meta", "train", "--phase pi"),
        ("hw13_meta", "train", "--method protonet --inner-steps 3"),
        ("hw13_meta", "train", "--method pretrain --queries 9"),
        ("hw14_lifelong", "train", "--method ewc --memory 999"),
        ("hw15_rl", "train", "--method reinforce --gamma 0.5"),
        ("hw15_rl", "train", "--method actor-critic --clip 0.5"),
        ("hw15_rl", "train", "--synthetic --world CartPole-v1"),
    ],
)
def test_a_flag_that_does_nothing_is_refused(load_chapter, capsys, chapter, script, flags):
    loaded = load_chapter(chapter, "scaffold", script)
    check_sentence(loaded, capsys, flags.split(), "is not used by", script=script)


def test_nobody_reads(out):
    done = start("predict.py", "--synthetic", "--out-dir", out, redirect="| true", status=141)
    assert not done.stderr


def test_a_full_disk_behind_stdout(out):
    done = start("predict.py", "--synthetic", "--out-dir", out, redirect=">/dev/full", status=2)
    assert "standard output or a file: No space left on device" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", pytest.param("cp1252", marks=pytest.mark.full)])
def test_a_terminal_that_cannot_write_chinese(tmp_path, encoding):
    folder = tmp_path / "輸出"
    start("train.py", "--synthetic", "--epochs", "1", "--out-dir", folder, PYTHONIOENCODING=encoding)
    assert (folder / "metrics.json").is_file()


def test_a_notebooks_matplotlib(tmp_path):
    inline = "module://matplotlib_inline.backend_inline"
    start("train.py", "--synthetic", "--epochs", "1", "--out-dir", tmp_path, MPLBACKEND=inline)
    assert (tmp_path / "learning_curve.png").is_file()


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    argv = "train.py", "--synthetic", "--epochs", "1", "--out-dir", tmp_path / "out"
    assert not start(*argv, MPLCONFIGDIR=str(tmp_path / "file")).stderr


@pytest.mark.parametrize("current", [True, pytest.param(False, marks=pytest.mark.full)])
def test_a_users_matplotlibrc(tmp_path, current):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfigure.dpi: 3\n")
    where = {"folder": tmp_path} if current else {"MPLCONFIGDIR": str(tmp_path)}
    start("train.py", "--synthetic", "--epochs", "1", "--out-dir", tmp_path, **where)
    with Image.open(tmp_path / "learning_curve.png") as image:
        assert image.width > 500


def test_a_matplotlibrc_that_is_no_text_and_numbers_that_are_none_in_the_environment(tmp_path):
    (tmp_path / "matplotlibrc").write_bytes(b"\xff\xfe")
    names = "TQDM_NCOLS", "SKLEARN_WORKING_MEMORY", "NUMPY_MADVISE_HUGEPAGE", "JOBLIB_MULTIPROCESSING"
    words = dict.fromkeys(names, "abc")
    start("train.py", "--synthetic", "--epochs", "1", "--out-dir", "out", folder=tmp_path, **words)
    assert (tmp_path / "out" / "learning_curve.png").is_file()


def test_a_library_that_is_not_installed(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pandas'] = None\n")
    done = start("train.py", "--synthetic", "--out-dir", tmp_path, PYTHONPATH=str(tmp_path), status=2)
    assert "pandas" in done.stderr
    assert "requirements.txt" in done.stderr


@pytest.mark.parametrize("name", ["metrics.json", "model.npz"])
def test_a_pipe_in_place_of_a_file_is_refused(out, tmp_path, name):
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    os.mkfifo(tmp_path / "out" / name)
    start("predict.py", "--synthetic", "--out-dir", tmp_path / "out", status=2)


def test_a_folder_under_the_name_of_an_output_and_a_link_to_the_data_are_refused_at_once(tmp_path):
    (tmp_path / "out" / "metrics.json").mkdir(parents=True)
    argv = "train.py", "--synthetic", "--epochs", "1", "--out-dir"
    assert "is a folder" in start(*argv, tmp_path / "out", status=2).stderr
    (tmp_path / "data").mkdir()
    (tmp_path / "synthetic").symlink_to(tmp_path / "data")
    assert "is a link" in start(*argv, tmp_path, status=2).stderr
    assert "is a link" in start("report.py", "--synthetic", "--out-dir", tmp_path, status=2).stderr
    assert not any((tmp_path / "data").iterdir())


def test_a_tilde_that_no_shell_has_put_in(tmp_path):
    argv = "train.py", "--synthetic", "--epochs", "1", "--out-dir=~/out"
    start(*argv, folder=tmp_path, HOME=str(tmp_path))
    assert (tmp_path / "out" / "metrics.json").is_file()
    assert "there is no such user" in start(*argv[:-1], "--out-dir=~nobody-here/out", status=2).stderr


@pytest.mark.parametrize("other", ["Train (1).csv", "new/train.csv", "new/my_train.csv"])
def test_a_missing_file_names_one_of_a_longer_name(scaffold, tmp_path, other):
    for name in ("train.py", ".train.csv", "test.csv", "a/b/train.csv"):  # no such file, or too far away
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(scaffold.BadInput, match=r"train\.csv is missing; see"):
        scaffold.read_csv(tmp_path / "train.csv")
    (tmp_path / "new").mkdir()
    (tmp_path / other).touch()
    with pytest.raises(scaffold.BadInput) as error:
        scaffold.read_csv(tmp_path / "train.csv")
    assert f"is missing, but there is {tmp_path / other}: rename it" in str(error.value)


def test_no_folder_and_no_column_twice(scaffold, tmp_path):
    with pytest.raises(scaffold.BadInput, match="is a folder or a pipe, expected a file"):
        scaffold.read_csv(tmp_path)
    (tmp_path / "a.csv").write_text("x,y,,,x\n1,2,3,4,5\n")
    with pytest.raises(scaffold.BadInput, match=r"a\.csv: the column x is there twice"):
        scaffold.read_csv(tmp_path / "a.csv")
    assert scaffold.read_csv(tmp_path / "a.csv", header=None).shape == (2, 5)


def test_standard_input_that_never_ends(scaffold, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"yes\n" * 5)))
    with pytest.raises(scaffold.BadInput, match="--text -: standard input has more than 19 bytes"):
        scaffold.lines_of_stdin("--text", 19)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"yes\r\n\nno")))
    assert scaffold.lines_of_stdin("--text", 9) == ["yes", "no"]


@pytest.mark.parametrize("name", ["a.zip", "a.xz", "a.tar", "a.gz"])
def test_a_csv_is_read_as_text_whatever_its_name_is(scaffold, tmp_path, name):
    (tmp_path / name).write_text(f"x,y\n1,{'9' * 400}\n")
    table = scaffold.read_csv(tmp_path / name)
    assert list(table.x) == [1]
    assert pd.to_numeric(table.y, errors="coerce").tolist() == [float("inf")]


def test_a_users_keras_json_and_tensorflows_lines(tmp_path):
    (tmp_path / ".keras").mkdir()
    settings = {
        "floatx": "float16",
        "epsilon": 0.1,
        "backend": "numpy",
        "image_data_format": "channels_first",
    }
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(settings))
    code = (
        "import device, scaffold\nprint(device.start_keras(0))\nimport keras, sklearn.ensemble, warnings\n"
        "warnings.warn('a library may warn')\n"
        "print(keras.config.floatx(), keras.config.image_data_format(), keras.config.backend())\n"
    )
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "hw03_cnn")}
    environment |= {"KERAS_MAX_EPOCHS": "1", "KERAS_BACKEND": "", "TF_XLA_FLAGS": "--tf_xla_none_such"}
    environment |= {"PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "abc", "OMP_WAIT_POLICY": "x"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "float32 channels_last tensorflow"
    assert "tensorflow, float32" in done.stdout
    assert not done.stderr, "TensorFlow's lines reach the user"


def test_a_backend_that_is_not_there(load_chapter, monkeypatch):
    device = load_chapter("hw03_cnn", "scaffold", "device").device
    for backend, words in (
        ("nothing", "expected tensorflow or jax"),
        ("torch", "expected"),
        ("jax", "install it"),
    ):
        monkeypatch.setenv("KERAS_BACKEND", backend)
        monkeypatch.setitem(sys.modules, "keras", None)  # to import it raises ModuleNotFoundError
        with pytest.raises(device.BadInput, match=f"KERAS_BACKEND={backend}: .*{words}"):
            device.start_keras()


@pytest.mark.parametrize(
    "settings",
    [
        "[]",
        '{"floatx": []}',
        pytest.param('{"backend": 3}', marks=pytest.mark.full),
        pytest.param('{"nnx_enabled": true}', marks=pytest.mark.full),
        pytest.param("[" * 100_000, marks=pytest.mark.full, id="deep"),
    ],
)
def test_a_keras_json_that_keras_cannot_read(tmp_path, settings):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(settings)
    code = "import scaffold, device; scaffold.run(device.start_keras)"
    environment = os.environ | {"HOME": str(tmp_path), "KERAS_BACKEND": "tensorflow"}
    environment.pop("KERAS_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "hw03_cnn", env=environment, capture_output=True, text=True
    )
    assert done.returncode in (0, 2), done.stderr
    assert done.stderr.count("\n") == (done.returncode == 2)


def test_ctrl_c_during_the_imports_and_after_them(tmp_path):
    command = [sys.executable, ROOT / FIRST / "train.py", "--synthetic", "--out-dir", tmp_path / "out"]
    command[1:1] = ["-X", "importtime"]  # a line on stderr for each module that is imported
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}

    def listen():  # a shell's background job ignores SIGINT, and so do all processes that it starts
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    descent = "multiprocessing.synchronize"  # what the first progress bar imports
    for last in ("numpy._utils", "gradient_descent", descent):
        process = subprocess.Popen(command, **pipes, preexec_fn=listen)
        while last not in process.stderr.readline():
            assert process.poll() is None, f"{last} is not imported any more"
        time.sleep(0.5 if last == descent else 0)  # not while pandas reads, which may swallow an interrupt
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
        assert "Traceback" not in stderr
        assert stderr.count("Stopped") == 1
        assert process.returncode in (130, -signal.SIGINT)


@pytest.mark.parametrize(
    ("error", "words", "status"),
    [
        (OSError(28, "No space left on device", "model.keras"), "model.keras: No space left on device;", 2),
        (PermissionError(13, "Permission denied", "train.csv"), "train.csv: Permission denied;", 2),
        (MemoryError(), "Out of memory; lower --batch-size", 2),
        (type("ResourceExhaustedError", (Exception,), {})("OOM"), "Out of memory; lower --batch-size", 2),
        (FileNotFoundError(2, "No such file or directory"), "the current folder: No such file", 2),
        (ImportError("tf.so: failed to map segment from shared object"), "Out of memory; lower --batch", 2),
        (BrokenPipeError(), "", 141),
        (KeyboardInterrupt(), "--resume goes on after the last finished epoch", 130),
    ],
)
def test_what_is_said_of_an_error(scaffold, error, words, status):
    scaffold.Parser("A script.", "train", resume=True).parse([])
    sentence, found = scaffold.explain(error)
    assert words in sentence
    assert found == status


def test_a_fault_of_the_program_is_not_hidden(scaffold):
    with pytest.raises(ZeroDivisionError):
        scaffold.run(lambda: 1 / 0)


def test_a_full_disk_names_the_file_and_leaves_nothing(scaffold, tmp_path):
    def write():
        with scaffold.replacing(tmp_path / "history.csv") as path:
            path.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        write()
    assert caught.value.filename == str(tmp_path / "history.csv")
    assert not list(tmp_path.iterdir())


def test_a_folder_takes_the_place_of_the_older_one_as_a_whole_or_not_at_all(scaffold, tmp_path):
    def write(name, fails=False):
        with scaffold.replacing(tmp_path / "faces") as path:
            path.mkdir()
            (path / name).write_text(name)
            if fails:
                raise OSError(28, "No space left on device", str(path / name))

    for name in ("a.png", "b.png"):
        write(name)
    with pytest.raises(OSError, match="No space left") as caught:
        write("c.png", fails=True)
    assert caught.value.filename == str(tmp_path / "faces" / "c.png")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["faces", "faces/b.png"]


def test_two_trainings_in_one_folder(records, tmp_path):
    args = SimpleNamespace(out_dir=tmp_path / "out", data_dir=tmp_path, resume=False)
    records.claim(args)
    other = os.open(args.out_dir, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)
    start("train.py", "--synthetic", "--out-dir", args.out_dir, status=2)
    records.record(args, {"metric": "x", "score": 1.0}, {"a.txt": lambda path: path.write_text("a")})
    start("train.py", "--synthetic", "--epochs", "1", "--out-dir", args.out_dir)


def test_out_dir_is_data_dir(scaffold, records, tmp_path):
    (tmp_path / "labels.csv").write_text("mine")
    with pytest.raises(scaffold.BadInput, match="would be overwritten"):
        records.claim(SimpleNamespace(out_dir=tmp_path / ".." / tmp_path.name, data_dir=tmp_path))
    assert (tmp_path / "labels.csv").read_text() == "mine"


def test_what_a_killed_training_left_goes_and_a_forgotten_checkpoint_stays(records, tmp_path, capsys):
    (tmp_path / "half-written-1-model.keras").write_text("half")
    (tmp_path / "checkpoint.npz").write_text("an hour")
    first = SimpleNamespace(out_dir=tmp_path, data_dir=tmp_path / "data", resume=False)
    records.claim(first)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"], "its data are not read yet"
    records.set_aside(first)
    assert [path.name for path in tmp_path.iterdir()] == ["earlier-checkpoint.npz"]
    assert "--resume" in capsys.readouterr().out
    again = SimpleNamespace(out_dir=tmp_path, data_dir=tmp_path / "data", resume=True)
    with pytest.raises(records.BadInput, match="rename earlier-checkpoint.npz to go on"):
        records.claim(again)
    (tmp_path / "earlier-checkpoint.npz").rename(tmp_path / "earlier-checkpoint_1.npz")
    with pytest.raises(records.BadInput, match="no checkpoint_1.npz; rename earlier-checkpoint_1.npz"):
        records.claim(again)
    (tmp_path / "earlier-checkpoint_1.npz").rename(tmp_path / "earlier-checkpoint.npz")
    (tmp_path / "checkpoint.npz").write_text("a minute")
    records.claim(again)
    records.set_aside(again)
    assert (tmp_path / "checkpoint.npz").read_text() == "a minute"
    again.resume = False
    records.set_aside(again)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"earlier-checkpoint.npz": "an hour", "earlier-2-checkpoint.npz": "a minute"}


def test_what_was_written_beside_a_checkpoint_goes_with_it(records, tmp_path):
    """Else --resume would go on from one training, and end with the model of another."""
    args = SimpleNamespace(out_dir=tmp_path, data_dir=tmp_path / "data", resume=False)
    for name in ("checkpoint.npz", "after-1.keras", "after-2.keras", "history.csv"):
        (tmp_path / name).write_text(name)
    records.set_aside(args, "after-*.keras")
    earlier = ["earlier-after-1.keras", "earlier-after-2.keras", "earlier-checkpoint.npz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*earlier, "history.csv"]
    args.resume = True
    with pytest.raises(records.BadInput, match=f"no checkpoint.npz; rename {' and '.join(earlier)} to go on"):
        records.claim(args)


def test_what_was_cut_short_among_made_up_data_goes(records, tmp_path):
    left = tmp_path / "synthetic" / "faces" / "half-written-1-00003.png"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    records.claim(SimpleNamespace(out_dir=tmp_path, data_dir=tmp_path / "data"))
    assert not left.exists()


def test_a_persons_own_file_is_not_overwritten(records, tmp_path):
    args = SimpleNamespace(out_dir=tmp_path)
    (tmp_path / "mine").mkdir()
    records.spare(args, [tmp_path / "mine" / "own.png", tmp_path / "my.png"], "own.png", "page_*.png")
    for name in ("own.png", "page_7.png"):
        with pytest.raises(records.BadInput, match=f"{name} would be overwritten; choose another --out-dir"):
            records.spare(args, [tmp_path / "mine" / ".." / name], "own.png", "page_*.png")


def test_classes_of_another_training_are_not_used(records, tmp_path):
    for name in ("model.keras", "classes.txt"):
        (tmp_path / name).write_text(name)
    files = {name: records.fingerprint(tmp_path / name) for name in ("model.keras", "classes.txt")}
    metrics = {"arguments": {"synthetic": False}, "files": files}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    args = SimpleNamespace(out_dir=tmp_path, model=None, synthetic=False)
    records.check_models(args, [tmp_path / "model.keras"])
    (tmp_path / "classes.txt").write_text("others")
    for args.model in (None, [tmp_path / "model.keras"]):
        with pytest.raises(records.BadInput, match="classes.txt and metrics.json are of two trainings"):
            records.check_models(args, [tmp_path / "model.keras"])


def test_a_name_that_is_not_utf_8_can_be_drawn(records):
    assert records.plain("\udca4$.png") == r"\udca4\$.png"
    records.plain("\udca4").encode()


def test_advice_where_the_data_are_made_up(scaffold):
    error = scaffold.BadInput(f"x is missing; {scaffold.HELP}.")
    scaffold.Parser("A training.", "predict").parse(["--synthetic"])
    assert scaffold.explain(error)[0].endswith("or run train.py --synthetic again.")
    scaffold.Parser(None, "predict").parse([])  # as python -OO has it
    assert scaffold.explain(error)[0].endswith("or try --synthetic.")


def test_a_file_system_without_locks(records, tmp_path, monkeypatch):
    def flock(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    records.claim(SimpleNamespace(out_dir=tmp_path, data_dir=tmp_path / "data"))


def test_a_folder_whose_name_is_not_utf_8(records, tmp_path):
    args = SimpleNamespace(out_dir=tmp_path, data_dir=Path(os.fsdecode(b"caf\xe9")), rate=np.float32(0.5))
    records.record(
        args, {"metric": "x", "score": np.float64(1)}, {"a.txt": lambda path: path.write_text("a")}
    )
    arguments = records.read_metrics(tmp_path)["arguments"]
    assert (os.fsencode(arguments["data_dir"]), arguments["rate"]) == (b"caf\xe9", 0.5)


def test_a_full_disk_names_the_file_that_was_written(records, tmp_path):
    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    args = SimpleNamespace(out_dir=tmp_path)
    with pytest.raises(OSError, match="No space left") as raised:
        records.record(args, {"metric": "x", "score": 1.0}, {"model.keras": full})
    assert raised.value.filename == str(tmp_path / "model.keras")


def test_what_a_system_leaves_in_a_folder_changes_nothing(records, tmp_path):
    (tmp_path / "0.png").write_bytes(b"x")
    before = records.fingerprint(tmp_path)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    assert records.fingerprint(tmp_path) == before
    (tmp_path / "1.png").write_bytes(b"x")
    assert records.fingerprint(tmp_path) != before


def test_a_trial_shares_no_training_with_the_report(scaffold, tmp_path):
    parser = scaffold.Parser("A report.", "report", epochs="iterations")
    kinds = ([], ["--iterations", "2"], ["--synthetic"], ["--synthetic", "--iterations", "2"])
    folders = [parser.parse([*flags, "--out-dir", str(tmp_path)]).trainings for flags in kinds]
    assert [folder.name for folder in folders] == [
        "report",
        "report-trial",
        "report-synthetic",
        "report-synthetic-trial",
    ]


def test_a_report_names_its_own_flags(scaffold):
    scaffold.Parser("A report.", "report").parse([])
    scaffold.Parser("A training.", "train", resume=True).parse([])
    assert "--resume" not in scaffold.explain(KeyboardInterrupt())[0]
    assert "--batch-size" not in scaffold.explain(MemoryError())[0]


@every_chapter
def test_a_model_of_made_up_data_is_not_used_for_real_files(chapter, load_chapter, tmp_path, capsys):
    """And files of two trainings are not used together. The files hold nothing: they are not read before."""
    modules = load_chapter(chapter, "scaffold", "predict")
    names = {
        "model.keras",
        "model.npz",
        "codes.npz",
        "compressed.npz",
        "images.npz",
        "characters.csv",
        "clusters.npz",
    }
    for made_up in (True, False):
        args = SimpleNamespace(out_dir=tmp_path, data_dir=tmp_path / "data", synthetic=made_up, seed=0)
        files = {name: lambda path, made_up=made_up: path.write_text(f"{made_up}") for name in names}
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / "000.png").write_text(f"{made_up}")
        modules.records.record(args, {"metric": "x", "score": 1.0}, {**files, "images": None})
        argv = ["--out-dir", tmp_path, *([] if made_up else ["--synthetic"])]
        kinds = ("made-up", "real") if made_up else ("real", "made-up")
        check_sentence(
            modules, capsys, argv, f"was trained on {kinds[0]}", f"are {kinds[1]}", script="predict"
        )
    for name in (*names, "images/000.png"):
        (tmp_path / name).write_text("of another training")
    check_sentence(modules, capsys, ["--out-dir", tmp_path], "are of two trainings", script="predict")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"arguments": 3}', "[" * 100_000, '{"arguments": {}, "files": Infinity}', "\0"]
)
def test_metrics_that_were_edited(scaffold, records, tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(scaffold.BadInput, match="is not what train.py wrote"):
        records.read_metrics(tmp_path)


def test_files_of_a_training_that_were_edited(scaffold, records, tmp_path):
    args = SimpleNamespace(out_dir=tmp_path, seed=1, scale=None)
    metrics = {"metric": "accuracy", "score": np.float32(0.1), "scores": {1: np.nan}, "name": "\udcff"}
    records.record(args, metrics, {"history.csv": lambda path: path.write_text("epoch\n1\n")})
    assert records.finished(args)
    assert not records.finished(SimpleNamespace(out_dir=tmp_path, seed=2))
    path = tmp_path / "metrics.json"
    whole = path.read_text("utf-8")
    for old, new in (('"score": 0', '"score": 1'), ('"scores"', '"of"'), ('"seed": 1', '"seed": 2')):
        path.write_text(whole.replace(old, new), "utf-8")
        assert path.read_text("utf-8") != whole
        with pytest.raises(scaffold.BadInput, match="metrics.json is not what train.py wrote; run train.py"):
            records.finished(args)
    path.write_text(whole, "utf-8")
    assert records.finished(args)
    for change in ((tmp_path / "history.csv").unlink, lambda: (tmp_path / "history.csv").write_text("a,b\n")):
        change()
        with pytest.raises(
            scaffold.BadInput, match="history.csv is not what train.py wrote; remove its folder"
        ):
            records.finished(args)


def test_a_checkpoint_knows_its_training(load_chapter, tmp_path):
    chapter = load_chapter("hw03_cnn", "scaffold", "checkpoint")
    keras, BadInput = chapter.checkpoint.keras, chapter.scaffold.BadInput

    def checkpoint(data=0, **flags):
        args = SimpleNamespace(out_dir=tmp_path, resume=True, **flags)
        return chapter.checkpoint.Checkpoint(args, [np.zeros(1500), np.full(1500, data)[::-1]])

    written, variables = checkpoint(seed=0, epochs=3), [keras.Variable(np.ones((2, 3)))]
    written.state = {"more": [1, 2]}
    written.add(1, {"loss": 0.5})
    written.save(variables)
    found, read = checkpoint(seed=0, epochs=3), [keras.Variable(np.zeros((2, 3)))]
    found.restore(read)
    assert (np.asarray(read[0]) == 1).all()
    assert (found.rows, found.state) == ([{"loss": 0.5}], {"more": [1, 2]})
    assert list(found.history().index) == [1]
    with pytest.raises(BadInput, match="--epochs 3, expected 5"):
        checkpoint(seed=0, epochs=5).restore(read)
    with pytest.raises(BadInput, match="another network"):
        checkpoint(seed=0, epochs=3).restore([keras.Variable(np.zeros(3))])
    with pytest.raises(BadInput, match="on other data"):
        checkpoint(seed=0, epochs=3, data=1).restore(read)
    with pytest.raises(BadInput, match="the loss is not a number"):
        found.add(2, {"loss": float("nan")})

    arrays = dict(np.load(tmp_path / "checkpoint.npz"))
    for change in (
        {"arr_0": np.full((2, 3), np.nan, np.float32)},
        {"words": np.array(str(arrays["words"]).replace("0.5", "Infinity"))},
        {"words": np.array("[" * 100_000)},
        {"digest": np.array("x")},
        {"arr_0": np.array([{}], object)},
    ):
        np.savez(tmp_path / "checkpoint.npz", **{**arrays, **change})
        with pytest.raises(BadInput, match="damaged or not of this chapter"):
            found.restore(read)


@pytest.mark.parametrize("kind", ["I;16", "I", "1", "P", "RGBA", "CMYK", "LA"])
def test_images_of_any_kind(load_chapter, tmp_path, kind):
    images = load_chapter("hw03_cnn", "scaffold", "images").images
    grey = np.linspace(0, 255, 64).reshape(8, 8).astype(np.uint8)
    if kind[0] == "I":
        picture = Image.fromarray(grey.astype(np.uint16 if kind == "I;16" else np.int32) * 257)
    else:
        picture = Image.fromarray(grey).convert(kind)
    path = tmp_path / ("A.TIF" if kind in ("CMYK", "I") else "A.PNG")
    picture.save(path)
    found = np.asarray(images.open_image(path).convert("L")).astype(int)
    assert found.shape == (8, 8)
    tolerance = {"1": 255, "P": 8}.get(kind, 2)
    assert abs(found - grey).max() <= tolerance
    assert found.max() > 200
    assert found.min() < 55


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P", "L"])
def test_what_is_transparent_is_paper(load_chapter, tmp_path, kind):
    """A drawing program saves black lines on nothing: with the alpha channel dropped all would be black."""
    images = load_chapter("hw03_cnn", "scaffold", "images").images
    ink = Image.new("L", (9, 9), 0)
    alpha = np.zeros((9, 9), np.uint8)
    alpha[4, 2:7] = 255
    path = tmp_path / "line.png"
    if kind in ("RGBA", "LA"):
        picture = ink.convert(kind)
        picture.putalpha(Image.fromarray(alpha))
        picture.save(path)
    else:  # one colour or one grey stands for nothing
        Image.fromarray(np.where(alpha, 0, 1).astype(np.uint8), "L").convert(kind).save(path, transparency=1)
    np.testing.assert_array_equal(np.asarray(images.open_image(path, "L")), np.where(alpha, 0, 255))


def test_the_scale_of_more_than_eight_bits(load_chapter, tmp_path):
    images = load_chapter("hw03_cnn", "scaffold", "images").images
    path = tmp_path / "a.tif"
    for values, expected in (
        (np.uint16([[0, 257, 65535]]), [0, 1, 255]),
        (np.uint16([[0, 200, 255]]), [0, 1, 1]),  # a dark picture, not one of 8 bits
        (np.int32([[0, 100, 255]]), [0, 100, 255]),
        (np.float32([[0, 0.5, 1]]), [0, 128, 255]),
        (np.float32([[-1e-7, 0.5, 1]]), [0, 128, 255]),
    ):
        Image.fromarray(values).save(path)
        assert np.asarray(images.open_image(path, "L")).ravel().tolist() == expected
    for values in ([[0, 1.0001, 0.5]], [[-1, 0, 1]], [[-200, -100, 0]], [[0, np.nan]]):
        Image.fromarray(np.float32(values)).save(path)
        with pytest.raises(images.BadInput, match="expected 0 to 1, 255 or 65,535"):
            images.open_image(path)
    Image.fromarray(np.int32([[0, 2**30]])).save(path)
    with pytest.raises(images.BadInput, match=r"from 0 to 1.07374e\+09, expected 0 to 1"):
        images.open_image(path)


def test_the_size_of_a_turned_photograph(load_chapter, tmp_path):
    images = load_chapter("hw03_cnn", "scaffold", "images").images
    exif = Image.Exif()
    exif[0x0112] = 6  # by a quarter
    for name in ("a.jpg", "a.png", "a.webp", "a.tif"):
        path = tmp_path / name
        Image.new("RGB", (40, 20)).save(path, exif=exif)
        assert images.image_size(path) == images.open_image(path).size == (20, 40), name
    with pytest.raises(images.BadInput, match="is no file"):
        images.open_image(tmp_path / "b.jpg")


def test_a_drawing_that_would_need_a_vast_square(load_chapter, tmp_path):
    images = load_chapter("hw12_dann", "scaffold", "images").images
    Image.new("L", (80_000, 20), 255).save(tmp_path / "line.png")
    with pytest.raises(images.BadInput, match="80000x20, expected a drawing of a less long shape"):
        images.cut_out(tmp_path / "line.png", 0.2, "a drawing")


def test_files_that_are_no_images(load_chapter, tmp_path, capsys):
    images = load_chapter("hw03_cnn", "scaffold", "images").images
    for name in ("b.WEBP", "a.jpg", ".DS_Store", "._a.jpg", "Thumbs.db"):
        Image.new("RGB", (4, 4)).save(tmp_path / name, "PNG")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    assert [path.name for path in images.image_files(tmp_path)] == ["a.jpg", "b.WEBP"]
    assert "4 hidden or system files" in capsys.readouterr().out
    for name, content in (("notes.txt", b"x"), ("c.jpg", b"x"), ("d.png", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(images.BadInput, match=name):
            [images.open_image(path) for path in images.image_files(tmp_path)]
        (tmp_path / name).unlink()
    Image.new("1", (13_000, 13_000)).save(tmp_path / "large.png")
    with pytest.raises(images.BadInput, match="expected at most"):
        images.open_image(tmp_path / "large.png")


def test_names_that_hold_no_class(load_chapter, tmp_path):
    images, folder = load_chapter("hw03_cnn", "scaffold", "images").images, tmp_path / "food-11" / "training"
    nested = tmp_path / "food-11" / "food-11" / "training"
    nested.mkdir(parents=True)
    with pytest.raises(images.BadInput, match=f"training is missing; move {nested} there"):
        images.labelled_files(folder)
    folder.mkdir()
    for name in ("0_0", "1_0", "0_1"):
        Image.new("RGB", (4, 4)).save(folder / f"{name}.jpg")
    paths, labels = images.labelled_files(folder)
    assert [path.stem for path in paths] == ["0_0", "0_1", "1_0"]
    assert labels.tolist() == [0, 0, 1]
    for name in ("9" * 20 + "_1", "20200315_1", "4_1", "bread"):
        path = folder / f"{name}.jpg"
        Image.new("RGB", (4, 4)).save(path)
        with pytest.raises(images.BadInput, match=name):
            images.labelled_files(folder)
        path.unlink()
    (folder / "Bread").mkdir()
    with pytest.raises(images.BadInput, match=r"0_17.jpg for Bread/17.jpg of class 0"):
        images.labelled_files(folder)


def test_what_a_killed_process_has_left(records, tmp_path):
    """The old folder comes back where the new one had not taken its place, and links are not followed."""
    out, theirs = tmp_path / "out", tmp_path / "theirs"
    older = out / "half-written-7-older-images"
    for folder in (older, theirs):
        folder.mkdir(parents=True)
        (folder / "a.png").write_text("a")
    (out / "half-written-7-other").symlink_to(theirs)
    records.claim(SimpleNamespace(out_dir=out, data_dir=tmp_path))
    assert [path.name for path in out.iterdir()] == ["images"]
    assert (out / "images" / "a.png").is_file()
    assert (theirs / "a.png").is_file()


def test_a_trial_of_a_report_leaves_results_alone(load_chapter, tmp_path):
    scaffold = load_chapter(FIRST, "scaffold").scaffold
    for flags, expected in (
        ([], scaffold.HERE / "results"),
        (["--seeds", "3"], scaffold.HERE / "results"),
        (["--epochs", "1"], tmp_path / "results"),
        (["--synthetic"], tmp_path / "results"),
    ):
        args = scaffold.Parser("", "report").parse(["--out-dir", str(tmp_path), *flags])
        assert args.results == expected


def test_a_dollar_in_a_name_is_no_formula(records, tmp_path):
    import pandas as pd

    history = pd.DataFrame({"a": [1.0]}, index=pd.RangeIndex(1, 2, name="epoch"))
    figure = records.learning_curve(history, {"loss": {"a": r"$\frac{$"}})
    figure.savefig(tmp_path / "curve.png")
    axes = figure.axes[0]
    assert axes.lines[0].get_marker() == ".", "a single point must be seen"
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_a_mark_stands_before_the_epoch_that_it_names(records):
    import pandas as pd

    history = pd.DataFrame({"a": [3.0, 2, 1]}, index=pd.RangeIndex(1, 4, name="epoch"))
    for axes in records.learning_curve(history, {"loss": {"a": "a"}, "log": {"a": "b"}}, {3: "then"}).axes:
        assert list(axes.lines[1].get_xdata()) == [2.5, 2.5]
        assert [text.get_text() for text in axes.get_legend().get_texts()][1] == "then"


@pytest.mark.full
@every_chapter
def test_help_needs_no_heavy_library(chapter):
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / chapter)}  # a script's start adds it, runpy does not
    for script in ("train", "predict", "report"):
        command = [sys.executable, "-c", code, ROOT / chapter / f"{script}.py", "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert "--synthetic" in done.stdout
        assert "numpy" in done.stderr or script == "report"
        assert not set(done.stderr.split()) & {"sklearn", "tensorflow", "keras", "gensim", "skimage"}


def test_a_measurement_older_than_its_training_is_made_anew(records, tmp_path):
    kept, training = tmp_path / "maps.csv", tmp_path / "metrics.json"
    assert not records.measured_since(kept)
    kept.write_text("measured")
    training.write_text("{}")
    for seconds, stands in ((-5, True), (5, False)):
        os.utime(training, (kept.stat().st_mtime + seconds,) * 2)
        assert records.measured_since(kept) is stands
