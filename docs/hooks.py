"""MkDocs hooks: README, CONTRIBUTING and other files outside docs/ become part of the site.

Links in Markdown are written for GitHub, relative to the file. The site has all pages in one folder.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "testing/benchmark/results/results.md": "results.md",
    "testing/benchmark/results/results.svg": "results.svg",
    "deploy/grafana/fast-ml.json": "fast-ml.json",
}
"""Files of the repository, and their names in the site."""
LINK = re.compile(r"(?<=\]\()[^)\s#:]+(?=[)#])")
"""The path of a Markdown link that stays in the repository."""


def on_files(files: Files, config: Any) -> Files:
    """Add the files outside docs/."""
    for source, name in OUTSIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point each link to the name that the site gives its target."""
    folder = Path(page.file.abs_src_path).relative_to(ROOT).parent.as_posix()
    return LINK.sub(lambda link: in_site(posixpath.normpath(posixpath.join(folder, link[0]))), markdown)


def in_site(path: str) -> str:
    """Return the name in the site of a file of the repository."""
    return OUTSIDE.get(path, path.removeprefix("docs/"))
