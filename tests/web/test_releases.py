"""What the browser keeps of the page: it opens without the server, a newer one replaces it, and no answer is kept."""

from __future__ import annotations

import hashlib
import re
import shutil

import pytest
from playwright.sync_api import expect

from tests.web.conftest import PATIENCE_MS, Dashboard, Serving

# The paths that the page's own worker has kept, of all releases.
KEPT = """async () => {
  const found = [];
  for (const name of await caches.keys())
    for (const request of await (await caches.open(name)).keys()) found.push([name, new URL(request.url).pathname]);
  return found;
}"""
# True when the worker answers for the page, false after a minute.
CONTROLLED = """() => Promise.race([
  new Promise((resolve) => {
    if (navigator.serviceWorker.controller) resolve(true);
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true));
  }),
  new Promise((resolve) => setTimeout(() => resolve(false), 60_000)),
])"""


def replace(folder, name: str, text: str) -> None:
    """Write a file of the build, as plain text only."""
    for suffix in (".br", ".gz"):
        (folder / f"{name}{suffix}").unlink(missing_ok=True)
    (folder / name).write_text(text)


def release(folder, version: str) -> None:
    """Make the build in a folder another release: its page says so, and the palette's script is not there any more."""
    page = (folder / "index.html").read_text().replace("</title>", f'</title><meta name="release" content="{version}">')
    replace(folder, "index.html", page)
    worker = (folder / "service-worker.js").read_text()
    worker = re.sub('RELEASE = "[^"]*"', f'RELEASE = "{version}"', worker, count=1)
    digest = hashlib.sha256(page.encode()).hexdigest()
    worker = re.sub('PAGE_DIGEST = "[^"]*"', f'PAGE_DIGEST = "{digest}"', worker, count=1)
    worker = re.sub(r'"/assets/command-palette-[^"]*",', "", worker, count=1)
    replace(folder, "service-worker.js", worker)
    remove_palette(folder)


def remove_palette(folder) -> None:
    """Take the script of the command palette, which is loaded when it is first opened, out of a build."""
    for path in (folder / "assets").glob("command-palette-*"):
        path.unlink()


@pytest.fixture
def own(stores, world, built, tmp_path):
    """A serving process with a build of its own, which can be changed."""
    folder = shutil.copytree(built, tmp_path / "dist")
    process = Serving(stores[0].port, stores[1].port, folder, relational_url=f"sqlite:///{tmp_path}/own.sqlite")
    process.start()
    yield process
    process.kill()


@pytest.fixture
def kept(new_context, own):
    """A page whose files the browser has kept."""
    dashboard = Dashboard(new_context(service_workers="allow"), own.address)
    dashboard.open("executive")
    assert dashboard.page.evaluate(CONTROLLED), "the service worker did not take over"
    yield dashboard
    assert dashboard.errors == []


def test_the_page_opens_while_the_server_is_away(kept, own):
    page = kept.page
    own.kill()
    answer = page.goto(f"{own.address}/performance?tenant=acme")
    assert answer.from_service_worker
    expect(page.get_by_role("heading", name="Performance", exact=True)).to_be_visible()
    expect(page.get_by_text("The server does not answer; the page keeps asking.")).to_be_visible()
    # Its content policy is kept with it.
    assert "default-src 'none'" in answer.all_headers()["content-security-policy"]


def test_no_answer_of_the_services_is_kept(kept, own):
    for template in ("performance", "automation", "platform"):
        kept.open(template)
    names = kept.page.evaluate(KEPT)
    assert len({cache for cache, _ in names}) == 1
    others = [path for _, path in names if path not in {"/", "/favicon.svg"} and not path.startswith("/assets/")]
    assert others == []
    assert "/" in {path for _, path in names}


@pytest.mark.parametrize("path", ["readyz", "api/openapi.json", "auth/session"])
def test_addresses_of_the_server_are_its_own(path, kept, own):
    answer = kept.page.goto(f"{own.address}/{path}")
    assert not answer.from_service_worker
    assert answer.headers["content-type"].startswith("application/json")


def test_a_newer_release_replaces_the_page(kept, own):
    page = kept.page
    release(own.web, "second")
    # The kept page comes once more, and meanwhile the newer one.
    page.reload()
    expect(page.get_by_text("A newer version of this page is there.")).to_be_visible()
    assert page.locator("meta[name=release]").count() == 0
    # A file that the older page needs now, and that is not on the server any more, is still kept.
    page.keyboard.press("Control+k")
    expect(page.get_by_role("searchbox", name="Search the commands")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Load it").click()
    expect(page.locator("meta[name=release][content=second]")).to_be_attached()
    kept.filled()
    # Two releases are kept, not three.
    release(own.web, "third")
    page.reload()
    kept.until("(await caches.keys()).sort().join() === 'tributary-second,tributary-third'")


def test_a_release_that_is_half_there_is_not_kept(kept, own):
    page = kept.page
    release(own.web, "second")
    # As while servers are replaced: the worker is of the new release, the page of the old one.
    old = (own.web / "index.html").read_text().replace('content="second"', 'content="first"')
    replace(own.web, "index.html", old)
    failed = page.evaluate("navigator.serviceWorker.ready.then((one) => one.update()).then(() => '', String)")
    assert failed == ""
    given_up = """navigator.serviceWorker.ready.then((one) => new Promise((resolve) => {
      const worker = one.installing;
      if (!worker || worker.state === "redundant") return resolve(true);
      worker.addEventListener("statechange", () => worker.state === "redundant" && resolve(true));
      setTimeout(() => resolve(false), 60_000);
    }))"""
    assert page.evaluate(given_up)
    page.reload()
    kept.filled()
    assert page.locator("meta[name=release]").count() == 0


def test_a_missing_file_loads_the_page_again_and_then_is_said(new_context, own):
    dashboard = Dashboard(new_context(service_workers="block"), own.address)
    page = dashboard.page
    dashboard.open("executive")
    remove_palette(own.web)
    with page.expect_event("load", timeout=PATIENCE_MS):
        page.keyboard.press("Control+k")
    dashboard.filled()
    # It is still missing: once is enough.
    page.keyboard.press("Control+k")
    expect(page.get_by_role("button", name="Load it again")).to_be_visible()
