"""A browser, stores, and serving as a process of its own, shared by the tests of the dashboards."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.serving.local_stores import clickhouse, database, free_port, redis_server
from tests.web.marketing_world import MarketingWorld

ROOT = Path(__file__).parent.parent.parent
WEB = ROOT / "serving" / "web"
SCREENSHOTS = ROOT / "results" / "dashboards"
DATABASE = "web_tests"
# The machine is shared: what is waited for may take this long, and is waited for no longer than it takes.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
# What the browser says its user prefers, by the theme that follows from it.
PREFERENCES = {
    "light": {"color_scheme": "light", "contrast": "no-preference"},
    "dark": {"color_scheme": "dark"},
    "contrast": {"contrast": "more"},
}
# The rules of axe-core up to WCAG 2.2 AA whose outcome depends on colours.
COLOUR_RULES = ["color-contrast", "link-in-text-block"]
# How Chromium writes down that a request of the page or of its worker failed.
NO_ANSWER = r"Failed to load resource|net::ERR|error occurred when fetching the script"
CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CHROMIUM += ["--disable-component-update", "--disable-sync"]


@dataclass
class Serving:
    """A serving process that can be killed and started again on the same port."""

    clickhouse: int
    redis: int
    web: Path
    port: int = field(default_factory=free_port)
    # Where custom dashboards are kept.
    relational_url: str = ""
    process: subprocess.Popen | None = None
    # Further options of the process, such as who signs people in, and its environment.
    more: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    # Offsets of the signals go on over a restart, as those of a topic do.
    started: count = field(default_factory=lambda: count(1))

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        arguments = {"clickhouse": self.clickhouse, "redis": self.redis, "http": self.port, "database": DATABASE}
        arguments |= {"web": self.web, "relational-url": self.relational_url}
        arguments["offset"] = 100_000 * next(self.started)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.web.serving_process"]
            + [part for name, value in arguments.items() for part in (f"--{name}", str(value))]
            + list(self.more),
            env=os.environ | self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert json.loads(self.process.stdout.readline())["http"] == self.port

    def publish(self, *records: dict, topic: str = "signals") -> None:
        """Let signals arrive, as from Kafka."""
        self.process.stdin.write(json.dumps({"topic": topic, "records": records}) + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("web-stores")
    started = [clickhouse(folder), redis_server(folder)]
    try:
        for store in started:
            store.start()
        yield started
    finally:
        for store in started:
            store.stop()


@pytest.fixture(scope="session")
def world(stores, seed):
    made = MarketingWorld("acme", seed)
    made.store(database(stores[0].port, DATABASE))
    return made


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """A copy of the built app, which a build that runs meanwhile does not change."""
    assert (WEB / "dist" / "index.html").is_file(), "the web app is not built: run `make web`"
    return shutil.copytree(WEB / "dist", tmp_path_factory.mktemp("web") / "dist")


@pytest.fixture(scope="session")
def serving(stores, world, built, tmp_path_factory):
    relational_url = f"sqlite:///{tmp_path_factory.mktemp('relational')}/dashboards.sqlite"
    process = Serving(stores[0].port, stores[1].port, built, relational_url=relational_url)
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="session")
def browser():
    found = shutil.which("chromium")
    assert found, "chromium is not installed: run `make toolchain`"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=CHROMIUM)
        yield started
        started.close()


class Dashboard:
    """A page of the dashboards, with what went wrong in it."""

    def __init__(self, context, address: str) -> None:
        """Open an empty page in the context."""
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.set_default_navigation_timeout(PATIENCE_MS)
        self.address = address
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _note(self, message) -> None:
        # A call that the server refuses or that does not arrive is logged by the browser; the page says it in words.
        if message.type == "error" and not re.search(NO_ANSWER, message.text):
            self.errors.append(message.text)

    def open(self, template: str, **search: str) -> None:
        """Open a template and wait until every widget has its figures."""
        query = "&".join(f"{name}={value}" for name, value in ({"tenant": "acme"} | search).items())
        self.page.goto(f"{self.address}/{template}?{query}")
        self.filled()

    def filled(self) -> None:
        """Wait until no widget is loading."""
        expect(self.page.locator(".widget").first).to_be_visible()
        expect(self.page.locator(".skeleton, [data-stale], [aria-busy=true]")).to_have_count(0)

    def until(self, condition: str) -> None:
        """Wait until an expression of JavaScript is true, as seen at each frame of the page."""
        # Playwright's own wait_for_function makes a function of a text, which the content policy forbids.
        met = self.page.evaluate(
            f"""async () => {{
              const end = performance.now() + {PATIENCE_MS};
              while (!({condition})) {{
                if (performance.now() > end) return false;
                await new Promise(requestAnimationFrame);
              }}
              return true;
            }}"""
        )
        assert met, f"{condition} did not become true"

    def raw(self, name: str) -> float:
        """Return the figure of a test id as it was read, unrounded."""
        return float(self.page.get_by_test_id(name).get_attribute("data-raw"))

    def prefer(self, theme: str) -> None:
        """Let the browser say that its user prefers a theme from now on, and wait until the page has followed."""
        self.page.emulate_media(**PREFERENCES["light"] | PREFERENCES[theme])
        expect(self.page.locator("html")).to_have_attribute("data-theme", theme)
        # Colours on their way to others are neither theme's.
        self.until("document.getAnimations().every((one) => one.playState !== 'running')")

    def audit(self, axe: str, *, colours: bool = False) -> list[str]:
        """Return what axe-core finds wrong, one line a violation; only by the rules of colour if `colours`."""
        # The content policy of the page forbids the injection of scripts: axe is evaluated by the debugger instead.
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(axe)
        found = self.page.evaluate(
            """async (rules) => {
              const only = rules.length ? { runOnly: { type: "rule", values: rules } } : {};
              return (await window.axe.run(document, { resultTypes: ["violations"], ...only })).violations;
            }""",
            COLOUR_RULES if colours else [],
        )
        return [
            f"{one['id']}: {one['help']}: {node['target']} {node['html'][:160]}"
            for one in found
            for node in one["nodes"]
        ]


@pytest.fixture
def new_context(browser, serving):
    """Open browser contexts, each a person of their own; all are closed at the end."""
    opened = []

    def make(**options):
        chosen = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", "timezone_id": "UTC"} | options
        opened.append(browser.new_context(**chosen))
        return opened[-1]

    yield make
    for context in opened:
        context.close()


@pytest.fixture
def dashboard(new_context, serving):
    made = Dashboard(new_context(), serving.address)
    yield made
    assert made.errors == []


@pytest.fixture(scope="session")
def axe() -> str:
    return (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text()
