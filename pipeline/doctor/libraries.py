"""Looks at one library: whether it can be imported here, and which version it is."""

import importlib
import re
from importlib.metadata import PackageNotFoundError, requires, version
from types import ModuleType

from pipeline.health import Check, Grade

GROUP = "libraries"
LIBRARIES = {
    "numpy": "numpy",
    "h5py": "h5py",
    "av": "av",
    "scenedetect-headless": "scenedetect",
    "pillow": "PIL",
    "psutil": "psutil",
    "nvidia-ml-py": "pynvml",
    "platformdirs": "platformdirs",
    "pydantic": "pydantic",
    "textual": "textual",
    "tomlkit": "tomlkit",
    "rich": "rich",
    "httpx2": "httpx2",
    "markdown-it-py": "markdown_it",
    "torch": "torch",
    "torchvision": "torchvision",
    "open_clip_torch": "open_clip",
    "easyocr": "easyocr",
    "rapidocr": "rapidocr",
    "onnxruntime": "onnxruntime",
    "openai-whisper": "whisper",
    "silero-vad": "silero_vad",
}
"""Distribution -> what is imported of it: all that `pyproject.toml` asks for."""
ON_TORCHVISION = frozenset({"torchvision", "open_clip_torch", "easyocr"})
REINSTALL = "Install again: pip install -c constraints.txt ."


def library(distribution: str) -> list[Check]:
    """Import one library and return what it is."""
    try:
        found = version(distribution)
    except PackageNotFoundError:
        return [Check(GROUP, distribution, Grade.FAULT, "not installed", REINSTALL)]
    if distribution in ON_TORCHVISION:
        from pipeline.models.operators import declare_missing_operators

        declare_missing_operators()
    try:
        module = importlib.import_module(LIBRARIES[distribution])
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        told = " ".join(str(error).split())[:200]
        return [Check(GROUP, distribution, Grade.FAULT, f"{found}, and it cannot be imported: {told}", REINSTALL)]
    least = _least(distribution)
    if _numbers(found) < _numbers(least):
        return [Check(GROUP, distribution, Grade.WARNING, f"{found}, and {least} is the oldest tested", REINSTALL)]
    return [Check(GROUP, distribution, Grade.OK, f"{found}{_more(distribution, module)}")]


def _least(distribution: str) -> str:
    """Return the oldest version that the program asks for, `0` where it is not installed itself."""
    try:
        wanted = requires("vconsole") or []
    except PackageNotFoundError:
        return "0"
    found = (re.match(rf"{re.escape(distribution)}>=([\d.]+)", line) for line in wanted)
    return next((match[1] for match in found if match), "0")


def _numbers(text: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _more(distribution: str, module: ModuleType) -> str:
    """Return what else is worth knowing of a library."""
    if distribution == "av":
        codec = ".".join(map(str, module.library_versions["libavcodec"]))
        return f", FFmpeg {module.ffmpeg_version_info} (libavcodec {codec})"
    if distribution == "h5py":
        return f", HDF5 {module.version.hdf5_version}"
    if distribution == "torch":
        return f", built for CUDA {module.version.cuda}" if module.version.cuda else ", built for the CPU"
    return ""
