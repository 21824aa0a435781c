"""Open a notebook in JupyterLab and Chromium, to look at it or to test it.

    python tests/browse_notebook.py NOTEBOOK OUTDIR [--run]

saves what a reader sees, screen by screen, as OUTDIR/NAME-00.png, NAME-01.png, ...
The test of the explorers uses the same functions.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address and token."""

    port: int
    token: str

    def url(self, notebook: str) -> str:
        """The page of one notebook alone, without file browser and tabs."""
        return f"http://127.0.0.1:{self.port}/doc/tree/{notebook}?token={self.token}"


@contextlib.contextmanager
def running_lab(folder: Path, **environment: str) -> Iterator[Lab]:
    """JupyterLab serving `folder` on a free port, with settings of its own; ended afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="lab-") as scratch:
        places = {
            name: str(Path(scratch, name.lower()))
            for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR")
        }
        places |= {"IPYTHONDIR": str(Path(scratch, "ipython")), **environment}
        for place in places.values():
            if place.startswith(scratch):
                Path(place).mkdir(parents=True)
        log = Path(scratch, "lab.log")
        arguments = [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={folder}",
            "--LabApp.extension_manager=readonly",
            "--LabApp.news_url=",
            f"--LabApp.workspaces_dir={scratch}/workspaces",
            f"--LabApp.user_settings_dir={scratch}/settings",
        ]
        overrides = Path(scratch, "settings", "@jupyterlab", "apputils-extension")
        overrides.mkdir(parents=True)
        (overrides / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}'
        )
        with log.open("wb") as out:
            server = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **places},
                start_new_session=True,
            )
        lab = Lab(port, token)
        try:
            _wait_until_up(lab, server, log)
            yield lab
        finally:
            _end(server)


def _wait_until_up(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    address = f"http://127.0.0.1:{lab.port}/api/status?token={lab.token}"
    # The server is local: no proxy of the environment may come between.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(900):
        if server.poll() is not None:
            break
        try:
            with opener.open(address, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels, which share its process group or end with it."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=5)


def chromium() -> str | None:
    """Debian's Chromium, or another one on the path; None leaves it to Playwright's own."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def browser_page(width: int = 1280, height: int = 900) -> Iterator[Any]:
    """A page of a fresh Chromium without a proxy."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=[*CHROMIUM_ARGUMENTS, "--no-proxy-server"]
        )
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(90_000)  # a busy machine takes its time to start
            yield page
        finally:
            browser.close()


def open_notebook(page: Any, lab: Lab, name: str, seconds: float = 90) -> None:
    """Load a notebook and wait until its cells are drawn and the kernel is ready."""
    page.goto(lab.url(name), wait_until="domcontentloaded")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=1000 * seconds)
    page.wait_for_function(
        "() => { const icon = document.querySelector('.jp-Notebook-ExecutionIndicator');"
        " return icon && icon.getAttribute('data-status') === 'idle'; }",
        timeout=1000 * seconds,
    )


def run_all(page: Any, seconds: float = 90) -> None:
    """Run all cells and wait until the last one is done.

    JupyterLab can lose the click while it is still starting, so it is made again.
    """
    tries = 3
    for left in reversed(range(tries)):
        page.keyboard.press("Escape")
        page.locator(".jp-Notebook .jp-Cell").first.click()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        try:
            _wait_for_prompts(page, seconds / 2)
            return
        except Exception as error:
            if left == 0 or type(error).__name__ != "TimeoutError":
                raise


def _wait_for_prompts(page: Any, seconds: float) -> None:
    """Wait until every cell with code has a number."""
    page.wait_for_function(
        """() => {
            const codes = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
            const prompts = codes.map(c => c.querySelector('.jp-InputPrompt')?.textContent ?? '');
            return prompts.length && prompts.every((p, i) => {
                if (codes[i].querySelector('.cm-content')?.textContent.trim() === '') return true;
                return /\\d/.test(p);
            });
        }""",
        timeout=1000 * seconds,
    )


def screenshots(page: Any, folder: Path, stem: str, cells: int) -> list[Path]:
    """Scroll through a notebook of so many cells and save each screen."""
    folder.mkdir(parents=True, exist_ok=True)
    scroller = (
        "[...document.querySelectorAll('.jp-WindowedPanel-outer, .jp-Notebook')]"
        ".find(e => e.scrollHeight > e.clientHeight + 5) ?? document.querySelector('.jp-Notebook')"
    )
    last_cell = f'.jp-Notebook .jp-Cell[data-windowed-list-index="{cells - 1}"]'
    at_end = (
        "e => { const last = document.querySelector('" + last_cell + "'); return last !== null"
        " && last.getBoundingClientRect().bottom <= e.getBoundingClientRect().bottom; }"
    )
    saved: list[Path] = []
    last = -1.0
    page.evaluate(f"({scroller}).scrollTop = 0")
    while True:
        page.wait_for_timeout(400)
        at = page.evaluate(f"({scroller}).scrollTop")
        if at <= last and saved:
            return saved  # as far down as it goes
        last = at
        path = folder / f"{stem}-{len(saved):02d}.png"
        page.screenshot(path=str(path))
        saved.append(path)
        # Below the last cell JupyterLab leaves an empty screen.
        if page.evaluate(f"({at_end})({scroller})"):
            return saved
        page.evaluate(f"(e => {{ e.scrollTop += 0.9 * e.clientHeight; }})({scroller})")


def main() -> None:
    """Save a notebook's screens as pictures."""
    parser = argparse.ArgumentParser(description="Save what a reader of a notebook sees, as PNG.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--run", action="store_true", help="run all cells first, in a copy")
    parser.add_argument("--seconds", type=float, default=600, help="limit for running all cells")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=900)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="browse-") as scratch:
        copy = Path(scratch, options.notebook.name)
        shutil.copy(options.notebook, copy)  # JupyterLab saves by itself: never the original
        with (
            running_lab(Path(scratch)) as lab,
            browser_page(options.width, options.height) as page,
        ):
            open_notebook(page, lab, copy.name)
            if options.run:
                run_all(page, options.seconds)
            cells = len(json.loads(copy.read_text(encoding="utf-8"))["cells"])
            for path in screenshots(page, options.outdir, options.notebook.stem, cells):
                print(path)


if __name__ == "__main__":
    main()
