"""What can be typed behind the commands that start a run or go on with one."""

from vconsole.parser_parts import Commands, Parser, add_json, add_settings, command_parser

EXTRACT_EXAMPLES = """\
examples:
  vconsole extract ~/videos --out ~/features
  vconsole extract a.mp4 b.mkv ~/more --out out --preset quick
  vconsole extract ~/videos --out out --preset scenes --workers 4      no model needed
  vconsole extract ~/videos --out out --model clip-vit-l-14 --device cuda:0
  vconsole extract ~/videos --out out --set scenes.detector=content --set scenes.threshold=30
  vconsole extract ~/videos --out out --dry-run                        say what would be done, do nothing
  vconsole extract ~/videos --out out --json > events.jsonl

What is whole already is not done again. Ctrl+C once stops the workers and keeps what is done; twice ends at once."""

TRANSCODE_EXAMPLES = """\
examples:
  vconsole transcode --check ~/videos                            say what is odd about each; decodes all of it
  vconsole transcode ~/videos --out ~/standard                   H.264 in MP4, upright, constant rate, stereo AAC
  vconsole transcode ~/videos --out ~/proxies --preset proxy-480p
  vconsole transcode a.mov b.mxf --out out --preset remux --output-format mov
  vconsole transcode ~/videos --out out --video-codec auto --resolution 1920x1080 --crf 20 --speed slow
  vconsole transcode ~/damaged --out out --salvage               keep what decodes; the report says what is lost
  vconsole transcode ~/videos --out out --dry-run                say what would be done, do nothing

What conforms already is not encoded again, nor is what was done. A source is never written to: the output folder may
hold no input. transcode_report.json and .csv say of each input what it was, what became of it and why. Ctrl+C once
stops the workers and keeps what is done; `vconsole resume` goes on; twice ends at once."""

_TRANSCODE_OPTIONS = {
    "output-format": ("mp4|mkv|mov|webm", "container of the outputs"),
    "video-codec": ("CODEC", "libx264, libx265, libsvtav1, prores_ks, h264_nvenc, hevc_nvenc, av1_nvenc, copy or auto"),
    "audio-codec": ("CODEC", "aac, libopus, pcm_s16le, copy or none"),
    "crf": ("N", "constant quality of a software encoder, lower is better"),
    "cq": ("N", "constant quality of a hardware encoder, lower is better"),
    "speed": ("NAME", "the encoder's own preset: ultrafast ... placebo, 0-13 (AV1), p1-p7 (NVENC)"),
    "tune": ("NAME", "what the encoder is tuned for, in its own word"),
    "crop": ("auto|none|W:H:X:Y", "cut black borders off, or this part of the picture out"),
    "resolution": ("WxH", "larger pictures are made to fit within"),
    "fps": ("N", "frames a second, at a constant rate"),
    "audio-channels": ("N", "channels of the sound"),
    "audio-stream": ("N|LANG|all", "which sound: a number from 0, a language (eng) or all"),
    "keyframe-interval-s": ("S", "seconds from one keyframe to the next"),
    "hwaccel": ("auto|none|cuda", "whether a hardware encoder may be used"),
    "report-file": ("FILE", "one more place for the report: a .json or .csv file"),
}
"""Options that set `transcode.NAME`: what stands for the value, and what the help says."""

_TRANSCODE_FLAGS = {
    "upscale": "make pictures smaller than the resolution larger, too",
    "salvage": "keep what decodes of a damaged file; the report says what is lost",
}


def add_extract(commands: Commands) -> None:
    """Add `extract`."""
    says = "Extract features from videos and pictures, one HDF5 file each; folders are searched through."
    parser = command_parser(commands, "extract", says, EXTRACT_EXAMPLES)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a video, a picture or a folder")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the outputs; made if it is missing")
    parser.add_argument(
        "--preset", metavar="NAME", help="standard (default), quick, scenes, everything, or one of your own"
    )
    parser.add_argument(
        "--model", metavar="KEY", action="append", help="model for the vectors, see `vconsole models list`; repeatable"
    )
    parser.add_argument("--workers", metavar="N|auto", help="worker processes")
    parser.add_argument("--device", metavar="DEVICE", help="device of the models: auto, cpu, cuda:N or cuda:0,cuda:1")
    _add_ways(parser)


def add_transcode(commands: Commands) -> None:
    """Add `transcode`."""
    says = "Transcode videos into files that are easy to read, or only say what is odd about them; subfolders are kept."
    parser = command_parser(commands, "transcode", says, TRANSCODE_EXAMPLES)
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a video or a folder")
    parser.add_argument("--out", metavar="DIR", help="folder for the outputs; made if it is missing, holds no input")
    presets = "standardize (default), proxy-480p, archive, edit, remux, or one of your own"
    parser.add_argument("--preset", metavar="NAME", help=presets)
    for name, (value, told) in _TRANSCODE_OPTIONS.items():
        parser.add_argument(f"--{name}", metavar=value, help=told)
    for name, told in _TRANSCODE_FLAGS.items():
        parser.add_argument(f"--{name}", action="store_true", default=None, help=told)
    parser.add_argument("--workers", metavar="N|auto", help="worker processes")
    parser.add_argument("--check", action="store_true", help="only report what is odd about each video; needs no --out")
    _add_ways(parser)


def _add_ways(parser: Parser) -> None:
    """Add how a new run is to be gone about."""
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--force", action="store_true", help="do again what is whole already")
    add_json(parser)
    add_settings(parser)


def add_resume(commands: Commands) -> None:
    """Add `resume`."""
    parser = command_parser(
        commands,
        "resume",
        "Go on with a run that was interrupted; it keeps the settings it began with.",
        "examples:\n  vconsole resume        the newest interrupted run\n"
        "  vconsole resume 12     run 12, see `vconsole runs`",
    )
    parser.add_argument("run", nargs="?", type=int, default=0, metavar="RUN", help="number of the run")
    add_json(parser)
    add_settings(parser)
