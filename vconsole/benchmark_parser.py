"""What can be typed behind `vconsole benchmark`."""

from vconsole.parser_parts import Commands, add_json, add_settings, command_parser

EXAMPLES = """\
examples:
  vconsole benchmark --extractors tiny-shapes perceptual --output-report-prefix report
  vconsole benchmark --extractors clip-vit-b-32 --sweep batch_size=1,8,32 precision=fp32,bf16,int8
  vconsole benchmark --presets standard --inputs ~/videos --sweep workers=1,2
  vconsole benchmark --presets standardize proxy-480p --inputs ~/videos
  vconsole benchmark --stages probe scenes --inputs ~/videos
  vconsole benchmark --floors --output-report-prefix report
  vconsole benchmark --extractors tiny-shapes --baseline old.json --fail-on-regression 10
  vconsole benchmark --compare old.json new.json

A service file is {NAME: {"url", "type": "video"|"image"|"text", "endpoint", and optional "health", "headers",
"timeout_s", "payload": "multipart"|"raw"|"json", "field", "dim"}}; health is asked first, then 1, 2 and 8 at once.

Every result is VALID, or INVALID with the reason and what to do. Beside each extractor its floors are measured: the
bare forward pass, decoding and demuxing of each codec, storage, the copy to a GPU. --floors measures them alone, and
decoding of h264, hevc, av1, vp9, mpeg4 and prores. What a preset of transcode makes is read back whole: an output that
does not decode, or has another codec or length than it should, is INVALID. Without --inputs, pictures, texts and a
video are made up.

The reports are PREFIX.json (all of it; --schema describes it), PREFIX.md, PREFIX.csv and PREFIX.html.

exit codes: 0 all that was planned was measured, VALID or not; 1 some could not be measured; 2 bad usage; 3 something
got slower than --fail-on-regression allows; 130 interrupted, what was measured is in the reports."""


def add_benchmark(commands: Commands) -> None:
    """Add `benchmark`."""
    says = "Measure extractors, stages, presets and this machine's floors, judge the figures and compare reports."
    parser = command_parser(commands, "benchmark", says, EXAMPLES)
    parser.add_argument("--extractors", nargs="+", default=[], metavar="KEY", help="models of `vconsole models list`")
    parser.add_argument("--presets", nargs="+", default=[], metavar="NAME", help="of extract or transcode, on videos")
    parser.add_argument("--stages", nargs="+", default=[], metavar="NAME", help="stages of extract alone, on videos")
    parser.add_argument("--floors", action="store_true", help="this machine's floors, decoding of every codec too")
    parser.add_argument("--service-config", default="", metavar="FILE", help="JSON that describes HTTP services")
    parser.add_argument("--inputs", nargs="+", default=[], metavar="PATH", help="videos, pictures or folders of them")
    parser.add_argument("--iterations", type=int, default=20, metavar="N", help="timed calls at least (default: 20)")
    parser.add_argument("--warmup-iterations", type=int, default=3, metavar="N", help="calls before (default: 3)")
    parser.add_argument(
        "--min-seconds", type=float, default=12.0, metavar="S", help="timed at least so long (default: 12)"
    )
    parser.add_argument("--max-seconds", type=float, default=60.0, metavar="S", help="and at most (default: 60)")
    parser.add_argument(
        "--sweep",
        nargs="+",
        default=[],
        metavar="KEY=A,B",
        help="vary batch_size, precision, compile, device of extractors; hwaccel of decoding and presets; workers of "
        "presets; concurrency of services",
    )
    parser.add_argument("--output-report-prefix", default="", metavar="P", help="write P.json, P.md, P.csv and P.html")
    parser.add_argument("--baseline", default="", metavar="REPORT", help="compare with this earlier P.json")
    parser.add_argument(
        "--compare", nargs="+", default=[], metavar="REPORT", help="measure nothing: compare these, each with the first"
    )
    parser.add_argument(
        "--fail-on-regression", type=float, metavar="PERCENT", help="exit 3 if a subject got slower by more than this"
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a report and leave")
    add_json(parser)
    add_settings(parser)
