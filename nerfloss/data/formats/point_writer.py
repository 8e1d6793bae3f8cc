"""Write sparse points as a PLY file."""

from pathlib import Path

import numpy as np

from nerfloss.data.formats.parsed_scene import ParsedPoints
from nerfloss.files import atomic_write


def write_points(points: ParsedPoints, path: Path) -> None:
    """Write points as PLY, with colours, normals and confidence where they are known."""
    columns = {axis: points.positions[:, i] for i, axis in enumerate("xyz")}
    if points.normals is not None:
        columns |= {f"n{axis}": points.normals[:, i] for i, axis in enumerate("xyz")}
    if points.confidence is not None:
        columns["confidence"] = points.confidence
    kinds = [(name, "<f8") for name in columns]
    if points.colors is not None:
        colors = (points.colors.clip(0, 1) * 255).round().astype(np.uint8)
        columns |= {name: colors[:, i] for i, name in enumerate(("red", "green", "blue"))}
        kinds += [(name, "u1") for name in ("red", "green", "blue")]
    table = np.zeros(len(points.positions), dtype=kinds)
    for name, values in columns.items():
        table[name] = values
    words = {"<f8": "double", "u1": "uchar"}
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(table)}"]
    header += [f"property {words[kind]} {name}" for name, kind in kinds] + ["end_header", ""]
    atomic_write(path, "\n".join(header).encode() + table.tobytes())
