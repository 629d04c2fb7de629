"""A real browser, and a JupyterLab of its own that serves copies of the notebooks."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import sync_playwright

from helpers.storage import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "microsoft-edge")
MACOS_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
TOKEN = "browser-tests"
LAB_TIMEOUT = 120_000  # milliseconds, on a busy machine
CLOSE_ALL = """async () => {
  for (const shown of [...jupyterapp.shell.widgets("main")]) {
    if (shown.context) shown.context.model.dirty = false;  // asks nothing
    shown.close();
  }
  await jupyterapp.serviceManager.sessions.shutdownAll();
}"""
# Text that is no code and still shows its Markdown: a formula, a table or bold words left raw.
RAW = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode())
    if (/[$]|^[|]|[*][*].+[*][*]/m.test(texts.currentNode.data) &&
        !texts.currentNode.parentElement.closest("script, style, pre, code, math"))
      found.push(texts.currentNode.data);
  return found;
}"""


def find_browser() -> str | None:
    """The first Chromium on this machine; ``CHROMIUM=/path`` names another."""
    names = (os.environ.get("CHROMIUM", ""), *BROWSERS, MACOS_CHROME)
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser():
    executable = find_browser()
    if executable is None:
        pytest.skip("no Chromium found; on Debian or Ubuntu: sudo apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def new_page(browser):
    """A page that reaches nothing but this machine, as wide as a lecture's projector."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    local = ("http://127.0.0.1:", "file:", "data:", "blob:")
    page.route(
        lambda url: not url.startswith(local),
        lambda route: route.abort(),
    )
    return page


@pytest.fixture
def page(browser):
    """A new page."""
    page = new_page(browser)
    yield page
    page.close()


@pytest.fixture
def watched(page):
    """A page, and what it asked for or complained of."""
    complaints = []
    page.on(
        "request",
        lambda r: r.url.startswith(("file:", "data:", "blob:")) or complaints.append(r.url),
    )
    page.on("console", lambda m: m.type != "error" or complaints.append(m.text))
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    return page, complaints


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory):
    """What the JupyterLab of these tests serves: copies of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return folder


@pytest.fixture(scope="session")
def lab_server(lab_folder):
    """URL of a JupyterLab, free of the reader's settings."""
    folder = lab_folder
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (folder / "log").open("w")
    options = f"--no-browser --allow-root --ip=127.0.0.1 --port={port} --ServerApp.port_retries=0"
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyter",
            "lab",
            *options.split(),
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={folder}",
            "--LabApp.expose_app_in_browser=True",  # as window.jupyterapp, to open and close files
            "--FileContentsManager.pre_save_hook=helpers.notebooks.on_save",  # as in the Makefile
        ],
        env=os.environ | own | {"JUPYTER_RUNTIME_DIR": str(folder / "runtime")},
        stdout=log,
        stderr=log,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/api", server, folder / "log")
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


@pytest.fixture(scope="session")
def lab_page(browser, lab_server):
    """JupyterLab in the browser: it takes longer to load than most notebooks to run."""
    page = new_page(browser)
    page.goto(f"{lab_server}/lab?token={TOKEN}")
    page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=LAB_TIMEOUT)
    yield page
    page.close()


@pytest.fixture
def lab(lab_page):
    """JupyterLab; what a test opened is closed, and its kernel ended, which frees memory."""
    yield lab_page
    lab_page.evaluate(CLOSE_ALL)


def wait_for(url, server, log):
    """Return once the server answers; fail with its log if it does not within a minute."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            assert server.poll() is None, log.read_text()
            time.sleep(0.2)
