"""Adversarial terms: formulas of the papers, training of the discriminator, saved state."""

import copy

import pytest
import torch
from torch.nn import functional

from nerfloss.losses import adversarial as module
from nerfloss.losses import perceptual
from nerfloss.losses.adversarial import MODES, Adversarial, discriminator_loss, generator_loss
from nerfloss.losses.discriminator import PatchDiscriminator, gradient_penalty
from nerfloss.losses.perceptual import FeatureMatching
from nerfloss.recipe import LossRecipe
from nerfloss.training import checkpoint

SCORES = torch.tensor([[-2.0, -0.5, 0.0], [0.3, 1.0, 4.0]])
OTHERS = torch.tensor([[0.7, -1.5, 2.0], [-0.2, 0.1, -3.0]])


def patches(seed=0, count=3, side=16):
    """Smooth patches when even, noisy ones when odd: easily told apart."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, side, side, 3, generator=generator)
    return noise if seed % 2 else noise.mean((1, 2), keepdim=True).expand_as(noise).clone()


def small(kind=Adversarial, **settings):
    torch.manual_seed(0)
    return kind(channels=4, **settings)


def train(term, steps, begin=0):
    """Show and learn for some steps; the values in between."""
    values = []
    for step in range(begin, begin + steps):
        values.append(term(patches(2 * step + 1), patches(2 * step)).detach())
        term.after_step(step)
    return torch.stack(values)


def test_vanilla_is_the_cross_entropy_of_logits():
    real, fake = torch.ones(2, 3), torch.zeros(2, 3)
    entropy = functional.binary_cross_entropy_with_logits
    expected = entropy(SCORES, real) + entropy(OTHERS, fake)
    torch.testing.assert_close(discriminator_loss(SCORES, OTHERS, mode="vanilla"), expected)
    torch.testing.assert_close(generator_loss(OTHERS, mode="vanilla"), entropy(OTHERS, real))


def test_other_modes_equal_the_formulas_of_the_papers():
    real, fake = SCORES.flatten().tolist(), OTHERS.flatten().tolist()
    pairs = list(zip(real, fake, strict=True))
    expected = {
        "wasserstein": sum(f - r for r, f in pairs),
        "hinge": sum(max(0, 1 - r) + max(0, 1 + f) for r, f in pairs),
        "least_squares": sum(((r - 1) ** 2 + f**2) / 2 for r, f in pairs),
    }
    for mode, value in expected.items():
        found = discriminator_loss(SCORES, OTHERS, mode=mode)
        assert float(found) == pytest.approx(value / len(pairs), rel=1e-5)
    for mode in ("wasserstein", "hinge"):
        torch.testing.assert_close(generator_loss(OTHERS, mode=mode), -OTHERS.mean())
    squares = sum((f - 1) ** 2 / 2 for f in fake) / len(fake)
    assert float(generator_loss(OTHERS, mode="least_squares")) == pytest.approx(squares, rel=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_generator_and_discriminator_have_opposite_gradients(mode):
    real, fake = SCORES.clamp(-0.9, 0.9).requires_grad_(), OTHERS.clamp(-0.9, 0.9).requires_grad_()
    of_real, of_fake = torch.autograd.grad(discriminator_loss(real, fake, mode=mode), (real, fake))
    assert (of_real < 0).all(), "descending raises the scores of real patches"
    away_from_0 = fake.abs() > 0.05 if mode == "least_squares" else torch.ones_like(fake) > 0
    pulled = fake.sign() if mode == "least_squares" else torch.ones_like(fake)
    assert (of_fake.sign() == pulled)[away_from_0].all()
    (wanted,) = torch.autograd.grad(generator_loss(fake, mode=mode), fake)
    assert (wanted < 0).all()


def test_discriminator_loss_is_0_for_separated_scores():
    ones = torch.ones(4)
    assert discriminator_loss(ones, -ones, mode="hinge") == 0
    assert discriminator_loss(ones, 0 * ones, mode="least_squares") == 0
    assert generator_loss(ones, mode="least_squares") == 0


def test_the_gradient_penalty_is_the_loop_over_patches():
    torch.manual_seed(0)
    slope = torch.randn(4, 4, 3)
    real, fake = patches(0, side=4), patches(1, side=4)

    def score(images):
        return (images.square() * slope).sum((2, 3))

    found = gradient_penalty(score, real, fake, torch.Generator().manual_seed(7))
    shares = torch.rand(3, generator=torch.Generator().manual_seed(7))
    expected = 0.0
    for share, x, y in zip(shares, real, fake, strict=True):
        between = share * x + (1 - share) * y
        # The score of a patch is the mean of those of its four rows.
        expected += float((2 * between * slope / 4).norm() - 1) ** 2 / 3
    assert float(found.detach()) == pytest.approx(expected, rel=1e-4)


def test_a_discriminator_of_slope_one_is_not_penalised_and_a_flat_one_is():
    real, fake = patches(0, side=4), patches(1, side=4)
    direction = functional.normalize(torch.randn(4, 4, 3).flatten(), dim=0).reshape(4, 4, 3)
    generator = torch.Generator()
    ideal = gradient_penalty(lambda x: 4 * (x * direction).sum((2, 3)), real, fake, generator)
    assert float(ideal) < 1e-10
    assert gradient_penalty(lambda x: (0 * x).sum((2, 3)), real, fake, generator) > 0.99


def test_a_score_depends_on_its_receptive_field_only():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(channels=4, layers=2)
    both, one = patches(1, 2, 48), patches(1, 2, 48)[:1]
    torch.testing.assert_close(discriminator(both)[-1][:1], discriminator(one)[-1])
    assert discriminator(both)[-1].shape == (2, 10, 10)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_smallest_patch_leaves_one_score(layers):
    discriminator = PatchDiscriminator(channels=2, layers=layers)
    side = discriminator.smallest
    assert discriminator(torch.rand(1, side, side, 3))[-1].shape == (1, 1, 1)
    with pytest.raises(ValueError, match=rf"layers={layers} needs .* {side} pixels a side.*batch"):
        discriminator(torch.rand(1, side, side - 1, 3))


@pytest.mark.parametrize("kind", [Adversarial, FeatureMatching])
@pytest.mark.parametrize("mode", MODES)
def test_no_gradient_of_the_term_reaches_the_discriminator(kind, mode):
    term, fake = small(kind, mode=mode), patches(1).requires_grad_()
    term(fake, patches(0)).sum().backward()
    assert fake.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in term.parameters())
    before = copy.deepcopy(term.state_dict())
    reported = term.after_step(0)
    assert set(reported) == {"discriminator", "real_score", "fake_score"}
    after = term.state_dict()
    assert any(not torch.equal(before[k], after[k]) for k in before if k.endswith("weight"))
    assert all(parameter.grad is None for parameter in term.parameters())


@pytest.mark.parametrize("mode", MODES)
def test_the_discriminator_learns_to_tell_noise_from_smooth_patches(mode):
    term = small(mode=mode, learning_rate=5e-3)
    reports = []
    for step in range(30):
        term(patches(2 * step + 1), patches(2 * step))
        reports.append(term.after_step(step))
    margins = [report["real_score"] - report["fake_score"] for report in reports]
    assert margins[-1] > margins[0] + 0.2
    assert reports[-1]["discriminator"] < reports[0]["discriminator"]


def test_gradient_descent_raises_the_scores_of_patches():
    term = small(learning_rate=5e-3)
    train(term, 30)
    fake = patches(1).requires_grad_()
    value = term(fake, patches(0))
    (slope,) = torch.autograd.grad(value, fake)
    better = fake.detach() - 0.05 * slope / slope.square().mean().sqrt()
    assert term.judge(better)[-1].mean() > term.judge(fake)[-1].mean()


def test_after_step_does_nothing_without_a_forward_pass():
    term = small()
    assert term.after_step(0) is None
    train(term, 1)
    assert term.after_step(1) is None, "patches are learned from once"


@pytest.mark.parametrize("kind", [Adversarial, FeatureMatching])
@pytest.mark.parametrize("mode", ["vanilla", "wasserstein"])
def test_a_resumed_term_goes_on_bit_by_bit(kind, mode, tmp_path):
    whole, first, second = (small(kind, mode=mode) for _ in range(3))
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.add_(1)
    train(first, 3)
    checkpoint.save(tmp_path / "last.pt", {"recipe": first.state_dict()})
    second.load_state_dict(checkpoint.load(tmp_path / "last.pt")["recipe"])
    expected = train(whole, 6)[3:]
    assert torch.equal(train(second, 3, begin=3), expected)


def test_feature_matching_is_the_loop_over_blocks_without_the_scores():
    term = small(FeatureMatching)
    ours, theirs = patches(1), patches(0)
    found = term(ours, theirs)
    blocks = list(term.adversary.discriminator.blocks)
    for patch in range(len(ours)):
        x, y = (2 * each[patch].movedim(-1, 0)[None] - 1 for each in (ours, theirs))
        expected = 0.0
        for block in blocks:
            x, y = block(x), block(y)
            expected += float((x - y).abs().mean().detach())
        assert float(found[patch].detach()) == pytest.approx(expected, rel=1e-5)
    assert (term(ours, ours) == 0).all()


def test_the_run_does_not_optimize_the_discriminator():
    terms = {"a": {"fn": small()}, "b": {"fn": small(FeatureMatching)}}
    assert LossRecipe(terms).trainable_parameters() == []


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"mode": "lsgan"}, r"mode is one of vanilla, .*least_squares, got 'lsgan'"),
        ({"learning_rate": 0.0}, "learning_rate=0"),
        ({"penalty": -1.0}, r"penalty=-1\.0"),
        ({"betas": [0.5, 1.0]}, r"betas are two numbers in \[0, 1\)"),
        ({"layers": 0}, "layers=0"),
    ],
)
@pytest.mark.parametrize("kind", [Adversarial, FeatureMatching])
def test_wrong_settings_are_refused_as_the_term_is_made(kind, settings, reason):
    with pytest.raises(ValueError, match=reason):
        kind(**settings)


def test_the_pure_functions_refuse_an_unknown_mode():
    with pytest.raises(ValueError, match="mode is one of"):
        generator_loss(SCORES, mode="wgan")
    with pytest.raises(ValueError, match="mode is one of"):
        discriminator_loss(SCORES, OTHERS, mode="wgan")


def test_terms_have_the_names_of_the_configuration():
    assert module.adversarial is Adversarial
    assert perceptual.feature_matching is FeatureMatching
