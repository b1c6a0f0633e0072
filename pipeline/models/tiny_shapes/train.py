"""Train `tiny-shapes`, the toy CLIP of the demo and the tests, on generated pictures of coloured shapes.

    python -m pipeline.models.tiny_shapes.train --out pipeline/models/tiny_shapes/tiny-shapes.safetensors

The model and the contrastive loss are open_clip's own; only the configuration beside this file is ours. Some
combinations of colour and shape (`pipeline.media.shapes.HELD_OUT`) are never shown, so that finding them shows
understanding of the words.
Equal seeds give equal weights on one machine; another processor rounds differently.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.media.shapes import ALL, HELD_OUT, TRAINED, Combination, draw, random_look
from pipeline.models.operators import declare_missing_operators
from pipeline.models.pictures import PictureSpec, prepare

if TYPE_CHECKING:
    import torch

HERE = Path(__file__).parent
TEMPLATES = ("{}", "{}", "a picture of {}", "a photo of {}", "this is {}")
DRAWN_SIZES = ((96, 96), (128, 96), (160, 120), (170, 96), (320, 240))
"""Width and height of the pictures before preprocessing, in pixels."""
REPORT_EVERY = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, report on combinations never shown, and write the weights. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.models.tiny_shapes.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "tiny-shapes.safetensors")
    parser.add_argument("--steps", type=int, default=1300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    declare_missing_operators()
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    trainer = Trainer(options.seed, options.steps)
    trainer.run()
    for name, pairs in (("trained", TRAINED), ("held-out", HELD_OUT)):
        right = trainer.accuracy(pairs)
        sys.stdout.write(f"{name} combinations: {right:.3f} right among all {len(ALL)} captions\n")
    save(trainer.model, options.out, trainer.tokens_seen)
    sys.stdout.write(f"{options.out}: {options.out.stat().st_size} bytes\n")
    return 0


class Trainer:
    """The model, its optimiser and its source of pictures."""

    def __init__(self, seed: int, steps: int) -> None:
        import open_clip
        import torch

        open_clip.add_model_config(HERE / "tiny-shapes.json")
        self.model: Any = open_clip.create_model("tiny-shapes", pretrained_text=False)
        self.tokenizer: Any = open_clip.get_tokenizer("tiny-shapes")
        self.loss: Any = open_clip.ClipLoss()
        self.steps = steps
        self.rng = np.random.default_rng(seed)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=0, betas=(0.9, 0.98), weight_decay=0.05)
        self.tokens_seen: set[int] = {0}
        config = self.model.visual.preprocess_cfg
        side = int(config["size"] if isinstance(config["size"], int) else config["size"][0])
        self.mean = torch.tensor(config["mean"])[:, None, None]
        self.std = torch.tensor(config["std"])[:, None, None]
        self.spec = PictureSpec(
            "tiny-shapes", side, side, "shortest", "bicubic", (0, 0, 0), (0, 0, 0), (1, 1, 1), 64, "", "", "", "", ""
        )

    def run(self) -> None:
        """Train for all steps."""
        import torch

        began = time.monotonic()
        self.model.train()
        for step in range(self.steps):
            for group in self.optimiser.param_groups:
                group["lr"] = _learning_rate(step, self.steps)
            loss = self._loss()
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            with torch.no_grad():
                self.model.logit_scale.clamp_(0, math.log(100))
            if step % REPORT_EVERY == 0:
                sys.stdout.write(f"step {step}: loss {loss.item():.3f}, {time.monotonic() - began:.0f} s\n")
                sys.stdout.flush()

    def _loss(self) -> "torch.Tensor":
        """Return the CLIP loss over one picture of each combination, plus that of colours alone and shapes alone.

        No two captions of one batch mean the same, so no pair is wrongly called a mismatch.
        """
        order = [TRAINED[index] for index in self.rng.permutation(len(TRAINED))]
        pictures = self.model.encode_image(self.pictures(order), normalize=True)
        total = self._contrast(pictures, [pair.caption for pair in order])
        colours = _first_of_each(order, [pair.colour for pair in order])
        total = total + self._contrast(pictures[colours], [f"a {order[i].colour} shape" for i in colours])
        shapes = _first_of_each(order, [pair.shape for pair in order])
        return total + self._contrast(pictures[shapes], [f"a {order[i].shape}" for i in shapes])

    def _contrast(self, pictures: "torch.Tensor", captions: Sequence[str]) -> "torch.Tensor":
        template = TEMPLATES[self.rng.integers(len(TEMPLATES))]
        tokens = self.tokenizer([template.format(caption) for caption in captions])
        self.tokens_seen.update(tokens.unique().tolist())
        texts = self.model.encode_text(tokens, normalize=True)
        loss: torch.Tensor = self.loss(pictures, texts, self.model.logit_scale.exp())
        return loss

    def pictures(self, pairs: Sequence[Combination]) -> "torch.Tensor":
        """Return a fresh picture of each of `pairs`, normalised, float32 (N, 3, side, side)."""
        import torch

        drawn = []
        for pair in pairs:
            width, height = DRAWN_SIZES[self.rng.integers(len(DRAWN_SIZES))]
            picture = draw(pair, random_look(self.rng), width=width, height=height)
            drawn.append(prepare(picture, self.spec))
        stack: NDArray[np.uint8] = np.stack(drawn)
        return (torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std

    def accuracy(self, pairs: Sequence[Combination], each: int = 20) -> float:
        """Return how often the caption of a new picture of `pairs` is the nearest of all 64 captions, 0 to 1."""
        import torch

        captions = [pair.caption for pair in ALL]
        self.model.eval()
        with torch.inference_mode():
            texts = self.model.encode_text(self.tokenizer(captions), normalize=True)
            right = 0
            for _ in range(each):
                best = (self.model.encode_image(self.pictures(pairs), normalize=True) @ texts.T).argmax(dim=1)
                right += sum(captions[row] == pair.caption for row, pair in zip(best.tolist(), pairs, strict=True))
        self.model.train()
        return right / (each * len(pairs))


def save(model: Any, path: Path, tokens_seen: set[int]) -> None:
    """Write the weights in half precision; words never seen get zeros, so they carry no meaning by chance."""
    import torch
    from safetensors import torch as safetensors

    state = {
        name: value.detach().to(torch.float16 if value.is_floating_point() else value.dtype).contiguous()
        for name, value in model.state_dict().items()
    }
    words = torch.zeros_like(state["token_embedding.weight"])
    seen = torch.tensor(sorted(tokens_seen))
    words[seen] = state["token_embedding.weight"][seen]
    state["token_embedding.weight"] = words
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(safetensors.save(state))


def _first_of_each(order: Sequence[Combination], names: Sequence[str]) -> list[int]:
    first: dict[str, int] = {}
    for index in range(len(order)):
        first.setdefault(names[index], index)
    return list(first.values())


def _learning_rate(step: int, steps: int, peak: float = 1e-3, warmup: int = 30) -> float:
    if step < warmup:
        return peak * (step + 1) / warmup
    return 0.5 * peak * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


if __name__ == "__main__":
    raise SystemExit(main())
