"""The report in a browser: it is quiet, complete, fits a phone, can be read in the dark, and prints.

Screenshots are left in the test's temporary folder (RINGWAY_SCREENSHOTS names another), for a person to look at.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from harness.children import binary

HERE = Path(__file__).parent
ODD = HERE.parents[2] / "loadtest/tests/report/odd.json"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
WIDE, PHONE = (1280, 900), (360, 740)

# Every visible text with the colours it is drawn in; SVG text has `fill`.
CONTRASTS = """
const luminance = rgb => {
  const [r, g, b] = rgb.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const parts = colour => colour.match(/[\\d.]+/g).map(Number);
const paper = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parts(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour.slice(0, 3);
  }
  return [255, 255, 255];
};
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + .05) / (low + .05);
};
const found = [];
for (const element of document.querySelectorAll("body *")) {
  const style = getComputedStyle(element);
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  const svg = element.namespaceURI.endsWith("svg");
  if (!element.getClientRects().length || element.id === "tip") continue;
  if (own && element.tagName !== "SCRIPT" && !["title", "desc"].includes(element.tagName)) {
    const ink = parts(svg ? style.fill : style.color).slice(0, 3);
    found.push(["text", element.textContent.slice(0, 40), contrast(ink, paper(element))]);
  }
  if (svg && element.matches(".line, .whisker, .cross, .bar"))
    found.push(["line", element.getAttribute("class"), contrast(parts(style.stroke).slice(0, 3), paper(element))]);
  if (svg && element.matches(".mark"))
    found.push(["line", "mark", contrast(parts(style.fill).slice(0, 3), paper(element))]);
}
return found;
"""

# Of each chart: how many marks, lines and bars have a place on the screen, and whether it is named and has its numbers.
CHARTS = """
return [...document.querySelectorAll("figure")].map(figure => {
  const chart = figure.querySelector("svg.chart"), box = chart.getBoundingClientRect();
  const visible = [...chart.querySelectorAll(".mark, .line, .bar, .whisker")].filter(mark => {
    const own = mark.getBoundingClientRect();
    return own.width + own.height > 0 && own.left >= box.left - 8 && own.right <= box.right + 8 &&
      own.top >= box.top - 8 && own.bottom <= box.bottom + 8 && getComputedStyle(mark).display !== "none";
  });
  const outside = [...chart.querySelectorAll("text")].filter(text => {
    const own = text.getBoundingClientRect();
    return own.left < box.left - 2 || own.right > box.right + 2;
  });
  const named = chart.getAttribute("aria-labelledby").split(" ").map(id => document.getElementById(id).textContent);
  return {title: named[0], says: named[1], marks: visible.length, rows: figure.querySelectorAll("details tbody tr").length,
    outside: outside.map(text => text.textContent)};
});
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """`report.html` of the sample and of the odd results."""
    made = {}
    sample = subprocess.run([sys.executable, HERE / "sample.py"], check=True, capture_output=True, text=True).stdout
    for name, results in [("sample", sample), ("odd", ODD.read_text())]:
        folder = tmp_path_factory.mktemp(name)
        (folder / "results.json").write_text(results)
        subprocess.run([binary("ringway-loadtest"), "report", folder / "results.json"], check=True)
        made[name] = folder / "report.html"
    return made


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory):
    folder = Path(os.environ.get("RINGWAY_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def show(chromium, page, size, scheme="light", media=""):
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    chromium.get("about:blank")
    chromium.get_log("browser"), chromium.get_log("performance")
    chromium.get(page.as_uri())


def shoot(chromium, path):
    height = chromium.execute_script("return document.documentElement.scrollHeight")
    width = chromium.execute_script("return document.documentElement.clientWidth")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, 16_000), "scale": 1}
    shot = chromium.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    path.write_bytes(base64.b64decode(shot["data"]))


both = pytest.mark.parametrize("which", ["sample", "odd"])


@both
def test_it_is_quiet_and_asks_the_network_for_nothing(chromium, pages, which):
    show(chromium, pages[which], WIDE)
    chromium.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert chromium.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    requested = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    # The page itself, and its empty icon.
    assert {url for url in requested if url != "data:,"} == {pages[which].as_uri()}


@both
def test_every_chart_shows_something_and_says_it_in_words_and_numbers(chromium, pages, which):
    show(chromium, pages[which], WIDE)
    charts = chromium.execute_script(CHARTS)
    assert len(charts) >= (25 if which == "sample" else 8)
    for chart in charts:
        assert chart["marks"] > 0, chart
        assert chart["rows"] > 0, chart
        assert chart["title"] and chart["says"], chart
        assert chart["outside"] == [], chart


@both
@pytest.mark.parametrize("size", [PHONE, (768, 1024), WIDE], ids=str)
def test_the_page_never_scrolls_sideways(chromium, pages, which, size):
    show(chromium, pages[which], size)
    chromium.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert chromium.execute_script("return document.documentElement.scrollWidth") == size[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@both
def test_text_and_lines_stand_out(chromium, pages, which, scheme):
    show(chromium, pages[which], WIDE, scheme)
    found = chromium.execute_script(CONTRASTS)
    assert len(found) > 200
    least = {"text": 4.5, "line": 3.0}
    assert [one for one in found if one[2] < least[one[0]]] == []


def test_dark_is_dark(chromium, pages):
    papers = []
    for scheme in ["light", "dark"]:
        show(chromium, pages["sample"], WIDE, scheme)
        papers.append(chromium.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert papers[0] == "rgb(255, 255, 255)"
    assert max(int(part) for part in papers[1].strip("rgb()").split(",")) < 40


def test_the_pointer_finds_the_number(chromium, pages):
    show(chromium, pages["sample"], WIDE)
    said = chromium.execute_script("""
        const mark = document.querySelector("svg.chart .mark[data-t]");
        mark.scrollIntoView({block: "center"});
        const box = mark.getBoundingClientRect();
        mark.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: box.left + 1, clientY: box.top + 1}));
        const tip = document.getElementById("tip");
        return [mark.dataset.t, tip.textContent, tip.hidden];
    """)
    assert said[1] == said[0] and said[2] is False


def test_it_is_complete_without_its_script(chromium, pages):
    chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(chromium, pages["sample"], WIDE)
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert all(chart["marks"] > 0 for chart in chromium.execute_script(CHARTS))


def test_it_prints_on_a4(chromium, pages, screenshots):
    show(chromium, pages["sample"], WIDE)
    printed = chromium.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": False})
    pdf = base64.b64decode(printed["data"])
    (screenshots / "print.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF") and b"/MediaBox [0 0 594.95" in pdf
    # On the width of A4 less its margins nothing is cut off.
    show(chromium, pages["sample"], (695, 1000), "dark", "print")
    too_wide = """
        return [...document.querySelectorAll("figure, table, dl, pre")].filter(one => one.getClientRects().length &&
          one.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(one => one.textContent.slice(0, 60))
    """
    assert chromium.execute_script(too_wide) == []
    assert chromium.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    shoot(chromium, screenshots / "print.png")


@both
def test_screenshots_for_a_person(chromium, pages, which, screenshots):
    for name, size, scheme in [("light", WIDE, "light"), ("dark", WIDE, "dark"), ("phone", PHONE, "light")]:
        show(chromium, pages[which], size, scheme)
        path = screenshots / f"{which}-{name}.png"
        shoot(chromium, path)
        assert path.stat().st_size > 50_000
