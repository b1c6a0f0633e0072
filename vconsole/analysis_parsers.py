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
    parser.add_argument("--device", metavar="DEVICE", help="device that embeds the words: auto, cpu or cuda:N")
    parser.add_argument("--force", action="store_true", help="do again what is classified already")
    _add_rest(parser)


def _add_folder(parser: Parser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="the --out of an extract run, or a folder of feature files")


def _add_rest(parser: Parser) -> None:
    parser.add_argument("--workers", metavar="N|auto", help="programs that read feature files; auto = one a core")
    add_json(parser)
    add_settings(parser)
