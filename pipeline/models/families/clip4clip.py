"""CLIP4Clip with a temporal head (seqTransf): a CLIP, and a small transformer over the frames of a scene or video.

Luo et al. 2021, "CLIP4Clip: An Empirical Study of CLIP for End to End Video Clip Retrieval", section 3.3, the
sequential type. The checkpoint is laid out as the authors publish it: the CLIP under `clip.`, one position a frame in
`frame_position_embeddings.weight`, the transformer under `transformerClip.resblocks.`. What serves only their losses
(`cross.`, `similarity_dense.` and the like) is left aside. Their parameter-free type needs no checkpoint: it is the
mean that `pipeline.stages.embed` takes of every other model.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import SettingsError
from pipeline.models.families.interface import Checkpoint, Model, Note, Origin, Vectors
from pipeline.models.families.open_clip import ClipModel, OpenClip, built, spec_of
from pipeline.models.network import at_precision, choose_device, finite, heard
from pipeline.sections import HostSettings, ModelSettings

if TYPE_CHECKING:
    import torch

CLIP, POSITIONS, HEAD = "clip.", "frame_position_embeddings.weight", "transformerClip.resblocks."
HEAD_WIDTH = 64
"""Width of one attention head, as everywhere in CLIP."""
FRAMES = 12
"""Frames of a clip that the authors train with; more are thinned out evenly."""
OPENAI_SIZES = ("input_resolution", "context_length", "vocab_size")


class Clip4Clip:
    """A fine-tuned CLIP whose vectors of scenes and videos know the order of the frames."""

    needs_weights = True
    files: tuple[str, ...] = ("pytorch_model.bin",)
    config = ""

    def check(self, key: str, model: ModelSettings) -> None:
        """Raise SettingsError unless open_clip knows the architecture of the CLIP inside."""
        OpenClip().check(key, model)

    def origin(self, key: str, model: ModelSettings) -> Origin:
        """Refuse: the authors publish no repository."""
        raise SettingsError(f"models.{key}.path must name the checkpoint: family clip4clip has no place to fetch one")

    def identity(self, model: ModelSettings) -> bytes:
        """Return what the CLIP inside depends on, and how many frames the head sees."""
        return OpenClip().identity(model) + b"frames %d" % FRAMES

    def load(self, checkpoint: Checkpoint, host: HostSettings, note: Note) -> Model:
        """Load the CLIP and its head."""
        device = choose_device(host)

        def build(precision: str) -> "Clip4ClipModel":
            return Clip4ClipModel(checkpoint, precision, device)

        return heard(lambda: at_precision(build, host, device, checkpoint.key, note), checkpoint.key, note)


class Clip4ClipModel(ClipModel):
    """The towers of a CLIP, whose picture vectors keep their length, and the head that pools them."""

    def __init__(self, checkpoint: Checkpoint, precision: str, device: "torch.device") -> None:
        """Raises KeyError or RuntimeError for a checkpoint of another layout."""
        import open_clip

        network, name = built(checkpoint.model, precision, device)
        state = open_clip.factory.load_state_dict(str(checkpoint.path), weights_only=True)
        clip = {name.removeprefix(CLIP): tensor for name, tensor in state.items() if name.startswith(CLIP)}
        network.load_state_dict({name: tensor for name, tensor in clip.items() if name not in OPENAI_SIZES})
        self._head = _head(state).to(device).eval()
        self._positions = state[POSITIONS].float().to(device)
        spec = spec_of(checkpoint, network, precision, device)
        frames = min(FRAMES, len(self._positions))
        super().__init__(network.eval(), name, replace(spec, pool_frames=frames), device)

    def pool(self, frames: Vectors) -> Vectors:
        """Return the vector (D,) of frames (T, D): the mean of what the transformer adds to each, as the authors do."""
        import torch

        with torch.inference_mode():
            rows = torch.from_numpy(frames).to(self._device)
            seen = self._head((rows + self._positions[: len(rows)])[None])[0] + rows
            mean = torch.nn.functional.normalize(seen, dim=-1).mean(dim=0, keepdim=True)
            vector: Vectors = finite(mean)[0]
            return vector


def _head(state: dict[str, "torch.Tensor"]) -> Any:
    """Return the transformer over frames: open_clip has the very blocks of it, with the same names."""
    import torch
    from open_clip.transformer import QuickGELU, ResidualAttentionBlock

    blocks = {name.removeprefix(HEAD): tensor.float() for name, tensor in state.items() if name.startswith(HEAD)}
    count = 1 + max((int(name.partition(".")[0]) for name in blocks), default=-1)
    if not count:
        raise KeyError(f"the checkpoint has no {HEAD}: it is none of CLIP4Clip with --sim_header seqTransf")
    width = state[POSITIONS].shape[1]
    head = torch.nn.Sequential(
        *(ResidualAttentionBlock(width, width // HEAD_WIDTH, act_layer=QuickGELU) for _ in range(count))
    )
    head.load_state_dict(blocks)
    return head
