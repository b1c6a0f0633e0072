"""The templates of all videos of a folder, each made again only if what it is made from has changed."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from pipeline.analysis.classes import Classes, read_classes
from pipeline.analysis.folder import Folder
from pipeline.analysis.readers import Item, read_all
from pipeline.analysis.stamps import stamp_of

Told = Callable[[int, int], None]


def make_templates(
    folder: Folder, readers: int, told: Told, *, force: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write a template for each feature file, and yield its name with whether it was `made`, or the `problem`.

    Classes come from `classes.jsonl` where it is there. Raises SettingsError, OSError.
    """
    classes = read_classes(folder.out)
    items = [Item(folder.path(name), _handed(folder, name, classes)) for name in folder.names]
    arguments = {"out": os.fsdecode(folder.out), "force": force}
    for done, (item, answer) in enumerate(read_all("template", arguments, items, readers), 1):
        told(done, len(items))
        yield item.extra["name"], answer


def _handed(folder: Folder, name: bytes, classes: Classes | None) -> dict[str, Any]:
    """Return what the program that writes a template needs beside the feature file."""
    shown = os.fsdecode(name)
    video = classes.video(shown) if classes else None
    if classes is None or video is None or "problem" in video or tuple(video["stamp"]) != stamp_of(folder.path(name)):
        return {"name": shown, "label": None, "labels": [], "key": ""}
    scenes = [classes.head.label(shares) for _, _, shares in video["scenes"]]
    key = f"{classes.head.key} {classes.head.min_probability}"
    return {"name": shown, "label": classes.head.label(video["video"]), "labels": scenes, "key": key}
