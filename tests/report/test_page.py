"""The page in a real browser: Debian's Chromium, if it is installed."""

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report.making import started

from neurito import Trials
from neurito.models import LangevinFlow
from neurito.report import page as made

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="selenium is not installed: pip install 'neurito[test]'"
)
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver"
)
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-background-networking",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    except WebDriverException as error:
        pytest.skip(f"the browser does not start: {error.msg}")
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def opened(browser: Any, page: Path) -> Any:
    """The page, opened from a file."""
    browser.get(page.as_uri())
    until(lambda: browser.execute_script("return document.documentElement.dataset.ready"))
    return browser


@pytest.fixture
def landscape(browser: Any, opened: Any, tmp_path: Path) -> Iterator[Any]:
    """The page of Langevin dynamics of two positions, without conditions."""
    trials = Trials.from_array(np.random.default_rng(0).poisson(0.5, (5, 12, 3)), bin_width=0.02)
    run = started(LangevinFlow(latents=3, hidden=4, control=4, context=4), trials)
    (tmp_path / "p.html").write_text(made(run, trials), encoding="utf-8")
    before = browser.current_url
    browser.get((tmp_path / "p.html").as_uri())
    until(lambda: browser.execute_script("return document.documentElement.dataset.ready"))
    yield browser
    browser.get(before)
    until(lambda: browser.execute_script("return document.documentElement.dataset.ready"))


def until(true: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the page is not ready"
        time.sleep(0.05)


def words(browser: Any, name: str) -> str:
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", name)


def drawn(browser: Any, plot: str) -> list[Any]:
    """What a figure shows: type and values of its traces."""
    return browser.execute_script(
        "return document.getElementById(arguments[0]).data.map(t => [t.type, Array.from(t.y).slice(0, 50)])",
        plot,
    )


def choose(browser: Any, select: str, index: int) -> None:
    element = browser.find_element("id", select)
    element.find_elements("tag name", "option")[index].click()


def test_no_errors_and_no_requests(opened: Any) -> None:
    assert [entry for entry in opened.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = []
    for entry in opened.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.append(message["params"]["request"]["url"])
    own = ("file:", "data:", "blob:", "chrome:")
    assert [url for url in asked if not url.startswith(own)] == []
    assert "sendChartToCloud" not in opened.execute_script(
        "return [...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.attr + b.dataset.title).join()"
    )


def test_pickers_change_the_figures(opened: Any) -> None:
    before, said = drawn(opened, "plot-channel"), words(opened, "words-channel")
    choose(opened, "channel", 3)
    assert drawn(opened, "plot-channel") != before
    assert words(opened, "words-channel") != said
    before, latent = drawn(opened, "plot-channel"), drawn(opened, "plot-latents")
    choose(opened, "trial", 1)
    assert drawn(opened, "plot-channel") != before
    assert drawn(opened, "plot-latents") != latent


def test_means_by_condition(opened: Any) -> None:
    choose(opened, "channel", 2)
    before = drawn(opened, "plot-psths")
    assert len(before) == 2 * 2  # of two conditions, inferred and recorded
    said = words(opened, "words-psths")
    assert "means over the shown trials of each condition" in said
    assert "counts smoothed with 50 ms" in said
    assert "spikes/s" in opened.execute_script("return document.getElementById('plot-psths').textContent")
    choose(opened, "channel", 4)
    assert drawn(opened, "plot-psths") != before
    assert words(opened, "words-psths") != said
    opened.execute_script("document.querySelector('#table-psths').closest('details').open = true")
    until(lambda: len(opened.find_elements("css selector", "#table-psths tr")) == 1 + 12)


def test_the_potential(landscape: Any) -> None:
    kinds = [kind for kind, _ in drawn(landscape, "plot-potential")]
    assert kinds == ["contour"] + [None] * 5  # lines
    said = words(landscape, "words-potential")
    assert "along position 1 and position 2, the other 1 position at their mean" in said
    before = drawn(landscape, "plot-potential")
    choose(landscape, "plane", 2)
    assert "along position 2 and position 3" in words(landscape, "words-potential")
    assert drawn(landscape, "plot-potential") != before
    before = drawn(landscape, "plot-potential")
    choose(landscape, "trial", 2)
    assert drawn(landscape, "plot-potential") != before
    assert "trial 2 thick" in words(landscape, "words-potential")
    assert "sort them into conditions" in words(landscape, "words-psths")
    assert [one for one in landscape.get_log("browser") if one["level"] == "SEVERE"] == []


def test_other_dynamics_have_no_potential(opened: Any) -> None:
    assert not opened.find_element("id", "landscape").is_displayed()


def test_latents_turn_and_change_axes(opened: Any) -> None:
    assert {kind for kind, _ in drawn(opened, "plot-space")} == {"scatter3d"}
    eye = "return JSON.stringify(document.getElementById('plot-space').layout.scene.camera.eye)"
    before = opened.execute_script(eye)
    opened.find_element("id", "turn").click()
    until(lambda: opened.execute_script(eye) != before)
    choose(opened, "z", len(opened.find_elements("css selector", "#z option")) - 1)
    assert {kind for kind, _ in drawn(opened, "plot-space")} == {"scatter"}
    before = drawn(opened, "plot-space")
    choose(opened, "x", 2)
    assert "latent 3, latent 2" in words(opened, "words-space")
    choose(opened, "z", 2)


def test_everything_has_words(opened: Any) -> None:
    unnamed = opened.execute_script(
        "return [...document.querySelectorAll('.plot:not([hidden])')]"
        ".filter(p => p.offsetParent && !document.getElementById(p.getAttribute('aria-labelledby')).textContent)"
        ".map(p => p.id)"
    )
    assert unnamed == []
    unlabelled = opened.execute_script(
        "return [...document.querySelectorAll('select')].filter(s => !s.labels.length).length"
    )
    assert unlabelled == 0
    opened.execute_script("document.querySelector('#table-channel').closest('details').open = true")
    until(lambda: opened.find_elements("css selector", "#table-channel td"))


def test_the_keyboard_reaches_the_pickers(opened: Any) -> None:
    opened.execute_script("document.querySelector('.skip').focus()")
    reached = set()
    for _ in range(60):
        opened.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(opened.execute_script("return document.activeElement.id"))
    assert {"trial", "channel", "by", "x", "y", "z", "turn"} <= reached
    opened.execute_script("document.getElementById('trial').focus()")
    before = words(opened, "words-channel")
    opened.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    until(lambda: words(opened, "words-channel") != before)


def test_prints(opened: Any) -> None:
    pdf = base64.b64decode(opened.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000
    assert not opened.execute_script("return document.documentElement.classList.contains('printed')")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_the_screen(opened: Any, width: int, scheme: str) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    until(lambda: opened.execute_script("return document.documentElement.scrollWidth") <= width)
    paper = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_names_are_text(opened: Any) -> None:
    assert opened.find_elements("css selector", "#trial b, figcaption b") == []
    assert "Lauf é" in opened.title
