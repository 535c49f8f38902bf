"""The report of analysis/ in a browser without a screen, as a reader opens it from the disk."""

import json
import math
import re
import shlex
import shutil

import pytest
from support.results import table
from support.tools import tool

pytest.importorskip("plotly")
webdriver = pytest.importorskip("selenium.webdriver")

SMALL = ("--data.samples", 60, "--network.clients", 3, "--train.rounds", 2, "--overwrite", "on", "--progress", "none",
         "--model.weights", "random")


@pytest.fixture(scope="module")
def runs(gaisnet, tmp_path_factory):
    """Results files by name: a run with a cloud, one of another method, one of requests, and one of services."""
    folder = tmp_path_factory.mktemp("report")
    made = {}
    for name, command, *settings in (
            ("clouded", "finetune", "--network.edges", 2, "--cloud.period", 1),
            ("lora", "finetune", "--network.edges", 2, "--cloud.period", 1, "--tuning.method", "lora"),
            ("served", "infer", "--infer.requests", 5),
            ("services", "serve", "--serve.rounds", 3)):
        done = gaisnet(command, *SMALL, *settings, "--output", folder / f"{name}.h5")
        assert done.returncode == 0, done.stderr
        made[name] = folder / f"{name}.h5"
    return made


@pytest.fixture(scope="module")
def browser():
    if not shutil.which("chromedriver"):
        pytest.skip("there is no chromedriver (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options)
    yield driver
    driver.quit()


def page_of(folder, *files):
    page = folder / "report.html"
    done = tool("report", *files, "-o", page)
    assert done.returncode == 0, done.stderr
    return page


def data_of(page):
    found = re.search(r'<script type="application/json" id="report">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    return json.loads(found[1])


def visit(browser, page):
    """Opens the page and lets every figure be drawn. Returns the titles of its sections."""
    browser.get(page.as_uri())
    browser.execute_script("[...drawn.keys()].forEach(first_draw)")
    return [heading.text for heading in browser.find_elements("css selector", "section h2")]


def complaints(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]


def drawn_plots(browser):
    return browser.execute_script("return [...document.querySelectorAll('.drawing')].map(one => one.querySelectorAll('svg').length > 0)")


class TestInABrowser:
    def test_every_figure_of_a_run_is_drawn_without_a_complaint(self, browser, runs, tmp_path):
        titles = visit(browser, page_of(tmp_path, runs["clouded"]))
        for title in ("Quality over what it cost", "Network", "What the latency of a round is made of", "Energy by cause",
                      "Communication by link class", "Memory against limits", "Samples of start points by class",
                      "Models on domains", "Timeline of round 2", "Tables"):
            assert title in titles
        assert len(drawn_plots(browser)) >= 9
        assert all(drawn_plots(browser))
        assert not complaints(browser)

    def test_all_buttons_can_be_pressed(self, browser, runs, tmp_path):
        visit(browser, page_of(tmp_path, runs["clouded"], runs["lora"]))
        buttons = browser.find_elements("css selector", ".picks button")
        assert len(buttons) > 15
        for button in buttons:
            browser.execute_script("arguments[0].click()", button)
            assert button.get_attribute("aria-pressed") == "true"
        browser.execute_script("arguments[0].click()", browser.find_element("id", "theme"))
        assert all(drawn_plots(browser))
        assert not complaints(browser)

    def test_the_axis_of_costs_is_the_readers_choice(self, browser, runs, tmp_path):
        page = page_of(tmp_path, runs["clouded"], runs["lora"])
        visit(browser, page)
        energy = next(button for button in browser.find_elements("css selector", "#quality button")
                      if button.text.startswith("energy of all"))
        browser.execute_script("arguments[0].click()", energy)
        shown = browser.execute_script("const plot = document.querySelector('#quality .drawing'); "
                                       "return plot.data.map(line => [line.name, line.x[line.x.length - 1]])")
        spent = {name: table(runs[name], "energy")["total_j"].sum() for name in ("clouded", "lora")}
        assert {name.removesuffix(".h5"): pytest.approx(value, rel=1e-5) for name, value in shown} == spent

    def test_another_run_can_be_picked(self, browser, runs, tmp_path):
        visit(browser, page_of(tmp_path, runs["clouded"], runs["served"]))
        browser.execute_script("const runs = document.getElementById('runs'); runs.value = 1; runs.dispatchEvent(new Event('change'))")
        titles = [heading.text for heading in browser.find_elements("css selector", "section h2")]
        assert "Latency of requests" in titles
        assert "Timeline of round 2" not in titles
        assert not complaints(browser)

    def test_tables_are_sorted_by_what_they_mean(self, browser, runs, tmp_path):
        visit(browser, page_of(tmp_path, runs["clouded"]))
        nodes = next(box for box in browser.find_elements("css selector", "details") if box.text.startswith("Nodes"))
        browser.execute_script("arguments[0].open = true; arguments[0].fill_now()", nodes)
        heads = nodes.find_elements("css selector", "th")
        column = [head.text for head in heads].index("total_j")
        browser.execute_script("arguments[0].click()", heads[column])
        shown = [cell.text for cell in nodes.find_elements("css selector", f"td:nth-child({column + 1})")]
        energy = table(runs["clouded"], "energy")
        sums = {}
        for node, joules in zip(energy["node"], energy["total_j"]):
            sums[node] = sums.get(node, 0.0) + joules
        assert len(shown) == len(sums)
        scale = {"uJ": 1e-6, "mJ": 1e-3, "J": 1.0, "kJ": 1e3}
        values = [float(text.split()[0]) * scale[text.split()[1]] for text in shown]
        assert values == pytest.approx(sorted(sums.values()), rel=1e-3)

    def test_requests_and_services_have_pages_of_their_own(self, browser, runs, tmp_path):
        assert "Latency of requests" in visit(browser, page_of(tmp_path, runs["served"]))
        assert "Services" in visit(browser, page_of(tmp_path, runs["services"]))
        assert not complaints(browser)

    def test_it_prints_all_of_it(self, browser, runs, tmp_path):
        browser.get(page_of(tmp_path, runs["clouded"]).as_uri())
        browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
        assert all(drawn_plots(browser))
        assert browser.execute_script("return [...document.querySelectorAll('tbody')].every(body => body.children.length > 0)")
        assert not complaints(browser)


class TestContents:
    def test_it_needs_no_network(self, runs, tmp_path):
        text = page_of(tmp_path, runs["served"]).read_text(encoding="utf-8")
        assert not re.search(r"<(script|link|img)[^>]*(src|href)=.(http|//)", text)

    def test_its_command_repeats_the_run(self, gaisnet, runs, tmp_path):
        command = data_of(page_of(tmp_path, runs["lora"]))["runs"][0]["repeat"]
        program, *words = shlex.split(command)
        assert program == "gaisnet"
        again = tmp_path / "again.h5"
        words[words.index("--output") + 1] = str(again)
        done = gaisnet(*words, "--progress", "none")
        assert done.returncode == 0, done.stderr
        assert (table(again, "rounds")["loss"] == table(runs["lora"], "rounds")["loss"]).all()

    def test_assumptions_are_listed(self, runs, tmp_path):
        tables = {one["title"]: one for one in data_of(page_of(tmp_path, runs["clouded"]))["runs"][0]["tables"]}
        assumed = {row[0] for row in tables["Assumptions"]["rows"]}
        assert "link.d2d.rate" in assumed
        assert "train.lr" not in assumed
        assert {row[0] for row in tables["Settings that were given"]["rows"]} >= {"cloud.period", "network.edges"}

    def test_the_latency_is_the_sum_of_its_parts(self, runs, tmp_path):
        figures = data_of(page_of(tmp_path, runs["clouded"]))["runs"][0]["figures"]
        steps = next(one for one in figures if one["short"] == "Latency")["variants"][0]["data"][0]
        rounds = table(runs["clouded"], "rounds")
        slowest = [max(seconds for number, seconds in zip(rounds["round"], rounds["latency_s"]) if number == one) for one in (1, 2)]
        assert math.isclose(sum(steps["y"]), sum(slowest) / 2, rel_tol=1e-4)

    def test_a_hostile_name_stays_text(self, gaisnet, browser, tmp_path):
        root = tmp_path / "</script><b onclick=x>"
        output = tmp_path / "a&b.h5"
        done = gaisnet("plan", *SMALL[:-2], "--model.weights", root, "--output", output)
        assert done.returncode == 0, done.stderr
        visit(browser, page_of(tmp_path, output))
        assert browser.title == "a&b"
        assert not browser.find_elements("css selector", "section b[onclick]")
        assert not complaints(browser)

    @pytest.mark.parametrize("words, code, message", [(("missing.h5",), 1, "no such file"), (("a.h5", "-o", "page.pdf"), 2, ".html")])
    def test_what_cannot_be_done_is_said_in_a_line(self, words, code, message):
        done = tool("report", *words)
        assert done.returncode == code
        assert message in done.stderr
        assert "Traceback" not in done.stderr
