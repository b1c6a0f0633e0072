"""What the engine's process imports of this room loads no HDF5, no decoder and no model library."""

import subprocess
import sys

HEAVY = {"h5py", "numpy", "av", "cv2", "torch", "PIL", "scenedetect"}


def test_the_engine_writes_manifests_without_heavy_libraries() -> None:
    program = """
import sys
import pipeline.outputs.manifest, pipeline.outputs.paths, pipeline.outputs.atomic, pipeline.outputs.verify
import pipeline.stages.keys
print(*{name.partition(".")[0] for name in sys.modules})
"""
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert HEAVY & set(loaded) == set()
