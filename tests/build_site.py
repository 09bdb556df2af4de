"""Build the READMEs as a static site, with pictures, search and formulas: python tests/build_site.py FOLDER

Needs `pip install mkdocs-material`, which no chapter does. A link that leads nowhere is an error.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORMULAS = r"""window.MathJax = {
  tex: {inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]]},
  options: {ignoreHtmlClass: ".*|", processHtmlClass: "arithmatex"}
};
"""


def write_pages(folder):
    """Copy what the READMEs show and link to into a folder, the cover as index.md; the files' paths stay."""
    for chapter in sorted(path.parent for path in ROOT.glob("hw*/README.md")):
        pages = folder / chapter.name
        shutil.copytree(chapter / "results", pages / "results")
        for path in [*chapter.glob("*.py"), *chapter.glob("*.ipynb"), chapter / "README.md"]:
            shutil.copy(path, pages)
    for name in ("LICENSE", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "README.md", folder / "index.md")
    (folder / "formulas.js").write_text(FORMULAS, "utf-8")


def write_configuration(folder, pages):
    """.github/mkdocs.yml with the pages' folder and their order. Returns the file."""
    titles = {"Cover": "index.md"}
    for path in sorted(pages.glob("hw*/README.md")):
        title = re.match(r"# (.*)", path.read_text("utf-8"))[1]
        titles[title.removeprefix("Homework ")] = f"{path.parent.name}/README.md"
    path = folder / "mkdocs.yml"
    lines = [f"  - '{title}': {page}" for title, page in titles.items()]
    text = (ROOT / ".github" / "mkdocs.yml").read_text("utf-8")
    path.write_text("\n".join([text, f"docs_dir: {pages}", "nav:", *lines, ""]), "utf-8")
    return path


def build(site):
    """Write the site into a folder. Raises CalledProcessError if a link is broken."""
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        pages.mkdir()
        write_pages(pages)
        configuration = write_configuration(Path(folder), pages)
        command = ["build", "--strict", "--config-file", configuration, "--site-dir", site.resolve()]
        subprocess.run([sys.executable, "-m", "mkdocs", *command], check=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
