"""The contract that every chapter keeps."""

import ast
import json
import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest
from copy_scaffold import SHARED

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = [
    "hw01_regression",
    "hw02_classification",
    "hw03_cnn",
    "hw04_rnn_selftrain",
    "hw05_explain",
    "hw06_adversarial",
    "hw07_compression",
    "hw08_seq2seq",
    "hw09_autoencoder",
    "hw10_anomaly",
    "hw11_gan",
    "hw12_dann",
    "hw13_meta",
    "hw14_lifelong",
    "hw15_rl",
]

# Packages whose module has another name.
PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "skimage": "scikit-image"}
COMMON_FLAGS = [
    "--data-dir",
    "--out-dir",
    "--synthetic",
    "--seed",
    "--epochs",
    "--batch-size",
    "--learning-rate",
]
# Chapters that run on Keras alone, so on any of its backends.
ON_JAX = [
    "hw03_cnn",
    "hw04_rnn_selftrain",
    "hw07_compression",
    "hw08_seq2seq",
    "hw09_autoencoder",
    "hw10_anomaly",
    "hw12_dann",
]
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS)


def sources(chapter):
    """The chapter's Python files with their syntax trees."""
    return [(path, ast.parse(path.read_text("utf-8"))) for path in sorted((ROOT / chapter).glob("*.py"))]


def test_there_are_fifteen_chapters_and_no_other():
    assert len(set(CHAPTERS)) == 15
    assert sorted(path.name for path in ROOT.glob("hw*") if list(path.glob("*.py"))) == CHAPTERS


def test_the_top_level_holds_nothing_else():
    """A reader's own folders, and the site that they have built, hold no Python files."""
    allowed = {*CHAPTERS, "README.md", "requirements.txt", "tests", "pyproject.toml", "LICENSE"}
    found = {path for path in ROOT.iterdir() if not path.name.startswith(".") and path.name not in allowed}
    theirs = {path for path in found if path.is_dir() and not list(path.glob("*.py"))}
    assert not found - theirs


def test_continuous_integration_runs_the_commands_of_the_cover():
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    steps = (ROOT / ".ci" / "run").read_text().splitlines()
    for command in blocks[:2]:
        assert not [step for step in command.strip().split(" && ") if step not in steps]
    assert ".ci/run" in (ROOT / ".github" / "workflows" / "test.yml").read_text()


@every_chapter
def test_required_files(chapter):
    files = {path.name for path in (ROOT / chapter).iterdir()}
    world = "environment.py" if chapter == "hw15_rl" else "dataset.py"
    assert files >= {"README.md", world, "model.py", "train.py", "predict.py", "report.py", "results"}
    results = {path.name: path.stat().st_size for path in (ROOT / chapter / "results").iterdir()}
    assert results.keys() >= {"metrics.json", "report.csv"}
    assert all(size <= 200_000 for size in results.values())
    assert "__init__.py" not in files
    assert "utils.py" not in files


def flags_of(chapter, script, load_chapter, monkeypatch):
    """The actions of a script's parser, by flag, in order, with the defaults that --help shows."""
    loaded = load_chapter(chapter, "scaffold", script)
    found = {}

    def noted(parser, argv=None, namespace=None):
        found.update({action.option_strings[0]: action for action in parser._actions})
        return parse_args(parser, argv, namespace)

    parse_args = loaded.scaffold.Parser.parse_args
    monkeypatch.setattr(loaded.scaffold.Parser, "parse_args", noted)
    args = getattr(loaded, script).parse_args([])
    return found, args, loaded


@every_chapter
def test_defaults_of_the_common_flags(chapter, load_chapter, monkeypatch):
    for script, common in (("train", 7), ("predict", 3), ("report", 3)):
        flags, args, loaded = flags_of(chapter, script, load_chapter, monkeypatch)
        assert args.data_dir == ROOT / chapter / "data"
        assert args.out_dir == ROOT / chapter / "out"
        assert args.synthetic is False
        names = [flag for flag in flags if flag != "-h"]
        counted = ["--iterations" if name == "--epochs" else name for name in COMMON_FLAGS]
        assert names[:common] in (COMMON_FLAGS[:common], counted[:common])
        if script == "train":
            assert args.seed == 0
        with pytest.raises(
            loaded.scaffold.BadInput
        ):  # no abbreviations: a flag added later would change them
            getattr(loaded, script).parse_args(["--synth"])


@every_chapter
def test_flags_have_help_and_ranges(chapter, load_chapter, monkeypatch):
    for script in ("train", "predict", "report"):
        flags, _, _ = flags_of(chapter, script, load_chapter, monkeypatch)
        loaded = load_chapter(chapter, script)
        for flag, action in flags.items():
            assert action.type is not bool, f"{script}.py {flag}: bool('False') is True"
            assert action.type not in (int, float), f"{script}.py {flag} has no range"
            assert re.fullmatch(r"-h|--[a-z0-9]+(-[a-z0-9]+)*", flag), f"{script}.py {flag}"
            assert action.help, f"{script}.py {flag} has no help"
            assert not re.search("None:|RECIPES", action.help), f"{script}.py {flag}: say the value"
            if script == "train" and flag in COMMON_FLAGS and action.default is None:  # no value to show
                with pytest.raises(loaded.scaffold.BadInput, match=f"{flag} is not used by --method"):
                    loaded.train.parse_args([flag, "1"])


@every_chapter
def test_every_declared_flag_is_read(chapter, load_chapter, monkeypatch):
    text = "".join(path.read_text("utf-8") for path, _ in sources(chapter) if path.name not in SHARED)
    for script in ("train", "predict", "report"):
        flags, args, _ = flags_of(chapter, script, load_chapter, monkeypatch)
        own = (ROOT / chapter / f"{script}.py").read_text("utf-8")
        for name in {action.dest for flag, action in flags.items() if flag != "-h"} - {"resume"}:
            assert re.search(rf"\bargs\.{name}\b", own + text), f"{script}.py never reads --{name}"


def test_wrong_flags_end_in_one_sentence(load_chapter, capsys):
    """Numbers out of any range, in every flag of every script."""
    for chapter in CHAPTERS:
        for script in ("train", "report"):
            modules = load_chapter(chapter, "scaffold", script)
            for flag in ("--seed", "--seeds", "--epochs", "--iterations", "--batch-size", "--learning-rate"):
                for value in ("-1", "nan", "x", str(10**40), ""):
                    with pytest.raises(SystemExit) as ended:
                        modules.scaffold.run(lambda: getattr(modules, script).parse_args([flag, value]))  # noqa: B023
                    assert ended.value.code == 2
                    sentence = capsys.readouterr().err
                    assert sentence.count("\n") == 1
                    assert flag in sentence


def documented_commands():
    """Every `python hwNN_x/script.py ...` in the READMEs' code blocks and in the scripts' docstrings."""
    for readme in [ROOT / "README.md", *(ROOT / chapter / "README.md" for chapter in CHAPTERS)]:
        for block in re.findall(r"^```\w*\n(.*?)^```", readme.read_text("utf-8"), re.M | re.S):
            for match in re.findall(r"python (hw\d\d_\w+/\w+\.py[^\n&|;]*)", block.replace("\\\n", " ")):
                yield str(readme.relative_to(ROOT)), match.split("#")[0]
    for chapter in CHAPTERS:
        for path, tree in sources(chapter):
            for match in re.findall(
                r"^    python (\S+\.py.*)$", ast.get_docstring(tree, clean=False) or "", re.M
            ):
                yield str(path.relative_to(ROOT)), re.split(r"\s{3,}", match)[0]


@pytest.mark.parametrize(("where", "command"), sorted(set(documented_commands())))
def test_documented_commands_parse(where, command, load_chapter):
    script, *argv = shlex.split(command)
    chapter, script = script.removesuffix(".py").split("/")
    module = getattr(load_chapter(chapter, script), script)
    module.parse_args(argv)  # a flag that is gone, or out of its range, raises BadInput


@every_chapter
def test_the_chapter_documents_its_commands(chapter):
    documented = {
        command.split()[0] for where, command in documented_commands() if where == f"{chapter}/README.md"
    }
    assert documented == {f"{chapter}/{script}.py" for script in ("train", "predict", "report")}


@every_chapter
def test_imports(chapter):
    requirements = re.findall(r"^([\w.-]+)", (ROOT / "requirements.txt").read_text(), re.M)
    own = {path.stem for path, _ in sources(chapter)}
    assert not own & set(sys.stdlib_module_names)
    for path, tree in sources(chapter):
        assert "sys.path" not in ast.unparse(tree), f"{path.name} edits sys.path"
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path.name} imports relatively"
                modules = [node.module]
            else:
                continue
            for module in modules:
                top = module.split(".")[0]
                known = top in own or top in sys.stdlib_module_names or PACKAGES.get(top, top) in requirements
                known = known or (path.name, top) == ("timing.py", "torch")  # only to compare with
                assert known, f"{path.name} imports {module}, which is not in requirements.txt"
                assert top not in {"pickle", "joblib", "dill", "shelve"}, f"{path.name} imports {module}"


def test_the_cover_names_the_chapters_that_need_no_tensorflow():
    named = re.search(r"`KERAS_BACKEND=jax`(.*?) on it;", (ROOT / "README.md").read_text("utf-8"), re.S)[1]
    assert re.findall(r"hw\d\d", named) == [chapter[:4] for chapter in ON_JAX]
    for chapter in ON_JAX:
        for path, tree in sources(chapter):
            imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
            assert not [node for node in imports if "tensorflow" in ast.unparse(node)], path


@every_chapter
def test_a_training_goes_on_with_the_data_that_it_began_with(chapter):
    """Each Checkpoint is given the data; hw15 has none, and its world is a flag."""
    for path, tree in sources(chapter):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Checkpoint":
                given = len(node.args) > 1 or "data" in [keyword.arg for keyword in node.keywords]
                assert given or chapter == "hw15_rl", path


@every_chapter
def test_headline_number(chapter):
    score = json.loads((ROOT / chapter / "results" / "metrics.json").read_text())["score"]
    headline = re.search(
        r"^\*\*Score: .*?(\d+\.\d+)", (ROOT / chapter / "README.md").read_text("utf-8"), re.M
    )
    assert headline, "the README has no line that begins **Score: ..."
    decimals = len(headline[1].split(".")[1])
    assert headline[1] == f"{score:.{decimals}f}"
    row = re.search(rf"^\|.*{chapter}.*$", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert row, "the cover has no row for this chapter"
    assert headline[1] in row[0]


@every_chapter
def test_the_cover_says_what_results_hold(chapter):
    row = re.search(rf"^\| \[{chapter}\].*$", (ROOT / "README.md").read_text("utf-8"), re.M)[0]
    first, *_, ours, compared, minutes = [cell.strip() for cell in row.strip("|").split("|")]
    results = ROOT / chapter / "results"
    held = " ".join(path.read_text("utf-8") for path in results.iterdir() if path.suffix in (".csv", ".json"))
    held = [float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", held)]
    numbers = re.findall(r"-?\d+\.\d+", ours + " " + compared.split("elsewhere:")[0])
    for number in numbers:
        decimals = len(number.split(".")[1])
        assert any(f"{value:.{decimals}f}" == number for value in held), f"{number} is not in {results}"
    seconds = json.loads((results / "metrics.json").read_text())["seconds"]
    measured = max(seconds["one_fit"], seconds["all"]) / 60
    assert minutes == (f"{measured:.0f}" if measured >= 1 else "<1")
    words = {"<1": "under a minute", "1": "1 minute"}.get(minutes, f"{minutes} minutes")
    readme = (ROOT / chapter / "README.md").read_text("utf-8")
    assert re.search(rf"^python {chapter}/train\.py.*  # {words}\b", readme, re.M), f"no command of {words}"
    picture = ROOT / re.search(r'<img src="(.*?)"', first)[1]
    assert picture.parent == results
    assert picture.stat().st_size <= 60 * 1024, f"{picture.name} is large for a thumbnail"


def test_the_cover_has_what_growth_was_measured():
    text = (ROOT / "README.md").read_text("utf-8")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    for row in pd.read_csv(ROOT / "tests" / "growth.csv", dtype=str).to_numpy():
        assert list(row) in lines


@every_chapter
def test_every_measured_row_stands_in_the_readme(chapter):
    text = (ROOT / chapter / "README.md").read_text("utf-8")
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    for path in sorted((ROOT / chapter / "results").glob("*.csv")):
        measured = pd.read_csv(path, dtype=str).fillna("")
        for row in measured.drop(columns="table", errors="ignore").to_numpy():
            cells = [cell for cell in row if cell]
            assert any(cells == [cell for cell in line if cell] for line in lines), f"no row {cells}"
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (ROOT / chapter / picture).is_file(), f"{picture} is shown and is not there"


def test_what_chapters_share_is_the_same_file_and_nothing_else_stands_twice():
    seen = {}
    for chapter in CHAPTERS:
        assert (ROOT / chapter / "scaffold.py").is_file()
        for path, tree in sources(chapter):
            if path.name in SHARED:
                continue
            for node in tree.body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    seen.setdefault(node.name, []).append((f"{chapter}/{path.name}", ast.unparse(node)))
    seen.pop("parse_args")  # where a script has no flag of its own
    for name, copies in seen.items():
        texts = [text for _, text in copies]
        assert len(set(texts)) == len(texts), f"{name} stands twice, in {[where for where, _ in copies]}"
    for name in SHARED:
        copies = {path.read_bytes() for path in ROOT.glob(f"hw*/{name}")}
        assert len(copies) == 1, f"{name} differs: run tests/copy_scaffold.py"


def test_run_ends_in_one_line_on_ctrl_c(load_chapter, capsys):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        load_chapter(CHAPTERS[0], "scaffold").scaffold.run(interrupted)
    assert ended.value.code == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_replacing_leaves_the_old_file_when_cut_short(load_chapter, tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("old")

    def cut_short():
        with load_chapter(CHAPTERS[0], "scaffold").scaffold.replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_short()
    assert [found.name for found in tmp_path.iterdir()] == ["submission.csv"]
    assert path.read_text() == "old"


@every_chapter
def test_scripts_have_one_shape(chapter):
    for script in ("train", "predict", "report"):
        tree = ast.parse((ROOT / chapter / f"{script}.py").read_text("utf-8"))
        assert f"python {chapter}/{script}.py" in ast.get_docstring(tree)
        if script == "train":
            text = (ROOT / chapter / "train.py").read_text("utf-8")
            assert text.count("\n") <= 180, f"{chapter}/train.py is long"
            parse = next(node for node in tree.body if getattr(node, "name", "") == "parse_args")
            assert parse.end_lineno - parse.lineno < 30, f"parse_args of {chapter} is long"
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert functions[0] == "parse_args"
        assert "main" in functions
        assert ast.unparse(tree.body[-1]) == "if __name__ == '__main__':\n    run(main)"
