"""The contract that every chapter keeps."""

import ast
import json
import keyword
import re
import shlex
import sys
from pathlib import Path

import pandas as pd
import pytest

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

# Functions and classes that stand in several chapters, to the letter, so that each folder runs alone.
TWINS = {"BadInput", "read_picture", "replacing", "run", "record", "publish", "write_classifier"}
TWIN_LINES = 12

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
# Flags of train.py's own, beside --resume: five are enough for a chapter with one method to tune. hw07 has a
# chain of four methods, of which each can be chosen, set and left out.
OWN_FLAGS = {chapter: 5 for chapter in CHAPTERS} | {
    "hw04_rnn_selftrain": 8,
    "hw07_compression": 12,
    "hw11_gan": 8,
    "hw13_meta": 8,
    "hw14_lifelong": 6,
    "hw15_rl": 7,
}
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
    allowed = {*CHAPTERS, "README.md", "requirements.txt", "tests", "pyproject.toml", "LICENSE"}
    assert {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} <= allowed


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


@every_chapter
def test_defaults_of_the_common_flags(chapter, load_chapter):
    for script, flags in (("train", 7), ("predict", 3)):
        module = getattr(load_chapter(chapter, script), script)
        args = module.parse_args([])
        assert args.data_dir == ROOT / chapter / "data"
        assert args.out_dir == ROOT / chapter / "out"
        assert args.synthetic is False
        names = [flag for flag, _ in declared_flags(ROOT / chapter / f"{script}.py")]
        counted = ["--iterations" if name == "--epochs" else name for name in COMMON_FLAGS]
        assert names[:flags] in (COMMON_FLAGS[:flags], counted[:flags])
        if script == "train":
            assert args.seed == 0
            assert len(names) - flags - names.count("--resume") <= OWN_FLAGS[chapter]
        with pytest.raises(SystemExit):  # no abbreviations: a flag added later would change their meaning
            module.parse_args(["--synth"])


@every_chapter
def test_booleans_are_switches(chapter):
    for script in ("train", "predict", "report"):
        for flag, keywords in declared_flags(ROOT / chapter / f"{script}.py"):
            assert keywords.get("type") != "bool", f"{script}.py {flag}: bool('False') is True"
            assert re.fullmatch(r"--[a-z0-9]+(-[a-z0-9]+)*", flag), f"{script}.py {flag}"
            assert "help" in keywords, f"{script}.py {flag} has no help"


@every_chapter
def test_every_declared_flag_is_read(chapter):
    for script in ("train", "predict", "report"):
        path = ROOT / chapter / f"{script}.py"
        tree = ast.parse(path.read_text("utf-8"))
        read = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "args"
        }
        for flag, _ in declared_flags(path):
            name = flag[2:].replace("-", "_")
            name += "_" * keyword.iskeyword(name)  # args.lambda would be no Python
            assert name in read, f"{script}.py never reads {flag}"


def declared_flags(path):
    """The flags that a script declares, in order: [("--seed", {"type": "int", ...})]."""
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument"
    ]
    calls.sort(key=lambda call: call.lineno)
    return [(call.args[0].value, {k.arg: ast.unparse(k.value) for k in call.keywords}) for call in calls]


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
    args = module.parse_args(argv)  # a flag that is gone ends in SystemExit
    if hasattr(module, "check"):
        module.check(args)


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
    said = re.findall(r"-?\d+\.\d+", ours + " " + compared.split("elsewhere:")[0])
    for number in said:
        decimals = len(number.split(".")[1])
        assert any(f"{value:.{decimals}f}" == number for value in held), f"{number} is not in {results}"
    seconds = json.loads((results / "metrics.json").read_text())["seconds"]
    measured = max(seconds["one_fit"], seconds["all"]) / 60
    assert minutes == (f"{measured:.0f}" if measured >= 1 else "<1")
    picture = ROOT / re.search(r'<img src="(.*?)"', first)[1]
    assert picture.parent == results
    assert picture.stat().st_size <= 60 * 1024, f"{picture.name} is large for a thumbnail"


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


def test_twins_are_identical_and_nothing_else_is():
    seen = {}
    for chapter in CHAPTERS:
        for path, tree in sources(chapter):
            for node in tree.body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    seen.setdefault(node.name, []).append((f"{chapter}/{path.name}", node))
    for name, places in seen.items():
        texts = [ast.unparse(node) for _, node in places]
        if name in TWINS:
            assert len(set(texts)) == 1, f"{name} differs among {[where for where, _ in places]}"
            assert places[0][1].end_lineno - places[0][1].lineno < TWIN_LINES
            assert len({where.split("/")[0] for where, _ in places}) == len(places)
        else:
            assert len(set(texts)) == len(texts), f"{name} stands twice, in {[where for where, _ in places]}"
    assert set(seen) >= TWINS


def test_twin_run_ends_in_one_line_on_ctrl_c(load_chapter, capsys):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        load_chapter(CHAPTERS[0], "dataset").dataset.run(interrupted)
    assert ended.value.code == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_twin_replacing_leaves_the_old_file_when_cut_short(load_chapter, tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("old")

    def cut_short():
        with load_chapter(CHAPTERS[0], "dataset").dataset.replacing(path) as beside:
            beside.write_text("half")
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
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert functions[0] == "parse_args"
        assert "main" in functions
        assert ast.unparse(tree.body[-1]) == "if __name__ == '__main__':\n    run(main)"


def test_every_parser_shows_defaults_and_takes_no_abbreviation():
    for chapter in CHAPTERS:
        for script in ("train", "predict", "report"):
            text = (ROOT / chapter / f"{script}.py").read_text("utf-8")
            assert "formatter_class=argparse.ArgumentDefaultsHelpFormatter" in text
            assert "allow_abbrev=False" in text
