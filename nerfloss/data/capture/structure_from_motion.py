"""Structure from motion by pycolmap, in a process of its own.

``python -m nerfloss.data.capture.structure_from_motion job.json`` reads a job, prints lines of JSON
about its progress, and writes the largest model as ``model.npz`` beside the job. Its own process
keeps pycolmap's threads apart from torch's, and a crash from the command.
"""

import itertools
import json
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nerfloss.data.capture import pairs
from nerfloss.data.capture.cameras_per_size import refine_per_size
from nerfloss.data.capture.model_arrays import write_model

BATCH_OF_IMAGES, BATCH_OF_PAIRS = 4, 64
# Attempts at a model, until one has nearly all images.
ENOUGH = 0.95
ATTEMPTS: tuple[dict[str, Any], ...] = (
    {},
    {"min_num_matches": 10, "init_min_num_inliers": 50, "init_min_tri_angle": 8.0},
    {"min_num_matches": 8, "init_min_num_inliers": 25, "init_min_tri_angle": 4.0},
)


@dataclass
class Job:
    """One structure from motion: its folder, images, cameras and settings, from a file."""

    folder: Path
    images: list[dict[str, Any]]  # name, camera (index), size (unpadded)
    cameras: list[dict[str, Any]]  # model, width, height, focal, known, factor
    matching: str
    threads: int
    seed: int

    @property
    def database(self) -> Path:
        return self.folder / "database.db"

    @property
    def copies(self) -> Path:
        return self.folder / "copies"


def say(stage: str, done: int, total: int) -> None:
    """Print one line about the progress."""
    print(json.dumps({"stage": stage, "done": done, "total": total}), flush=True)


def run(job: Job) -> None:
    """Find features, match them, and reconstruct; what an earlier run has done is kept."""
    import pycolmap

    pycolmap.logging.minloglevel = pycolmap.logging.Level.ERROR.value
    pycolmap.set_random_seed(job.seed)
    ids = _register(pycolmap, job)
    _extract(pycolmap, job)
    _match(pycolmap, job, ids)
    sizes = {each["name"]: tuple(each["size"]) for each in job.images}
    best = refine_per_size(pycolmap, _map(pycolmap, job), sizes, job.threads)
    write_model(job.folder / "model.npz", best, _pairs_of_images(pycolmap, job))


def _register(pycolmap: Any, job: Job) -> list[int]:
    """Write cameras and images into the database; return the id of each image."""
    with pycolmap.Database.open(job.database) as database:
        for index, camera in enumerate(job.cameras):
            if database.exists_camera(index + 1):
                continue
            size = camera["width"], camera["height"]
            made = pycolmap.Camera.create_from_model_name(
                index + 1, camera["model"], camera["focal"], *size
            )
            made.has_prior_focal_length = camera["known"]
            database.write_camera(made, use_camera_id=True)
            rig = pycolmap.Rig()
            rig.rig_id = index + 1
            rig.add_ref_sensor(made.sensor_id)
            database.write_rig(rig, use_rig_id=True)
    for index in range(len(job.cameras)):
        names = [each["name"] for each in job.images if each["camera"] == index]
        options = pycolmap.ImageReaderOptions()
        options.existing_camera_id = index + 1
        pycolmap.import_images(
            job.database,
            job.copies,
            image_names=names,
            options=options,
            camera_mode=pycolmap.CameraMode.SINGLE,
        )
    with pycolmap.Database.open(job.database) as database:
        known = {image.name: image.image_id for image in database.read_all_images()}
    return [known[each["name"]] for each in job.images]


def _extract(pycolmap: Any, job: Job) -> None:
    done = 0
    for index, camera in enumerate(job.cameras):
        names = [each["name"] for each in job.images if each["camera"] == index]
        reader, options = pycolmap.ImageReaderOptions(), pycolmap.FeatureExtractionOptions()
        reader.existing_camera_id = index + 1
        options.num_threads = job.threads
        if camera["factor"] > 1:  # an enlarged image is smooth: extrema are weaker
            options.sift.peak_threshold = 0.0015
        for begin in range(0, len(names), BATCH_OF_IMAGES):
            say("features", done, len(job.images))
            batch = names[begin : begin + BATCH_OF_IMAGES]
            pycolmap.extract_features(
                job.database,
                job.copies,
                image_names=batch,
                reader_options=reader,
                extraction_options=options,
                camera_mode=pycolmap.CameraMode.SINGLE,
                device=pycolmap.Device.cpu,
            )
            done += len(batch)
    say("features", done, done)


def _match(pycolmap: Any, job: Job, ids: list[int]) -> None:
    options, verification = pycolmap.FeatureMatchingOptions(), pycolmap.TwoViewGeometryOptions()
    options.num_threads = job.threads
    verification.ransac.random_seed = job.seed
    listed = _pairs(pycolmap, job, ids)
    pairing, path = pycolmap.ImportedPairingOptions(), job.folder / "pairs.txt"
    pairing.match_list_path = path
    for begin in range(0, len(listed), BATCH_OF_PAIRS):
        say("matching", begin, len(listed))
        names = [
            (job.images[a]["name"], job.images[b]["name"])
            for a, b in listed[begin : begin + BATCH_OF_PAIRS]
        ]
        path.write_text("".join(f"{a} {b}\n" for a, b in names))
        pycolmap.match_image_pairs(
            job.database,
            matching_options=options,
            pairing_options=pairing,
            verification_options=verification,
            device=pycolmap.Device.cpu,
        )
    say("matching", len(listed), len(listed))


def _pairs(pycolmap: Any, job: Job, ids: list[int]) -> list[tuple[int, int]]:
    count = len(ids)
    if job.matching == "exhaustive":
        return pairs.exhaustive_pairs(count)
    with pycolmap.Database.open(job.database) as database:
        read = (np.asarray(database.read_descriptors(i).data, np.float32) / 512 for i in ids)
        similar = pairs.retrieved_pairs(
            read, job.seed, pairs.SIMILAR if job.matching == "retrieval" else 5
        )
    if job.matching == "retrieval":
        return similar
    # Similar images close the loops of a sequence.
    return sorted({*pairs.sequential_pairs(count), *similar})


def _map(pycolmap: Any, job: Job) -> Any:
    """Return the model with most images, over attempts with ever weaker conditions; or None."""
    best, total = None, len(job.images)
    for number, changes in enumerate(ATTEMPTS):
        options = pycolmap.IncrementalPipelineOptions()
        options.num_threads, options.random_seed = job.threads, job.seed
        options.min_model_size = 3
        options.mapper.random_seed = options.triangulation.random_seed = job.seed
        options.min_num_matches = changes.get("min_num_matches", options.min_num_matches)
        for key in changes.keys() & {"init_min_num_inliers", "init_min_tri_angle"}:
            setattr(options.mapper, key, changes[key])
        output = job.folder / f"models_{number}"
        output.mkdir(exist_ok=True)
        counter = itertools.count(3)  # after the first pair
        say("cameras", 0, total)
        models = pycolmap.incremental_mapping(
            job.database,
            job.copies,
            output,
            options=options,
            next_image_callback=lambda c=counter: say("cameras", min(next(c), total), total),
        )
        for model in models.values():
            if best is None or model.num_reg_images() > best.num_reg_images():
                best = model
        if best is not None and best.num_reg_images() >= ENOUGH * total:
            break
    return best


def _pairs_of_images(pycolmap: Any, job: Job) -> dict[str, int]:
    """Return with how many others each image has enough matches, by name."""
    with pycolmap.Database.open(job.database) as database:
        names = {image.image_id: image.name for image in database.read_all_images()}
        listed, inliers = database.read_two_view_geometry_num_inliers()
        counts = dict.fromkeys(names.values(), 0)
        for pair, number in zip(listed, inliers, strict=True):
            if number >= 15:
                for image in pycolmap.pair_id_to_image_pair(pair):
                    counts[names[image]] += 1
    return counts


def _end_with_the_parent() -> None:
    """End this process when the one that started it is gone: its pipe to stdin closes then."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    place = Path(sys.argv[1])
    run(Job(folder=place.parent, **json.loads(place.read_text())))
