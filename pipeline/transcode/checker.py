"""The program that looks at videos for `vconsole transcode --check`: a path a line in, what it found a line out.

`python -m pipeline.transcode.checker`. The first line is the settings; it ends with its input. A decoder that crashes
or hangs on a file takes nothing with it but this process.
"""

import json
import os
import sys
from dataclasses import asdict
from typing import IO, Any

NICE = 10


def main() -> int:
    """Answer until there is no further line."""
    os.nice(NICE)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    serve(sys.stdin, answers)
    return 0


def serve(questions: IO[str], answers: IO[str]) -> None:
    """Read the settings and then paths from `questions`, and write an object for each path to `answers`."""
    from pipeline.settings import PipelineSettings

    order = json.loads(questions.readline())
    settings = PipelineSettings.model_validate(order["settings"])
    for line in questions:
        answers.write(json.dumps(look(os.fsencode(json.loads(line)), settings, order["threads"])) + "\n")
        answers.flush()


def look(path: bytes, settings: Any, threads: int) -> dict[str, Any]:
    """Return facts and problems of a file, all of it decoded; or the class and the sentence of what prevents that."""
    from pipeline.boundary import failure_of
    from pipeline.model import Stage
    from pipeline.transcode.inspect import inspect
    from pipeline.transcode.problems import problems_of

    try:
        facts = inspect(path, settings.probe, decode=True, threads=threads)
        problems = [asdict(problem) for problem in problems_of(facts, settings.transcode)]
    except Exception as error:  # noqa: BLE001 - the boundary: damaged media raises anything
        return failure_of(error, Stage.PROBE).to_message()
    return {"facts_in": asdict(facts), "problems": problems}


if __name__ == "__main__":
    sys.exit(main())
