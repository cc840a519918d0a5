"""Every page of the documentation links only what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_WRITTEN_BY_MAKE_DOCS = "keywords/"
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", _CODE.sub("", page.read_text()))
    local = [link for link in links if "://" not in link and not link.startswith(_WRITTEN_BY_MAKE_DOCS)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_index_links_the_keywords_of_every_library_and_resource() -> None:
    sources = [*(ROOT / "keywords").glob("*Library/__init__.py"), *(ROOT / "resources").glob("*.resource")]
    names = {source.parent.name if source.name == "__init__.py" else source.stem for source in sources}
    linked = re.findall(r"\(keywords/(\w+)\.html\)", (ROOT / "docs" / "index.md").read_text())
    assert set(linked) == names
