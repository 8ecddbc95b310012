"""docs/ as a site: it builds without a warning, and loads nothing from other hosts."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import PAGES, path_of
from server import ROOT

LINK = re.compile(r"\]\(([^)\s#:]+)(?=[)#])")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    if not find_spec("mkdocs") and not os.environ.get("CI"):
        pytest.skip("MkDocs is not installed; `make docs` installs it")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.mark.parametrize("page", PAGES, ids=path_of)
def test_links_of_a_page_lead_to_files_of_the_repository(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_site(site: Path) -> None:
    names = {page.stem.lower() for page in PAGES} - {"readme"} | {"index", "changelog", "results"}
    assert names <= {page.stem for page in site.glob("*.html")}


def test_the_reference_has_the_docstrings_of_every_wing(site: Path) -> None:
    pages = {"ML": "reference-ml.html", "rest_api": "reference-rest-api.html"}
    for package, page in pages.items():
        anchors = set(re.findall(r'id="([\w.]+)"', (site / page).read_text()))
        wings = {folder.parent.name for folder in (ROOT / package).glob("*/__init__.py")}
        assert {f"{package}.{wing}" for wing in wings} <= anchors


def test_the_site_loads_nothing_from_other_hosts(site: Path) -> None:
    tags = [
        tag
        for page in site.glob("*.html")
        for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text())
    ]
    assert [tag for tag in tags if re.search(r'(?:src|href)="(?:https?:)?//', tag)] == []
    styles = [style.read_text() for style in site.rglob("*.css")]
    assert not any(re.search(r"url\(['\"]?(?:https?:)?//", style) for style in styles)
