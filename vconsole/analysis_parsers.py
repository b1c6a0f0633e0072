"""What can be typed behind the commands that make something of stored feature files."""

from vconsole.parser_parts import Commands, Parser, add_json, add_settings, command_parser

CLASSIFY_EXAMPLES = """\
examples:
  vconsole classify ~/features --labels "a dog" "a cat" "neither=an empty room"
  vconsole classify ~/features --examples ~/example-features               a folder a class, extracted as well
  vconsole classify ~/features --examples ~/example-features --method probe
  vconsole classify ~/features --set classify.min_probability=0.6

No video is opened: the vectors of scenes and videos that extract stored are compared with the words, which a model
embeds once, or with those of the examples. Writes classes.csv (a row a video and one a scene) and classes.jsonl beside
features/. What is classified already is not done again, even after a kill.

exit codes: 0 all classified; 1 some could not be, classes.csv says why; 2 nothing could be done; 130 interrupted."""


TEMPLATES_EXAMPLES = """\
examples:
  vconsole templates ~/features
  vconsole templates ~/features --force   make all of them again
  vconsole templates --schema             the JSON schema of a template

A template is a JSON file that tells the structure of a video: scenes with their times, on-screen lines, speech, class
and representative frames; FOLDER/templates/<path of the video>.json, docs/templates.md tells its fields. Classes come
from `vconsole classify`. A template is not made again while its feature file and its class are what they were.

exit codes: 0 all made; 1 some could not be; 2 nothing could be done; 130 interrupted."""


ANALYSIS_EXAMPLES = """\
examples:
  vconsole analysis ~/features
  vconsole analysis --run 12               only what run 12 put there
  vconsole analysis ~/features --set analysis.min_similarity=0.99
  vconsole analysis --schema               the JSON schema of analysis.json

Counts, lengths, cuts a minute, classes (of `vconsole classify`), the most frequent on-screen lines and spoken words,
and near-duplicate videos by their vectors and the hashes of their frames. Writes analysis.json, analysis.csv (a row a
video), analysis.md and analysis.html (with plots) beside features/.

exit codes: 0 all well; 1 some feature files could not be read; 2 nothing could be done; 130 interrupted."""


def add_classify(commands: Commands) -> None:
    """Add `classify`."""
    says = "Tell classes of stored videos and scenes by words or by examples, from their vectors."
    parser = command_parser(commands, "classify", says, CLASSIFY_EXAMPLES)
    _add_folder(parser)
    parser.add_argument("--labels", nargs="+", default=[], metavar="LABEL", help="the classes: WORDS, or NAME=WORDS")
    parser.add_argument(
        "--examples", default="", metavar="DIR", help="an extracted folder with a folder for each class"
    )
    parser.add_argument("--method", metavar="centroid|probe", help="how examples tell the classes")
    parser.add_argument("--vectors", metavar="KEY", help="the model whose stored vectors are used")
    parser.add_argument(
        "--device", metavar="DEVICE", help="where words are embedded: auto, cpu, cuda:N or cuda:0,cuda:1"
    )
    parser.add_argument("--force", action="store_true", help="do again what is classified already")
    _add_rest(parser)


def add_templates(commands: Commands) -> None:
    """Add `templates`."""
    parser = command_parser(
        commands, "templates", "Tell the structure of each stored video in a JSON file.", TEMPLATES_EXAMPLES
    )
    _add_folder(parser, nargs="?")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a template and leave")
    parser.add_argument("--force", action="store_true", help="make those again that need it not")
    _add_rest(parser)


def add_analysis(commands: Commands) -> None:
    """Add `analysis`."""
    says = "Tell what stored videos are, all together: classes, lengths, cuts, texts, near-duplicates."
    parser = command_parser(commands, "analysis", says, ANALYSIS_EXAMPLES)
    _add_folder(parser, nargs="?")
    parser.add_argument("--run", type=int, default=0, metavar="N", help="the outputs of this run instead of a folder")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of analysis.json and leave")
    _add_rest(parser)


def _add_folder(parser: Parser, nargs: str | None = None) -> None:
    parser.add_argument(
        "folder", metavar="FOLDER", nargs=nargs, help="the --out of an extract run, or a folder of feature files"
    )


def _add_rest(parser: Parser) -> None:
    parser.add_argument("--workers", metavar="N|auto", help="programs that read feature files; auto = one a core")
    add_json(parser)
    add_settings(parser)
