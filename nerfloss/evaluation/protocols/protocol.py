"""Protocols: named and versioned rules by which scores of a benchmark are comparable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nerfloss.evaluation.protocols.tanks_and_temples import THRESHOLDS

DTU_RULES = {
    "mesh": "sampled uniformly by area, 4 points per square of 0.2 mm, seed eval.seed",
    "thinning": "0.2 mm, greedy",
    "observed": "ObsMask; the box widened by 60 mm below and 120 mm above",
    "plane": "scanned points above the table",
    "distances": "below 20 mm; others are dropped",
    "culled": "with masks: vertices in every mask, dilated by 50 of 1600 pixels; else not",
    "figure": "mean of accuracy and completeness, in mm",
}
TANKS_RULES = {
    "registration": "known alignment, then iterated closest points within 20 and 3 thresholds",
    "crop": "the benchmark's volume, for both sides",
    "points": "means in voxels of half a threshold",
    "threshold": ", ".join(f"{name} {value:g} m" for name, value in THRESHOLDS.items()),
    "figure": "F-score: harmonic mean of precision and recall",
}
WHOLE_IMAGES = {"psnr": "whole image, range 1", "ssim": "Gaussian window 11, sigma 1.5, range 1"}
SYNTHETIC = {"images": "test views of 800 x 800 as stored", **WHOLE_IMAGES}


@dataclass(frozen=True)
class Protocol:
    """What a protocol fixes, in words; ``requires`` are conventions that a run must have.

    ``surface`` names the comparison of the mesh with reference geometry: dtu, tanks_and_temples.
    ``image_size`` is the width and height of the images of published figures.
    ``images`` is False where nothing is said of images, so that renders cannot be judged by it.
    A version changes whenever a score would.
    """

    name: str
    version: int
    source: str
    fixes: Mapping[str, str]
    requires: Mapping[str, Any] = field(default_factory=dict)
    surface: str | None = None
    image_size: int | None = None
    images: bool = True

    @property
    def title(self) -> str:
        """Return name and version, which stand beside every score."""
        return f"{self.name} {self.version}"

    @property
    def conventions(self) -> dict[str, str]:
        """Return what stands beside every score: name, version and rules."""
        rules = "; ".join(f"{key}: {value}" for key, value in self.fixes.items())
        return {"protocol": self.title, "protocol_rules": f"{rules} ({self.source})"}

    @property
    def fixes_images(self) -> bool:
        """True if scores of images are by this protocol, too."""
        return self.surface is None or "views" in self.fixes

    def faults(self, conventions: Mapping[str, Any]) -> list[str]:
        """Return what contradicts the protocol; conventions that are not known do not."""
        return [
            f"{REMEDIES.get(key, key)} must be {wanted}, it is {conventions[key]}"
            for key, wanted in self.requires.items()
            if key in conventions and conventions[key] != wanted
        ]

    def check(self, conventions: Mapping[str, Any]) -> None:
        """Raise ValueError, with every fault, where conventions contradict the protocol."""
        if faults := self.faults(conventions):
            raise ValueError(
                f"eval.protocol={self.name} does not hold for this run: {'; '.join(faults)}; "
                f"change that, or set eval.protocol=null"
            )


# Settings by the convention that they determine.
REMEDIES = {
    "background": "dataset.background",
    "downscale": "dataset.downscale",
    "hold_out": "dataset.hold_out",
    "split": "eval.split",
}
_TEST = {"split": "test", "downscale": 1}

PROTOCOLS: Mapping[str, Protocol] = {
    each.name: each
    for each in (
        Protocol(
            "dtu",
            1,
            "Jensen et al., CVPR 2014; Aanaes et al., IJCV 2016",
            DTU_RULES,
            surface="dtu",
            images=False,
        ),
        Protocol(
            "tanks_and_temples",
            1,
            "Knapitsch et al., SIGGRAPH 2017",
            TANKS_RULES,
            surface="tanks_and_temples",
            images=False,
        ),
        Protocol(
            "blender",
            1,
            "Mildenhall et al., NeRF, ECCV 2020",
            {**SYNTHETIC, "background": "white"},
            {**_TEST, "background": "white"},
            image_size=800,
        ),
        Protocol(
            "blender_black",
            1,
            "Müller et al., Instant-NGP, SIGGRAPH 2022, as nerfbaselines notes",
            {**SYNTHETIC, "background": "black"},
            {**_TEST, "background": "black"},
            image_size=800,
        ),
        Protocol(
            "neus_synthetic",
            1,
            "bennyguo/instant-nsr-pl, benchmark of NeuS on NeRF-synthetic",
            {**SYNTHETIC, "background": "white", "masks": "in training, from alpha"},
            {**_TEST, "background": "white"},
            image_size=800,
        ),
        Protocol(
            "mipnerf360",
            1,
            "Barron et al., mip-NeRF 360, CVPR 2022",
            {
                "views": "every 8th is a test view, the first included",
                "images": "images_4 of outdoor scenes, images_2 of indoor ones, as published",
                **WHOLE_IMAGES,
            },
            {**_TEST, "hold_out": "every 8th view"},
        ),
        Protocol(
            "neuralangelo",
            1,
            "Li et al., Neuralangelo, CVPR 2023: DTU's comparison of surfaces, without masks in "
            "training; images are those of training",
            {**DTU_RULES, "views": "all are trained on, and PSNR is of these"},
            {"split": "train"},
            surface="dtu",
        ),
    )
}


def protocol_named(name: str | None) -> Protocol | None:
    """Return a protocol by its name, None for None. Raises ValueError for an unknown one."""
    if name is None or str(name) in PROTOCOLS:  # a configuration may hold a list
        return None if name is None else PROTOCOLS[str(name)]
    raise ValueError(f"eval.protocol='{name}' does not exist: take {', '.join(PROTOCOLS)} or null")
