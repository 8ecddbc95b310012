"""Swagger UI in headless Chromium against the real server."""

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect, sync_playwright
from server import PASSWORD, ROOT, USER, Server

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
ARTIFACTS = ROOT / "testing" / "artifacts"
DATA = ROOT / "ML" / "data"


class Docs:
    """Swagger UI as a user sees it, with all requests and errors of the browser."""

    def __init__(self, browser: Browser, server: Server) -> None:
        self.server, self.requests, self.complaints = server, list[str](), list[str]()
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 1000})
        self.page.set_default_timeout(20_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(f"{server.url}/docs")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def authorize(self, password: str = PASSWORD) -> None:
        self.page.locator("button.authorize").first.click()
        form = self.page.locator(".modal-ux")
        form.locator("input[name=username], #auth-basic-username").fill(USER)
        form.locator("input[name=password], #auth-basic-password").fill(password)
        form.locator("button.authorize").click()
        form.locator("button.btn-done").click()

    def try_out(self, path: str) -> "Operation":
        """Open the form of a POST route."""
        block = self.page.locator(".opblock-post", has=self.page.locator(f'[data-path="{path}"]'))
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Try it out").click()
        return Operation(block)


class Operation:
    """A route's form and its answer on the page."""

    def __init__(self, block: Locator) -> None:
        self.block = block

    def fill(self, name: str, value: str) -> None:
        self.block.locator(f'[data-property-name="{name}"] input[type=text]').fill(value)

    def choose(self, file: Path) -> None:
        self.block.locator('[data-property-name="csv_file"] input[type=file]').set_input_files(file)

    @property
    def body(self) -> Any:
        """Return the request as the page has filled it in."""
        return json.loads(self.block.locator("textarea.body-param__text").input_value())

    def execute(self, screenshot: str) -> tuple[int, Any]:
        """Return status and body of the answer from the page, and save a screenshot."""
        self.block.get_by_role("button", name="Execute").click()
        answer = self.block.locator(".live-responses-table tbody tr").first
        expect(answer).to_be_visible(timeout=60_000)
        status = re.match(r"\d+", answer.locator(".response-col_status").inner_text())
        assert status, answer.inner_text()
        ARTIFACTS.mkdir(exist_ok=True)
        self.block.screenshot(path=ARTIFACTS / f"{screenshot}.png")
        return int(status[0]), json.loads(
            answer.locator(".highlight-code code, .highlight-code pre").first.inner_text()
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("there is no Chromium: apt install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def own_server(serve: Callable[..., Server]) -> Server:
    return serve(coverage=False)


@pytest.fixture
def docs(browser: Browser, own_server: Server) -> Iterator[Docs]:
    found = Docs(browser, own_server)
    yield found
    found.page.close()


def test_train_and_predict_in_the_browser(docs: Docs) -> None:
    docs.authorize()

    training = docs.try_out("/train_model")
    training.choose(DATA / "train.csv")
    training.fill("target_variable", "species")
    status, trained = training.execute("train_model")
    assert (status, trained["status"]) == (200, "Model training success")
    assert re.fullmatch(r"Train accuracy : \d+\.\d\d %", trained["output"])

    table = docs.try_out("/get_prediction")
    table.choose(DATA / "test.csv")
    table.fill("target_variable", "species")
    status, predicted = table.execute("get_prediction")
    assert (status, predicted["model_version"]) == (200, trained["version"])
    assert re.fullmatch(r"Test accuracy : \d+\.\d\d %", predicted["output"])
    assert len(predicted["predictions"]) == 45

    rows = docs.try_out("/predict")
    assert list(rows.body["instances"][0]) == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    status, predicted = rows.execute("predict")
    assert (status, predicted["model_version"]) == (200, trained["version"])
    assert predicted["predictions"][0] in ("setosa", "versicolor", "virginica")

    assert [url for url in docs.requests if not url.startswith((f"{docs.server.url}/", "data:"))] == []
    assert docs.complaints == []


def test_only_the_file_need_be_chosen_to_predict_it(docs: Docs) -> None:
    docs.authorize()
    table = docs.try_out("/get_prediction")
    table.choose(DATA / "test.csv")
    status, predicted = table.execute("get_prediction_untouched")
    assert (status, predicted.get("rows")) == (200, 45), predicted


def test_errors_are_readable_on_the_page(docs: Docs) -> None:
    docs.authorize()
    training = docs.try_out("/train_model")
    training.choose(DATA / "train.csv")
    training.fill("target_variable", "specie")
    status, answer = training.execute("wrong_target")
    assert status == 422
    assert "species" in answer["detail"][0]["msg"]


def test_the_example_has_the_columns_of_the_live_model(docs: Docs) -> None:
    table = "height,colour name,kind\n" + "".join(f"{n},{'rg'[n // 30]},{'ab'[n % 2]}\n" for n in range(60))
    assert docs.server.train(table, "kind").status_code == 200
    docs.page.reload()
    docs.authorize()
    rows = docs.try_out("/predict")
    assert list(rows.body["instances"][0]) == ["height", "colour name"]
    status, predicted = rows.execute("predict_another_table")
    assert status == 200
    assert predicted["predictions"][0] in ("a", "b")


class Site(ThreadingHTTPServer):
    """Another site on this machine, with one page."""

    daemon_threads = True

    def __init__(self, page: str) -> None:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *_: object) -> None:
                """Log nothing, to keep the test's output readable."""

        super().__init__(("127.0.0.1", 0), Answer)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}/"


@contextmanager
def another_site(page: str) -> Iterator[str]:
    """Serve this page on another site until the end of the block. Yields its address."""
    with Site(page) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            yield site.url
        finally:
            site.shutdown()
            thread.join()


FORM = """<form method="post" enctype="multipart/form-data" action="{url}/train_model">
<input type="file" name="csv_file"><input name="target_variable" value="kind"><input name="force" value="true"></form>
<script>
const files = new DataTransfer();
files.items.add(new File(["a,kind\\n" + "1,x\\n2,y\\n".repeat(30)], "evil.csv"));
document.forms[0].elements[0].files = files.files;
document.forms[0].submit();
</script>"""
FETCH = """<script>
const form = new FormData();
form.append("csv_file", new File(["a,kind\\n" + "1,x\\n2,y\\n".repeat(30)], "evil.csv"));
form.append("target_variable", "kind");
form.append("force", "true");
fetch("{url}/train_model", {{method: "POST", body: form, credentials: "include", mode: "no-cors"}});
</script>"""


@pytest.fixture(scope="module")
def remembering(browser: Browser, own_server: Server) -> Iterator[BrowserContext]:
    """Return a browser whose user has entered the password, for both names of the server."""
    context = browser.new_context(http_credentials={"username": USER, "password": PASSWORD})
    page = context.new_page()
    for name in ("127.0.0.1", "localhost"):
        answer = page.goto(f"http://{name}:{own_server.port}/models")
        assert answer and answer.status == 200
    page.close()
    yield context
    context.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])  # to the page's own localhost: another site, the same site
def test_another_sites_form_trains_nothing_with_the_remembered_password(
    remembering: BrowserContext, own_server: Server, name: str
) -> None:
    before = own_server.client.get("/models/classifier/versions").json()
    page = remembering.new_page()
    with another_site(FORM.format(url=f"http://{name}:{own_server.port}")) as evil:
        with page.expect_response(lambda response: "train_model" in response.url) as answer:
            page.goto(evil)
        assert answer.value.status == 403
        expect(page.locator("body")).to_contain_text("CORS_ORIGINS")
    page.close()
    assert own_server.client.get("/models/classifier/versions").json() == before


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_another_sites_script_trains_nothing_with_the_remembered_password(
    remembering: BrowserContext, own_server: Server, name: str
) -> None:
    before = own_server.client.get("/models/classifier/versions").json()
    page = remembering.new_page()
    with another_site(FETCH.format(url=f"http://{name}:{own_server.port}")) as evil:
        with page.expect_response(lambda response: "train_model" in response.url) as answer:
            page.goto(evil)
        assert answer.value.status == 403
    page.close()
    assert own_server.client.get("/models/classifier/versions").json() == before


def test_another_site_can_not_frame_the_documentation(browser: Browser, own_server: Server) -> None:
    page = browser.new_page()
    complaints = list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    with another_site(f'<iframe src="{own_server.url}/docs"></iframe>') as evil:
        page.goto(evil)
        frame = page.frames[1]
        frame.wait_for_load_state()
        assert frame.locator("#swagger-ui").count() == 0
    page.close()
    assert any("frame-ancestors" in text or "X-Frame-Options" in text for text in complaints), complaints
