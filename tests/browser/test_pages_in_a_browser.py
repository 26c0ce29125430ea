"""The pages in a real browser: nothing scrolls sideways on a phone, every link opens, nothing comes from elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from dagster_project.home import Home
from dagster_project.service.pages import serve
from tests.browser.chromium import Browser, browsing, chromium

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine (apt install chromium)")

PHONE, DESKTOP = 390, 1280
WRONG, SENT = ("Log.entryAdded", "Runtime.exceptionThrown"), "Network.requestWillBeSent"


@pytest.fixture(scope="module")
def address(demo: Home) -> Iterator[str]:
    """The address of a server of the demo's pages."""
    with serve(demo, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as one:
        yield one


def names(demo: Home) -> list[str]:
    """Every page of the demo, by its path below reports."""
    pages = [*demo.reports.glob("*.html"), *demo.reports.glob("issues/*.html")]
    return sorted(path.relative_to(demo.reports).as_posix() for path in pages if path.name != "closed_loop.html")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_scrolls_sideways_and_nothing_goes_wrong(
    demo: Home, address: str, browser: Browser, width: int
) -> None:
    assert len(names(demo)) > 7
    for name in names(demo):
        browser.open(address + name, width)
        assert str(browser.value("document.title")).endswith("· feedback-control")
        needed = browser.value("Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)")
        wide = browser.value(
            "[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right >"
            " document.documentElement.clientWidth + 1).map(one => one.outerHTML.slice(0, 120)).slice(0, 3)"
        )
        assert (needed <= width, wide) == (True, []), name
        assert not [one for one in browser.events if one["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
        sent = [
            one["params"]["request"]["url"] for one in browser.events if one["method"] == "Network.requestWillBeSent"
        ]
        assert {urlsplit(url).netloc for url in sent} == {urlsplit(address).netloc}


def test_letters_can_be_read_on_a_phone(demo: Home, address: str, browser: Browser) -> None:
    for name in names(demo):
        browser.open(address + name, PHONE)
        sizes = browser.value(
            "[...document.querySelectorAll('main p, main td, main li, main figcaption, main b')]"
            ".map(one => parseFloat(getComputedStyle(one).fontSize))"
        )
        assert min(sizes) >= 14, name


def test_every_link_opens(demo: Home, address: str, browser: Browser) -> None:
    links: set[str] = set()
    for name in names(demo):
        browser.open(address + name, DESKTOP)
        found = browser.value("[...document.querySelectorAll('a')].map(one => one.getAttribute('href'))")
        links |= {urljoin(address + name, link).partition("#")[0] for link in found}
    assert len(links) > 30
    with httpx.Client() as client:
        broken = {link: client.get(link).status_code for link in sorted(links)}
    assert {link: status for link, status in broken.items() if status != 200} == {}


def test_the_pages_work_from_a_folder_too(demo: Home, browser: Browser, tmp_path: Path) -> None:
    browser.open((demo.reports / "index.html").as_uri(), PHONE)
    assert browser.value("document.title") == "Start · feedback-control"
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "flex"
