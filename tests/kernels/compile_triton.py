"""Compile all of Triton's kernels for a compute capability, without a GPU.

    python compile_triton.py 90

prints the memory instructions and shared memory of each kernel as JSON. test_triton_compiles.py
runs it as a separate process, in which Triton is not interpreted.
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from nerfloss.kernels.triton import (
    compositing_weights,
    density_alpha,
    grid_gather,
    grid_jacobian,
    grid_scatter,
    march,
    neus_alpha,
    ray_sums,
)
from nerfloss.kernels.triton.language import tl

REAL = "*fp32"
GRID = {"FEATURES": 2, "LANES": 2, "BLOCK": 128, "REAL": tl.float32}
Variant = tuple[str, Any, dict[str, Any], dict[str, str]]


def variants() -> Iterator[Variant]:
    """Yield name, kernel, compile-time constants, and types that differ from the defaults."""
    read = {**GRID, "LEVEL_OUTER": True}
    for half in ("fp32", "fp16", "bf16"):
        flags = {"JVP": False, "JACOBIAN": True}
        yield (
            f"features and jacobian {half}",
            grid_gather.read_grid,
            read | flags,
            {"table": f"*{half}"},
        )
        added = {**read, "JVP": True}
        yield f"scatter {half}", grid_scatter.add_to_grid, added, {"out": f"*{half}"}
    with_tangent = read | {"JVP": True, "JACOBIAN": False}
    yield "jvp", grid_gather.read_grid, with_tangent, {}
    yield "hvp", grid_gather.project_grid, GRID | {"ACTIVE": 16, "HVP": True}, {}
    four = read | {"FEATURES": 4, "LANES": 4, "JVP": False, "JACOBIAN": False}
    yield "four features", grid_gather.read_grid, four, {}
    sums = {"CHANNELS": 32, "BLOCK": 128, "REAL": tl.float32}
    yield "vjp from jacobian", grid_jacobian.sum_over_channels, sums, {}
    yield "jvp from jacobian", grid_jacobian.sum_over_axes, sums, {}
    for way, backward in (("forward", False), ("backward", True)):
        neus = neus_alpha.neus_backward if backward else neus_alpha.neus
        yield f"neus {way}", neus, {"BLOCK": 1024}, {"anneal_ratio": "fp32"}
        flags = {"BACKWARD": backward, "BLOCK": 1024, "SDF": True}
        yield f"volsdf {way}", density_alpha.density_alpha, flags, {}
        rays = {"RAYS": 32, "SAMPLES": 64, "BACKWARD": backward}
        yield f"weights {way}", compositing_weights.weights_kernel, rays, {}
        three = {**rays, "RAYS": 16, "CHANNELS": 3}
        yield f"sums {way}", ray_sums.sum_by_weight, three, {"out": "*fp32"}
    numbers = (
        "step band sharpness threshold uniform_share min_transmittance exploring_steps dark_steps"
    )
    sizes = {"COUNT": 8, "WIDE": 8, "STEPS": 256}
    for sdf in (True, False):
        fixed = sizes | {"SDF": sdf}
        yield f"march {sdf}", march.place_ray, fixed, dict.fromkeys(numbers.split(), "fp32")


# Types of arguments; all others are 32-bit numbers.
NAMES = "points table tangent out jacobian grad jvp_grad sdf gradients sharpness grad_alphas "
NAMES += "grad_sdf grad_gradients grad_sharpness values grad_values alphas weights grad_weights "
NAMES += "origins directions shifts box starts ends"
POINTERS = dict.fromkeys(NAMES.split(), REAL) | {"levels": "*i64", "region": "*u8"}


def compiled(kernel: Any, fixed: dict[str, Any], types: dict[str, str], target: GPUTarget) -> Any:
    signature, constants, aligned = {}, {}, {}
    for index, name in enumerate(kernel.arg_names):
        if name in fixed:
            signature[name], constants[(index,)] = "constexpr", fixed[name]
        else:
            signature[name] = (POINTERS | types).get(name, "i32")
        if name in POINTERS:
            aligned[(index,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature=signature, constexprs=constants, attrs=aligned)
    return triton.compile(source, target=target, options={"num_warps": 4})


def main() -> None:
    capability, wanted = int(sys.argv[1]), sys.argv[2:]
    target, found = GPUTarget("cuda", capability, 32), {}
    for name, kernel, fixed, types in variants():
        if not wanted or name in wanted:
            done = compiled(kernel, fixed, types, target)
            memory = re.findall(r"(?:ld|st|atom|red)\.global\S*", done.asm["ptx"])
            found[name] = {"memory": memory, "shared": done.metadata.shared}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
