"""Move a parsed scene to the coordinates of the user's original files."""

from dataclasses import replace

import numpy as np

from nerfloss.data.formats.parsed_scene import ParsedScene


def in_file_coordinates(parsed: ParsedScene) -> ParsedScene:
    """Return the scene with ``to_files`` applied to poses, points, region, up and depth."""
    if parsed.to_files is None:
        return parsed
    matrix = parsed.to_files
    scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    turn, shift = matrix[:3, :3] / scale, matrix[:3, 3]
    frames = tuple(
        replace(
            frame,
            pose=np.column_stack(
                [turn @ frame.pose[:, :3], scale * turn @ frame.pose[:, 3] + shift]
            ),
        )
        for frame in parsed.frames
    )
    points = parsed.points
    if points is not None:
        normals = None if points.normals is None else points.normals @ turn.T
        positions = scale * points.positions @ turn.T + shift
        points = replace(points, positions=positions, normals=normals)
    return replace(
        parsed,
        frames=frames,
        points=points,
        region=None if parsed.region is None else matrix @ parsed.region,
        up=None if parsed.up is None else turn @ parsed.up,
        depth=replace(parsed.depth, unit=parsed.depth.unit * scale),
        to_files=None,
    )
