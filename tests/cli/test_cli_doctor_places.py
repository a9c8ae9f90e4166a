"""`trimtab doctor` where the data cannot lie, and where a series is derived from what the page does not have."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from assembly.child_agent import write_config


def found(answer, check):
    return [(each["mark"], each["what"], each["remedy"]) for each in answer.document["findings"] if each["check"] == check]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc")
def test_where_no_folder_can_be_made_that_is_said_and_nothing_of_space(trimtab, tmp_path):
    config = write_config(tmp_path, "http://127.0.0.1:9", data="/proc/nope")
    answer = trimtab("doctor", "--json", "--config", config)
    ((mark, what, remedy),) = found(answer, "data folder")
    assert mark == "fails" and "/proc/nope cannot be made" in what and "storage.path" in remedy
    assert found(answer, "disk") == []


@pytest.mark.parametrize("name", ["notes.txt", "notes.txt/data"], ids=["a file", "below a file"])
def test_a_file_in_the_place_of_the_folder_is_not_to_be_removed(trimtab, tmp_path, name):
    (tmp_path / "notes.txt").write_text("mine")
    config = write_config(tmp_path, "http://127.0.0.1:9", data=name)
    ((mark, what, remedy),) = found(trimtab("doctor", "--json", "--config", config), "data folder")
    assert (mark, remedy) == ("fails", "set storage.path to another path") and "is not a folder" in what


PAGE = b"""# TYPE shop_latency_seconds histogram
shop_latency_seconds_bucket{le="1"} 2
shop_latency_seconds_bucket{le="+Inf"} 3
shop_latency_seconds_sum 1
shop_latency_seconds_count 3
# TYPE shop_requests_total counter
shop_requests_total 3
# TYPE shop_sleep gauge
shop_sleep 1
"""


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def page():
    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("derive", "lacking", "remedy"),
    [
        pytest.param("quantile: 0.95, of: shop_latency_seconds", "", "", id="it is there"),
        pytest.param("rate: shop_requests", "", "", id="a counter without its ending"),
        pytest.param("rate: shop_requests_total", "", "", id="a counter"),
        pytest.param("ratio: [shop_requests_total, shop_requests]", "", "", id="two counters"),
        pytest.param(
            "quantile: 0.95, of: no_such_histogram", "no_such_histogram", "did you mean shop_latency_seconds?", id="only one"
        ),
        pytest.param("rate: shop_request_total", "shop_request_total", "did you mean shop_requests_total?", id="nearly"),
        pytest.param("rate: zzz", "zzz", "correct the name under derive", id="unlike all"),
    ],
)
def test_what_is_derived_from_a_name_that_the_page_lacks_is_told(trimtab, tmp_path, page, derive, lacking, remedy):
    config = tmp_path / "trimtab.yaml"
    sensor = f'{{type: prometheus, url: "{page}", derive: [{{name: made, {derive}}}]}}'
    config.write_text(f"version: 1\nstorage: {{path: ./data}}\nelements: [{{name: shop, sensors: [{sensor}]}}]\n")
    ((mark, what, told),) = found(trimtab("doctor", "--json", "--config", config), "sensor shop")
    assert mark == ("warning" if lacking else "ok")
    assert (f"made is derived from {lacking}, which the page does not have" in what) is bool(lacking)
    assert told.startswith(remedy)
