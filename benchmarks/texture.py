"""Texture of an exported mesh against the texture of the mesh that was photographed.

Renders the cow "spot" (Keenan Crane, public domain: spot_triangulated.obj, spot_texture.png) from
60 sides, trains on these pictures, exports GLB files with textures, and renders these and the cow
from views between them. The texture baked onto the true mesh shows what the baking alone loses.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import trimesh
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from small_scenes import write_blender  # noqa: E402
from textured_scenes import photograph, spot, textured_scene  # noqa: E402

from nerfloss.assembly.export.neutral_photographs import unchanged  # noqa: E402
from nerfloss.assembly.export.surface_visibility import SurfaceVisibility  # noqa: E402
from nerfloss.assembly.export.texture_colors import PhotographColors  # noqa: E402
from nerfloss.data.cameras.cameras import Cameras  # noqa: E402
from nerfloss.data.scene import Scene  # noqa: E402
from nerfloss.evaluation.mesh_files import write_mesh  # noqa: E402
from nerfloss.evaluation.surfaces.texture_atlas import textured  # noqa: E402

SOURCES = ("model", "photographs")
TRUE = "photographs, on the true mesh"
SHOWN = (0, 3, 6, 5)  # test views of the figure


def main() -> None:
    """Train, export, compare, and print the scores of each texture."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("spot", type=Path, help="the folder of spot_triangulated.obj")
    options.add_argument("--out", type=Path, default=Path("texture"))
    options.add_argument("--steps", type=int, default=2400)
    options.add_argument("--size", type=int, default=200)
    options.add_argument("--texels", type=int, default=1024)
    options.add_argument("--faces", type=int, default=20_000)
    options.add_argument("--figure", type=Path, help="a .png of test views")
    asked = options.parse_args()
    truth = spot(asked.spot)
    scene = textured_scene(truth, 60, 12, asked.size)
    write_blender(asked.out / "scene", scene, scene_radius=1.0)
    run = asked.out / "run"
    data = f"dataset.path={asked.out / 'scene'}"
    length = f"trainer.max_steps={asked.steps}"
    _nerfloss("train", data, "loss=neus_mask", "device=cpu", length, f"hydra.run.dir={run}")
    paths = {source: asked.out / f"{source}.glb" for source in SOURCES}
    for source, path in paths.items():
        _nerfloss("export", str(run), "--mesh", str(path), "--faces", str(asked.faces), "--texture",
                  str(asked.texels), "--texture-from", source, "--device", "cpu")  # fmt: skip
    paths[TRUE] = write_mesh(_on_true_mesh(truth, scene, asked.texels), asked.out / "true.glb")
    cameras = scene.test.cameras
    expected = [photograph(truth, cameras, view) for view in range(len(cameras))]
    pictures = {name: _pictures(path, cameras) for name, path in paths.items()}
    scores = {name: _scores(found, expected) for name, found in pictures.items()}
    (asked.out / "texture.json").write_text(json.dumps(scores, indent=1))
    for name, score in scores.items():
        print(f"{name:32} {score['whole']:.2f} dB, {score['object']:.2f} dB over the object")
    if asked.figure is not None:
        rows = [expected, *(pictures[name] for name in SOURCES)]
        _figure(rows).save(asked.figure, optimize=True)


def _nerfloss(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "nerfloss", *words], check=True)


def _on_true_mesh(truth: trimesh.Trimesh, scene: Scene, texels: int) -> trimesh.Trimesh:
    """Return the cow without her texture, and with one from the training pictures."""
    plain = trimesh.Trimesh(truth.vertices, truth.faces, process=True)

    def unseen(points: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return torch.full_like(points, 0.5)

    colors = PhotographColors(unseen, SurfaceVisibility(plain, scene.train), unchanged)
    return textured(plain, colors, texels, device=torch.device("cpu"))


def _pictures(path: Path, cameras: Cameras) -> list[tuple[np.ndarray, np.ndarray]]:
    read = trimesh.load_mesh(path)
    mesh = read.to_mesh() if isinstance(read, trimesh.Scene) else read
    return [photograph(mesh, cameras, view) for view in range(len(cameras))]


def _on_white(picture: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    color, opacity = picture[0], picture[1][..., None]
    return color * opacity + 1 - opacity


def _scores(found: list, expected: list) -> dict[str, float]:
    """Return the mean PSNR over whole pictures, and over the pixels of the true object."""
    whole, inside = [], []
    for one, other in zip(found, expected, strict=True):
        error = (_on_white(one) - _on_white(other)) ** 2
        whole.append(-10 * np.log10(error.mean()))
        inside.append(-10 * np.log10(error[other[1] >= 0.5].mean()))
    return {"whole": float(np.mean(whole)), "object": float(np.mean(inside))}


def _figure(rows: list[list[tuple[np.ndarray, np.ndarray]]]) -> Image.Image:
    """Return some views: a row of the cow's own texture, then one per source."""
    strips = [np.concatenate([_on_white(row[view]) for view in SHOWN], 1) for row in rows]
    content = (np.concatenate(strips, 0) * 255).round().astype(np.uint8)
    return Image.fromarray(content).quantize(128, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
