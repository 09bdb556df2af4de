"""The READMEs as a static site: no broken link, every picture there, formulas set as formulas."""

import re

import pytest
from build_site import build
from test_contract import CHAPTERS, ROOT

pytestmark = pytest.mark.full


def test_the_site(tmp_path):
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    build(tmp_path)
    for name in ("", *CHAPTERS):
        text = (tmp_path / name / "index.html").read_text("utf-8")
        for source in re.findall(r'<img[^>]*src="([^"]+)"', text):
            assert (tmp_path / name / source).is_file(), source
        formulas = (ROOT / name / "README.md").read_text("utf-8").count("$$") // 2
        assert len(re.findall(r'class="arithmatex">\\\[', text)) == formulas
        assert "$$" not in text
    assert "Minimum Bayes risk" in (tmp_path / "search" / "search_index.json").read_text("utf-8")
