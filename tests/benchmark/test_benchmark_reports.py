"""The four forms of a report say the same, stand by themselves, and hold what comes from outside in check."""

import csv
import io
import json
import runpy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from report_make import report, report_without_gpu, result, sample
from rich.console import Console
from rich.markdown import Markdown

from pipeline.benchmark.assemble import with_floors
from pipeline.benchmark.compare import compare
from pipeline.benchmark.findings import findings
from pipeline.benchmark.markdown import markdown
from pipeline.benchmark.numbers import rate, seconds
from pipeline.benchmark.page import page
from pipeline.benchmark.plan import Kind, Wanted, parse_sweep, subjects_of
from pipeline.benchmark.reference import compared, reference_pictures
from pipeline.benchmark.report import Floor, Missing, Rates, Reason, Report, read_report
from pipeline.benchmark.table import table
from pipeline.benchmark.write import write_reports
from pipeline.errors import SettingsError
from pipeline.reports.plot import BOTTOM, HEIGHT

DOUBT = Reason(code="unstable", text="it wavers", recommendation="Measure longer.")
HOSTILE = "extractor <script>alert(1)</script>|`a`_b_[x](http://evil) image"


def whole() -> Report:
    first = report(result(times_s=[0.1] * 9))
    swept = [
        result(f"extractor toy image batch_size={size}", [0.1] * 9, parameters={"batch_size": size}, items=int(size))
        for size in ("1", "8")
    ]
    later = report(
        result(times_s=[0.2] * 9, samples=(sample(0.2), sample(0.4))),
        result("extractor toy text", reasons=(DOUBT,)),
        *swept,
        missing=(Missing(name="preset gone video", message="it broke"),),
        settings={"host.device": "cuda:0"},
    )
    return later.model_copy(update={"comparison": compare(first, later)})


class Tags(HTMLParser):
    """Remembers what a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.lines: dict[str, list[list[float]]] = {}
        self._title = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attributes)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
        elif tag == "svg":
            self._title = str(found["aria-label"])
        elif tag == "polyline":
            points = str(found["points"]).split()
            self.lines[self._title] = [[float(value) for value in point.split(",")] for point in points]
        self.loaded += [str(value) for name, value in attributes if name in {"src", "href", "xlink:href"}]

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip("\n")


def tags_of(text: str) -> Tags:
    parser = Tags()
    parser.feed(text)
    return parser


def test_a_report_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    made = whole()
    paths = write_reports(made, str(tmp_path / "P"))
    assert [Path(path).suffix for path in paths] == [".json", ".md", ".csv", ".html"]
    assert read_report(tmp_path / "P.json") == made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["P.csv", "P.html", "P.json", "P.md"]


def test_all_forms_agree_with_the_json() -> None:
    made = whole()
    rows = list(csv.DictReader(io.StringIO(table(made))))
    text, html = markdown(made), tags_of(page(made)).text
    for one, row in zip(made.results, rows, strict=True):
        assert (row["name"], row["verdict"]) == (one.name, one.verdict)
        assert float(row["p50_s"]) == one.statistics.p50
        assert float(row["items_per_s"]) == one.rates.items_per_s
        shown = seconds(one.statistics.p50)
        assert shown in text
        assert one.name in html
        assert shown in html
    for told in ("it wavers", "Measure longer.", "it broke", "+100.0 % (+100.0 to +100.0)", "cuda:0"):
        assert told in html


def test_every_figure_and_point_of_the_page_is_that_of_the_json() -> None:
    made = whole()
    found = tags_of(page(made))
    for one in made.results:
        figures = one.statistics
        brief, times = [row for row in found.rows if row[0] == one.name][:2]
        assert brief[1:4] == [one.verdict, seconds(figures.p50), seconds(figures.p99)]
        assert brief[4].startswith(f"{rate(one.rates.items_per_s)} ")
        shown = [figures.mean, figures.std, figures.min, figures.p50, figures.p90, figures.p99, figures.max]
        assert times[1] == str(figures.count)
        assert times[2:9] == [seconds(value) if value else "0" for value in shown]
        heights = [HEIGHT - BOTTOM - y for _, y in found.lines[one.name]]
        assert [height / max(heights) for height in heights] == pytest.approx(
            [spent / max(one.times_s) for spent in one.times_s], abs=0.01
        )


def test_the_markdown_rendered_holds_the_figures_of_the_json() -> None:
    made, screen = whole(), Console(width=200, file=io.StringIO())
    screen.print(Markdown(markdown(made)))
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]
    for one in made.results:
        (row, *_) = (line for line in lines if line.strip().startswith(one.name) and one.verdict in line)
        assert seconds(one.statistics.p50) in row
        assert seconds(one.statistics.p99) in row


def test_a_result_is_shown_as_a_share_of_its_floor() -> None:
    floor = Floor(name="decode h264 video", share=0.42)
    made = report(result("preset scenes video", floor=floor, codec="h264"))
    assert "42% of decode h264 video" in tags_of(page(made)).text


def test_a_reason_of_several_results_is_told_once_with_all_that_it_holds_for() -> None:
    other = DOUBT.model_copy(update={"text": "it wavers a lot"})
    made = report(*(result(f"extractor {name} image", reasons=(why,)) for name, why in
                    (("a", DOUBT), ("b", DOUBT), ("c", other))))  # fmt: skip
    for said in (markdown(made), tags_of(page(made)).text):
        assert said.count("Times waver, 3 results. Measure longer.") == said.count("Measure longer.") == 1
        assert "extractor a image, extractor b image: it wavers." in said
        assert "extractor c image: it wavers a lot." in said


def test_a_table_of_the_page_scrolls_in_a_box_of_its_own() -> None:
    told = page(whole())
    assert told.count("<table>") == told.count('tabindex="0"><table>') == told.count("</table></div>") > 0


@pytest.mark.parametrize(
    ("slower", "valid", "told"),
    [
        (1.0, True, "passed: 1 result judged"),
        (1.3, True, "regression: extractor toy image: +30.0 %"),
        (1.3, False, "not judged: extractor toy image: +30.0 %"),
        (1.0, False, "not judged: nothing is VALID in both"),
    ],
)
def test_the_gate_says_what_it_found_and_what_it_could_not_judge(slower: float, valid: bool, told: str) -> None:
    made = report(result(times_s=[0.1 * slower] * 9, reasons=() if valid else (DOUBT,)), allowed_percent=10)
    made = made.model_copy(update={"comparison": compare(report(result(times_s=[0.1] * 9)), made)})
    assert told in tags_of(page(made)).text


def test_a_median_that_grew_alone_is_said_and_refuses_nothing() -> None:
    before, after = result(times_s=[0.1] * 9), result(times_s=[0.1] * 4 + [0.14] * 5)
    made = report(after, allowed_percent=10)
    made = made.model_copy(update={"comparison": compare(report(before), made)})
    told = tags_of(page(made)).text
    assert "not judged: extractor toy image: the quickest tenth of its calls: +0.0 %" in told
    assert "but the median +40.0 %" in told
    assert "regression:" not in told
    assert "passed" not in told


def test_a_machine_that_is_not_as_it_was_is_said_and_refuses_nothing() -> None:
    before = report_without_gpu(result(times_s=[0.1] * 9, paces_s=(0.001,) * 9))
    made = report_without_gpu(result(times_s=[0.125] * 9, paces_s=(0.00125,) * 9), allowed_percent=10)
    made = made.model_copy(update={"comparison": compare(before, made)})
    told = tags_of(page(made)).text
    assert "not judged: extractor toy image: +0.0 %" in told
    assert "a fixed piece of work took +25.0 % beside it" in told
    assert "regression:" not in told


def test_the_page_needs_no_network_and_has_plots() -> None:
    found = tags_of(page(whole()))
    assert found.loaded == []
    assert "script" not in found.tags
    assert found.tags.count("svg") >= 6
    assert "throughput against batch_size" in found.text
    assert "GPU 0" in found.text


def test_names_from_outside_are_text_and_nothing_else() -> None:
    made = report(result(HOSTILE))
    found = tags_of(page(made))
    assert "script" not in found.tags
    assert "a" not in found.tags
    assert HOSTILE in found.text
    assert table(report(result("=cmd() x image"))).splitlines()[1].startswith("'=cmd()")


@pytest.mark.parametrize(
    ("damage", "told"),
    [({"schema_version": 2}, "schema_version"), ({"format": "other"}, "format"), ({"extra": 1}, "extra")],
)
def test_another_version_is_refused_with_what_is_wrong(tmp_path: Path, damage: dict[str, Any], told: str) -> None:
    path = tmp_path / "P.json"
    path.write_text(json.dumps(json.loads(whole().model_dump_json()) | damage))
    with pytest.raises(SettingsError, match=told):
        read_report(path)


def test_every_field_of_the_schema_that_needs_words_has_them() -> None:
    schema = Report.model_json_schema()
    assert schema["properties"]["schema_version"]["const"] == 1
    assert all(part.get("description") for part in schema["$defs"].values())


def test_the_page_of_the_schema_is_that_of_the_program() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert runpy.run_path(str(docs / "benchmark_report.py"))["page"]() == (docs / "benchmark_report.md").read_text()


def test_without_a_gpu_there_are_no_columns_of_one() -> None:
    bare = sample().model_copy(update={"gpus": ()})
    assert "| GPU memory |" in markdown(report(result(samples=(sample(), sample()))))
    assert "| GPU memory |" not in markdown(report(result(samples=(bare, bare))))


def test_a_comparison_lists_what_else_differs() -> None:
    comparison = whole().comparison
    assert comparison is not None
    found = [(fact.what, fact.before, fact.after) for fact in comparison.surroundings]
    assert found == [("host.device", "cpu", "cuda:0")]
    assert comparison.differences[0].verdict == "slower"
    assert len(comparison.only_after) == 3


def test_every_floor_is_planned_before_what_stands_on_it() -> None:
    videos = {"h264": ("a.mp4",), "vp9": ("b.webm",)}
    wanted = Wanted(extractors=("toy",), presets=("scenes",), images=("a.png",), videos=videos, cuda=True)
    names = [subject.name for subject in subjects_of(wanted)]
    floors = ["write storage file", "read storage file", "copy host to device file"]
    floors += [f"{what} {codec} video" for codec in videos for what in ("demux", "decode")]
    assert names[: len(floors) + 1] == [*floors, "forward toy image"]
    assert {f"preset scenes video {codec}" for codec in videos} <= set(names)


def test_texts_stand_on_the_bare_forward_pass_of_texts_of_the_same_batch() -> None:
    sweep = {"batch_size": ("1", "8")}
    wanted = Wanted(extractors=("toy",), texts=frozenset({"toy"}), images=("a.png",), dummy_text=True, sweep=sweep)
    names = [subject.name for subject in subjects_of(wanted)]
    made = [result(name, parameters={"batch_size": name[-1]}) for name in names if "batch_size" in name]
    floors = {one.name: one.floor.name for one in with_floors(made) if one.floor}
    assert floors == {
        f"extractor toy {what} batch_size={size}": f"forward toy {what} batch_size={size}"
        for what in ("image", "text")
        for size in ("1", "8")
    }


def test_what_a_gpu_decodes_stands_on_decoding_by_the_gpu() -> None:
    fast = Rates(items_per_s=9.0, video_s_per_s=9.0)
    names = [f"{what} video hwaccel={how}" for what in ("decode h264", "transcode edit") for how in ("none", "cuda")]
    made = [result(name, rates=fast, codec="h264", parameters={"hwaccel": name.rpartition("=")[2]}) for name in names]
    floors = {one.name: one.floor.name for one in with_floors(made) if one.floor}
    assert floors == dict(zip(names[2:], names[:2], strict=True))


def test_videos_of_two_codecs_are_no_sweep() -> None:
    made = [result(f"preset scenes video {codec}", codec=codec) for codec in ("h264", "vp9")]
    assert not [sentence for sentence in findings(report(*made)) if "quickest" in sentence]


def test_a_sweep_gives_every_combination_and_a_floor_for_each() -> None:
    sweep = parse_sweep(["batch_size=1,8", "precision=fp32,int8", "compile=false,true", "workers=2"])
    wanted = Wanted(extractors=("toy",), images=("a.png",), sweep=sweep)
    subjects = subjects_of(wanted)
    kinds = [subject.kind for subject in subjects]
    assert (kinds.count(Kind.EXTRACTOR), kinds.count(Kind.FORWARD)) == (8, 8)
    assert len({subject.name for subject in subjects}) == len(subjects)


@pytest.mark.parametrize(
    "word", ["batch_size=0", "batch_size=a", "precision=int4", "compile=maybe", "colour=red", "workers", "device="]
)
def test_a_sweep_that_cannot_be_is_refused(word: str) -> None:
    with pytest.raises(SettingsError, match=word.partition("=")[0]):
        parse_sweep([word])


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(SettingsError, match="nothing to measure"):
        subjects_of(Wanted())


def test_vectors_other_than_the_reference_are_wrong_output() -> None:
    vectors = [[1.0, 0.0], [0.0, 1.0]]
    known = compared("toy", "image", vectors, "fp32", None)
    assert (known.reference, known.problem) == ("", "")
    baseline = report(result(output=known))
    assert compared("toy", "image", vectors, "fp32", baseline).similarity == pytest.approx(1)
    assert "0.0000" in compared("toy", "image", vectors[::-1], "fp32", baseline).problem
    assert "3 numbers" in compared("toy", "image", [[1.0, 0, 0]] * 2, "fp32", baseline).problem


def test_reference_pictures_are_the_same_everywhere() -> None:
    pictures = reference_pictures(64, 48)
    assert len(pictures) == 4
    assert pictures[1][3, 5].tolist() == [(3 * 1 + 5 * 5) % 256, (3 * 2 + 5 * 4) % 256, (3 * 3 + 5 * 3) % 256]
