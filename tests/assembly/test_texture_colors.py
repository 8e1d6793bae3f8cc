"""Textures from photographs: best views, what hides the surface, masks, holes, exposures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from small_runs import untrained_run
from textured_scenes import colors_at, photographed
from trimesh.visual.material import SimpleMaterial
from trimesh.visual.texture import TextureVisuals

from nerfloss.assembly.export.mesh_export import export_mesh
from nerfloss.assembly.export.mesh_settings import MeshSettings
from nerfloss.assembly.export.neutral_photographs import (
    appearance_of_colors,
    neutral_photographs,
    unchanged,
)
from nerfloss.assembly.export.opened_run import OpenedRun
from nerfloss.assembly.export.surface_visibility import SurfaceVisibility, interpolated
from nerfloss.assembly.export.texture_colors import ModelColors, PhotographColors
from nerfloss.data.cameras.camera import Camera
from nerfloss.data.cameras.cameras import Cameras, pixel_centers
from nerfloss.data.synthetic.camera_layouts import cameras_at, fibonacci_sphere
from nerfloss.data.views import Views
from nerfloss.geometry import intersect_sphere
from nerfloss.kernels.numba.rasterize import NO_FACE, rasterize
from nerfloss.quantities.signature import inputs_of

SIZE = 96


def magenta(points, normals, directions):  # noqa: ARG001
    return torch.ones_like(points) * torch.tensor([1.0, 0.0, 1.0])


def ball(radius: float = 0.6, center=(0.0, 0.0, 0.0)) -> trimesh.Trimesh:
    """A ball whose texture is smooth: its colour depends on longitude and latitude."""
    made = trimesh.creation.uv_sphere(radius, [48, 48])
    x, y, z = made.vertices.T / radius
    uv = np.stack([0.25 + 0.2 * x + 0.2 * y, 0.5 + 0.45 * z], 1)
    ramp = np.linspace(40, 215, 64)
    image = np.stack([*np.meshgrid(ramp, ramp), np.full((64, 64), 100)], -1).astype(np.uint8)
    visual = TextureVisuals(uv=uv, material=SimpleMaterial(image=Image.fromarray(image)))
    made = trimesh.Trimesh(made.vertices, made.faces, visual=visual, process=False)
    return made.apply_translation(center)


@pytest.fixture(scope="module")
def views() -> Views:
    """Photographs of the ball from all sides."""
    return photographed(ball(), cameras_at(3.0 * fibonacci_sphere(16), SIZE, 35.0), "view")


@pytest.fixture(scope="module")
def sampled() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points of the ball, their normals and true colours."""
    points, normals, colors = colors_at(ball(), 2000)
    return tuple(torch.from_numpy(each) for each in (points, normals, colors))


def baked(views: Views, sampled, mesh: trimesh.Trimesh | None = None, neutral=unchanged):
    visible = SurfaceVisibility(ball() if mesh is None else mesh, views)
    points, normals, _ = sampled
    found = PhotographColors(magenta, visible, neutral)(points.float(), normals.float())
    return found, (found - torch.tensor([1.0, 0, 1])).abs().max(1).values < 0.02


def test_photographs_give_back_the_colours_of_the_surface(views, sampled) -> None:
    found, unseen = baked(views, sampled)
    assert not unseen.any()
    assert (found - sampled[2]).abs().median() < 0.006
    assert (found - sampled[2]).abs().max() < 0.05


def test_what_is_hidden_keeps_the_colour_of_the_model(views, sampled) -> None:
    points, normals, colors = sampled
    shield = trimesh.creation.icosphere(3, 0.9)
    upper = (shield.vertices[shield.faces][:, :, 2] > 0).all(1)
    shield = trimesh.Trimesh(shield.vertices, shield.faces[upper], process=False)
    mesh = trimesh.util.concatenate([ball().copy(), shield])
    found, unseen = baked(views, (points, normals, colors), mesh)
    assert unseen[points[:, 2] > 0.3].all(), "the shield's colours are not the ball's"
    open_ = points[:, 2] < -0.35
    assert (found - colors)[open_].abs().median() < 0.01


def test_pixels_outside_of_masks_and_ignored_ones_do_not_count(views, sampled) -> None:
    assert baked(replace(views, mask=0 * views.mask), sampled)[1].all()
    everywhere = torch.full_like(views.mask, 255)
    assert baked(replace(views, ignore=everywhere), sampled)[1].all()
    # A view whose colours are wrong has no influence where its pixels are ignored.
    wrong, ignore = views.rgb.clone(), torch.zeros_like(views.mask)
    wrong[0], ignore[0] = 0, 255
    found, _ = baked(replace(views, rgb=wrong, ignore=ignore), sampled)
    assert (found - sampled[2]).abs().max() < 0.06


def test_the_background_behind_an_outline_is_not_baked(views, sampled) -> None:
    bare = replace(views, mask=None)
    red = torch.tensor([255, 0, 0], dtype=torch.uint8)
    bare = replace(bare, rgb=torch.where(views.mask[..., None] > 0, views.rgb, red))
    found, _ = baked(bare, sampled)
    assert (found - sampled[2]).abs().max() < 0.08


def lens_of(model: str) -> Camera:
    more = {"OPENCV": (-0.12, 0.03, 0.002, -0.003), "OPENCV_FISHEYE": (0.02, 0.0, 0.0, 0.0)}[model]
    return Camera(model, SIZE, SIZE - 6, (150.0, 154.0, SIZE / 2 + 1.7, SIZE / 2 - 2.3, *more))


@pytest.mark.parametrize("model", ["OPENCV", "OPENCV_FISHEYE"])
def test_photographs_of_other_lenses_are_looked_up_where_their_rays_go(sampled, model) -> None:
    """Images made ray by ray: their colours are those of the position on the ball."""

    def painted(points: torch.Tensor) -> torch.Tensor:
        return 0.5 + 0.4 * torch.sin(3 * points)

    poses = cameras_at(3.0 * fibonacci_sphere(16), SIZE, 35.0).poses.numpy()
    cameras = Cameras.of([lens_of(model)] * 16, poses)
    pixels = pixel_centers(cameras.width, cameras.height)
    images = []
    for view in range(16):
        rays = cameras.rays(torch.full((len(pixels),), view), pixels, torch.zeros(len(pixels), 3))
        enter, leave = intersect_sphere(rays, 0.6)
        hits = rays.origins + enter[:, None] * rays.directions
        images.append(torch.where((leave > enter)[:, None], painted(hits), 0.0))
    rgb = (torch.stack(images).reshape(16, cameras.height, cameras.width, 3) * 255).round().byte()
    found, unseen = baked(Views(cameras, tuple(map(str, range(16))), rgb), sampled)
    assert not unseen.any()
    error = (found - painted(sampled[0])).abs()
    # A pixel is 0.02 wide on the ball: half of it would be an error of 0.01.
    assert error.median() < 0.004
    assert error.max() < 0.05


def test_weights_fade_to_zero_before_a_view_ceases_to_count(views) -> None:
    """Along a path over the surface no colour jumps where another view takes over."""
    angle = torch.linspace(0, 2 * np.pi, 4000, dtype=torch.float64)
    normals = torch.stack([angle.cos(), angle.sin() * 0.8, angle.sin() * 0.6], 1)
    brighter = 40 * (torch.arange(16) % 3)[:, None, None, None]
    shaded = replace(views, rgb=(views.rgb // 2 + brighter).byte())
    visible = SurfaceVisibility(ball(), shaded)
    found = PhotographColors(magenta, visible, unchanged)(
        (0.598 * normals).float(), normals.float()
    )
    assert found.std(0).max() > 0.05
    # The path's steps are a thirtieth of a pixel long.
    assert found.diff(dim=0).abs().max() < 0.02


def test_the_model_is_seen_along_the_directions_of_the_views(views, sampled) -> None:
    points, normals, _ = sampled
    half = cameras_at(views.cameras.poses[:1, :, 3], SIZE, 35.0)
    one = replace(views[:1], cameras=half)
    direction = lambda points, normals, directions: 0.5 + 0.5 * directions  # noqa: ARG005, E731
    found = ModelColors(direction, SurfaceVisibility(ball(), one))(points.float(), normals.float())
    center = half.poses[0, :, 3].double()
    toward = torch.nn.functional.normalize(points - center, dim=1)
    seen = -(toward * normals).sum(1) > 0.5
    torch.testing.assert_close(found[seen], (0.5 + 0.5 * toward[seen]).float(), atol=1e-4, rtol=0)
    away = -(toward * normals).sum(1) < 0
    torch.testing.assert_close(found[away], (0.5 - 0.5 * normals[away]).float(), atol=1e-4, rtol=0)


def test_values_between_pixels_are_exact_for_a_plane() -> None:
    row, column = np.mgrid[0:5, 0:7] + 0.5
    image = torch.from_numpy(2 * column + 3 * row)
    place = torch.tensor([[1.25, 2.5], [0.5, 0.5], [6.5, 4.5], [3.9, 1.1]], dtype=torch.float64)
    expected = 2 * place[:, 0] + 3 * place[:, 1]
    torch.testing.assert_close(interpolated(image, place), expected)
    outside = interpolated(image, torch.tensor([[0.0, 0.0], [7.0, 5.0]]))
    torch.testing.assert_close(outside, torch.stack([image[0, 0], image[-1, -1]]))
    assert interpolated(image[:1, :1], place).eq(image[0, 0]).all()


def test_the_depth_buffer_is_that_of_rays_through_the_centres_of_pixels() -> None:
    rng = np.random.default_rng(0)
    focal, width, height = 20.0, 24, 18
    vertices = rng.uniform([-1, -1, 2], [1, 1, 4], (30, 3))
    faces = rng.permutation(30).reshape(10, 3)
    pixels = focal * vertices[:, :2] / vertices[:, 2:] + [width / 2, height / 2]
    depth, index = rasterize(pixels, vertices[:, 2], faces, width, height)
    for row in range(height):
        for column in range(width):
            ray = np.array([column + 0.5 - width / 2, row + 0.5 - height / 2, focal]) / focal
            hits = {}
            for number, (a, b, c) in enumerate(vertices[faces]):
                u, v, t = np.linalg.solve(np.stack([b - a, c - a, -ray], 1), -a)
                if u >= 0 and v >= 0 and u + v <= 1:
                    hits[number] = t
            if not hits:
                assert index[row, column] == NO_FACE
                assert np.isinf(depth[row, column])
                continue
            nearest = min(hits, key=hits.__getitem__)
            assert index[row, column] == nearest
            assert depth[row, column] == pytest.approx(hits[nearest])
    behind = np.where(np.arange(30) == faces[0, 0], -1.0, vertices[:, 2])
    assert not (rasterize(pixels, behind, faces, width, height)[1] == 0).any()


@pytest.mark.parametrize("appearance", ["affine", "bilateral"])
def test_the_learned_exposure_of_a_photograph_is_undone(tmp_path: Path, appearance: str) -> None:
    opened = OpenedRun(untrained_run(tmp_path / "run", f"appearance={appearance}"), "cpu")
    model = opened.run.model
    with torch.no_grad():
        model.appearance.offsets.normal_(0, 0.05, generator=torch.Generator().manual_seed(0))
    neutral, note = neutral_photographs(opened)
    assert "was undone" in note
    generator = torch.Generator().manual_seed(1)
    true = 0.2 + 0.5 * torch.rand(50, 3, generator=generator, dtype=torch.float64)
    pixel = 24 * torch.rand(50, 2, generator=generator, dtype=torch.float64)
    photographed = exposed(model, 3, pixel, true)
    assert (photographed - true).abs().max() > 0.02
    torch.testing.assert_close(neutral(3, pixel, photographed), true, atol=2e-3, rtol=0)


def exposed(model, view: int, pixel: torch.Tensor, rgb: torch.Tensor) -> torch.Tensor:
    """Colours as the model corrects them, by the quantities of its rules."""
    rules = model.appearance.rules(background_model=False)
    values = {
        "view": torch.full((len(rgb),), view),
        "pixel": pixel.float(),
        "rgb_uncorrected": rgb.float(),
        model.appearance.quantity: model.appearance.values(),
        "image_sizes": model.appearance.image_sizes(),
    }
    exposure = rules["exposure"]
    found = exposure(*(values[name] for name in inputs_of(exposure))).detach().double()
    return (found[..., :3] @ rgb[..., None])[..., 0] + found[..., 3]


def test_an_embedding_is_not_undone_and_that_is_said(tmp_path: Path) -> None:
    opened = OpenedRun(untrained_run(tmp_path / "run", "appearance=embedding"), "cpu")
    neutral, note = neutral_photographs(opened)
    assert neutral is unchanged
    assert "cannot be undone" in note
    plain = OpenedRun(untrained_run(tmp_path / "plain"), "cpu")
    assert neutral_photographs(plain) == (unchanged, None)


@pytest.mark.parametrize(
    ("appearance", "said"),
    [
        ("none", None),
        ("embedding", "have the mean of the embeddings of the training images"),
        ("affine", "are without the exposure of any training image"),
        ("bilateral", "are without the exposure of any training image"),
    ],
)
def test_the_appearance_of_the_models_colours_is_said(tmp_path: Path, appearance, said) -> None:
    opened = OpenedRun(untrained_run(tmp_path / "run", f"appearance={appearance}"), "cpu")
    notes = export_mesh(opened, tmp_path / "mesh.ply", MeshSettings(resolution=16))
    about = [note for note in notes if "the model's colours" in note]
    assert about == ([] if said is None else [f"the model's colours {said}"])
    assert appearance_of_colors(opened) == next(iter(about), None)
    assert not any(
        "the model's colours" in note
        for note in export_mesh(opened, tmp_path / "mesh.stl", MeshSettings(resolution=16))
    )
