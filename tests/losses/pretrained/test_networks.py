"""Backbones: published architectures, taps, and freezing."""

import pytest
import torch
from random_weights import random_weights

from nerfloss.losses.pretrained.networks import NETWORKS, frozen, squeeze, vgg16
from nerfloss.losses.pretrained.weight_files import PUBLISHED

# Parameters of torchvision's feature extractors, counted from their published architectures.
PARAMETERS = {"alex": 2_469_696, "vgg16": 14_714_688, "vgg19": 20_024_384, "squeeze": 722_496}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_backbone_has_the_published_number_of_parameters_and_a_tap_per_channel_count(name):
    network = NETWORKS[name]()
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[name]
    taps = network(torch.zeros(1, 3, network.smallest, network.smallest))
    assert tuple(tap.shape[1] for tap in taps) == network.channels
    assert all((tap >= 0).all() for tap in taps), "every tap follows an activation"


@pytest.mark.parametrize("name", NETWORKS)
def test_below_the_smallest_side_no_pixel_is_left(name):
    network = NETWORKS[name]()
    with pytest.raises(RuntimeError, match=r"too small|Kernel size"):
        network(torch.zeros(1, 3, network.smallest - 1, network.smallest - 1))


def test_tapped_at_drops_the_layers_behind_the_last_tap():
    whole = vgg16()
    part = whole.tapped_at(["relu1_1", "relu2_2"])
    image = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(part(image)[1], whole.features[:9](image))
    assert part.channels == (64, 128)
    assert part.smallest == 2
    assert len(part.features) == 9


@pytest.mark.parametrize("names", [["relu9_9"], [], ["relu2_2", "relu1_1"], ["relu1_1", "relu1_1"]])
def test_invalid_taps_are_refused(names):
    with pytest.raises(ValueError, match="layers"):
        vgg16().tapped_at(names)


def test_a_frozen_network_has_the_same_output_and_no_parameters_or_state():
    network = squeeze()
    image = torch.rand(1, 3, 20, 20)
    before = network(image)
    after = frozen(network)(image)
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    assert not list(network.parameters())
    assert not network.state_dict()
    assert network.double()(image.double())[0].dtype == torch.float64, "it moves as parameters do"


def test_weights_of_another_network_are_refused(tmp_path):
    file = random_weights("squeeze", tmp_path)
    with pytest.raises(ValueError, match="weights are not this network's"):
        vgg16().load(torch.load(file))


def test_every_network_has_published_weights():
    assert PUBLISHED.keys() == NETWORKS.keys()
