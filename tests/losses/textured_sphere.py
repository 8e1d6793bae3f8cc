"""A sphere with a smooth texture, and images of it in closed form."""

import math

import torch

RADIUS = 0.5


def cameras(focal, size, count=8):
    """Projections ``[views 3 4]`` from world to pixels, and where the cameras stand."""
    projections, centres = [], []
    for number in range(count):
        angle = 0.25 * (number - count / 2)
        centre = torch.tensor(
            [2 * math.sin(angle), 0.3 * math.cos(3 * angle), -2 * math.cos(angle)]
        )
        forward = -centre / centre.norm()
        right = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), forward)
        right = right / right.norm()
        rotation = torch.stack([right, torch.linalg.cross(forward, right), forward])
        intrinsics = torch.tensor([[focal, 0, size / 2], [0, focal, size / 2 + 3], [0, 0, 1]])
        projections.append(intrinsics @ torch.cat([rotation, -(rotation @ centre)[:, None]], 1))
        centres.append(centre)
    return torch.stack(projections).double(), torch.stack(centres).double()


def rays(projection, pixels):
    """Unit directions through pixels of a camera."""
    inverse = torch.linalg.inv(projection[:, :3])
    through = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1) @ inverse.T
    return through / through.norm(dim=-1, keepdim=True)


def first_hits(centre, directions):
    """Distances to the sphere, NaN where a ray misses it."""
    towards = (centre * directions).sum(-1)
    return -towards - (towards.square() - centre.square().sum() + RADIUS**2).sqrt()


def texture(points):
    """Grey of surface points, smooth but nowhere flat for long, in [0, 1]."""
    waves = torch.tensor([[45.0, 25, -20], [-30, 50, 15], [20, -35, 55], [65, 10, 30]]).to(points)
    return 0.5 + 0.12 * torch.sin(points @ waves.T + torch.arange(4).to(points)).sum(-1)


def pixel_grid(size):
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.stack([columns, rows], -1).double() + 0.5


def images(projections, centres, size):
    """What the cameras see, ``[views size size 3]``, and its masks, ``[views size size]``."""
    seen, masks = [], []
    for projection, centre in zip(projections, centres, strict=True):
        directions = rays(projection, pixel_grid(size))
        distance = first_hits(centre, directions)
        hit = distance.isfinite()
        grey = texture(centre + torch.where(hit, distance, 0.0)[..., None] * directions)
        grey = torch.where(hit, grey, 0.0)
        seen.append((255 * grey).round().to(torch.uint8)[..., None].expand(-1, -1, 3))
        masks.append(255 * hit.to(torch.uint8))
    return torch.stack(seen), torch.stack(masks)
