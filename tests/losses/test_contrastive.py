"""Contrastive terms: mining against brute force, and updates of the memory bank."""

import itertools
import math
from functools import partial

import pytest
import torch
from torch.nn import functional

from nerfloss.losses import contrastive
from nerfloss.losses.contrastive import InfoNCE, triplet
from nerfloss.recipe import LossRecipe, RecipeError
from nerfloss.testing.terms import check_term
from nerfloss.training import checkpoint


def rays(count=14, channels=3, instances=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, channels, generator=generator, dtype=torch.float64)
    return features, torch.randint(0, instances, (count,), generator=generator)


def brute_force(features, instance, margin, mining):
    """Every triple of rays, looked at one after another."""
    unit = functional.normalize(features, dim=-1)
    every = range(len(unit))
    d = [[float((unit[i] - unit[j]).square().sum()) for j in every] for i in every]
    values = []
    for a in every:
        mine = [i for i in every if i != a and instance[i] == instance[a] >= 0]
        others = [i for i in every if instance[i] != instance[a] and min(instance[[i, a]]) >= 0]
        losses = []
        for p in mine if others else []:
            farther = [d[a][n] for n in others if d[a][n] > d[a][p]]
            partner = min(farther) if farther else max(d[a][n] for n in others)
            losses.append(max(0.0, d[a][p] - partner + margin))
        if losses and mining == "hard":
            hardest = max(d[a][p] for p in mine) - min(d[a][n] for n in others)
            losses = [max(0.0, hardest + margin)]
        values.append(sum(losses) / len(losses) if losses else 0.0)
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("mining", ["semi_hard", "hard"])
@pytest.mark.parametrize("seed", range(4))
def test_triplets_equal_a_brute_force_search(mining, seed):
    features, instance = rays(seed=seed)
    instance[seed] = -1  # unknown
    instance[-1] = 9  # alone
    found = triplet(features, instance, margin=0.7, mining=mining)
    torch.testing.assert_close(found, brute_force(features, instance, 0.7, mining))


@pytest.mark.parametrize("mining", ["semi_hard", "hard"])
def test_blocks_have_the_same_values_and_gradient(mining, monkeypatch):
    features, instance = rays(count=30)
    results = []
    for pairs in (2**22, 30 * 7):
        monkeypatch.setattr(contrastive, "PAIRS", pairs)
        leaf = features.clone().requires_grad_()
        values = triplet(leaf, instance, mining=mining)
        values.square().sum().backward()
        results.append((values.detach(), leaf.grad))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("mining", ["semi_hard", "hard"])
def test_separated_clusters_cost_nothing(mining):
    features = torch.eye(3).repeat_interleave(4, 0)
    instance = torch.arange(3).repeat_interleave(4)
    assert (triplet(features, instance, mining=mining) == 0).all()
    assert (triplet(features, instance.flip(0) % 2, mining=mining) > 0).any()


@pytest.mark.parametrize("mining", ["semi_hard", "hard"])
def test_neither_length_nor_order_of_the_features_matters(mining):
    features, instance = rays()
    values = triplet(features, instance, mining=mining)
    scale = torch.rand(len(features), 1, dtype=torch.float64) + 0.5
    torch.testing.assert_close(triplet(scale * features, instance, mining=mining), values)
    order = torch.randperm(len(features))
    torch.testing.assert_close(
        triplet(features[order], instance[order], mining=mining), values[order]
    )
    torch.testing.assert_close(triplet(features, 7 - instance, mining=mining), values)


@pytest.mark.parametrize("mining", ["semi_hard", "hard"])
def test_descending_draws_an_instance_together_and_from_the_others(mining):
    features, instance = rays(count=20, instances=2)

    def spread(x):
        unit = functional.normalize(x, dim=-1)
        d = torch.cdist(unit, unit)
        same = instance[:, None] == instance
        return d[same].mean() - d[~same].mean()

    before = spread(features)
    for _ in range(50):
        features = features.detach().requires_grad_()
        value = triplet(features, instance, margin=0.5, mining=mining).mean()
        (slope,) = torch.autograd.grad(value, features)
        features = features - slope
    assert spread(features.detach()) < before - 0.5


@pytest.mark.parametrize("mining", ["semi_hard", "hard"])
def test_a_batch_of_one_instance_or_of_none_costs_nothing(mining):
    features, _ = rays()
    for instance in (torch.zeros(14, dtype=torch.int64), torch.full((14,), -1), torch.arange(14)):
        assert (triplet(features, instance, mining=mining) == 0).all()
    assert triplet(features[:0], torch.zeros(0, dtype=torch.int64), mining=mining).shape == (0,)


@pytest.mark.parametrize("mining", ["semi_hard", "hard"])
def test_triplet_is_differentiated_rightly_in_both_minings(mining):
    check_term(partial(triplet, margin=2.0, mining=mining))


@pytest.mark.parametrize(
    ("settings", "reason"), [({"margin": 0.0}, "margin"), ({"mining": "easy"}, "mining")]
)
def test_wrong_settings_of_triplet_are_refused_as_the_recipe_is_built(settings, reason):
    with pytest.raises(RecipeError, match=rf"loss\.terms\.term\.fn\.{reason}"):
        check_term(partial(triplet, **settings))


def warm(*steps, **settings):
    term = InfoNCE(**settings)
    for step, (features, instance) in enumerate(steps):
        term(features, instance)
        term.after_step(step)
    return term


def test_info_nce_is_the_loop_over_the_bank():
    features, instance = rays(instances=4)
    term = warm(rays(seed=1, instances=4), temperature=0.3)
    found = term(features, instance)
    unit = functional.normalize(features, dim=-1)
    for f, own, value in zip(unit, instance.tolist(), found, strict=True):
        scores = [math.exp(float(f @ key) / 0.3) for key in term.bank]
        assert float(value) == pytest.approx(-math.log(scores[own] / sum(scores)))


def test_the_bank_moves_towards_each_instances_mean_and_leaves_the_absent_alone():
    old, (features, instance) = rays(seed=1, instances=4), rays(instances=4)
    instance[instance == 3] = 0
    term = warm(old, momentum=0.8)
    before = term.bank.clone()
    term(features, instance)
    torch.testing.assert_close(term.bank, before)
    assert term.after_step(1) == {"instances": 4.0}
    unit = functional.normalize(features, dim=-1)
    for each in range(3):
        moved = 0.8 * before[each] + 0.2 * unit[instance == each].mean(0)
        torch.testing.assert_close(term.bank[each], moved / moved.norm())
    torch.testing.assert_close(term.bank[3], before[3])


def test_instances_outside_the_batch_are_negatives():
    both = rays(seed=1, instances=2)
    features = both[0][both[1] == 0]
    alone = torch.zeros(len(features), dtype=torch.int64)
    assert (InfoNCE()(features, alone) == 0).all(), "one known instance: nothing to tell apart"
    assert (warm(both)(features, alone) > 0).all()


def test_a_new_instance_is_represented_by_its_mean_and_the_bank_grows():
    term = warm(rays(instances=2))
    features, instance = rays(seed=2, instances=6)
    values = term(features, instance)
    assert values.isfinite().all()
    assert len(term.bank) == 2
    term.after_step(1)
    assert len(term.bank) == int(instance.max()) + 1


def test_no_gradient_enters_the_bank_and_that_of_a_warm_term_is_right():
    features, instance = rays(instances=4)
    term = warm(rays(seed=1, instances=4))
    assert not list(term.parameters())
    assert not term.bank.requires_grad
    leaf = features.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: term(x, instance).sum(), leaf)


def test_descending_info_nce_turns_a_feature_towards_its_own_key():
    features, instance = rays(instances=4)
    term = warm(rays(seed=1, instances=4), temperature=1.0)
    leaf = features.requires_grad_()
    (slope,) = torch.autograd.grad(term(leaf, instance).sum(), leaf)
    keys = term.bank[instance]
    nearer, now = (functional.cosine_similarity(x, keys) for x in (leaf - 0.1 * slope, leaf))
    assert (nearer > now).float().mean() > 0.9


def test_unknown_instances_cost_nothing_and_are_not_remembered():
    features, instance = rays()
    instance[:5] = -1
    term = InfoNCE()
    leaf = features.requires_grad_()
    values = term(leaf, instance)
    values.sum().backward()
    assert (values[:5] == 0).all()
    assert (leaf.grad[:5] == 0).all()
    nothing = InfoNCE()(leaf, torch.full_like(instance, -1))
    assert (torch.autograd.grad(nothing.sum(), leaf)[0] == 0).all()
    term.after_step(0)
    other = warm((features[5:].detach(), instance[5:]))
    torch.testing.assert_close(term.bank, other.bank)


def test_a_resumed_bank_goes_on_bit_by_bit(tmp_path):
    steps = [
        tuple(x.float() if x.is_floating_point() else x for x in rays(seed=s)) for s in range(4)
    ]
    whole, half = warm(*steps), LossRecipe({"nce": {"fn": warm(*steps[:2])}})
    checkpoint.save(tmp_path / "last.pt", {"recipe": half.state_dict()})
    resumed = LossRecipe({"nce": {"fn": InfoNCE()}})
    resumed.load_state_dict(checkpoint.load(tmp_path / "last.pt")["recipe"])
    term = resumed.terms["nce"].fn
    for step, (features, instance) in itertools.islice(enumerate(steps), 2, None):
        term(features, instance)
        term.after_step(step)
    assert torch.equal(term.bank, whole.bank)


def test_the_bank_is_updated_once_per_step():
    term = warm(rays())
    assert term.after_step(1) is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"temperature": 0.0}, "temperature > 0"), ({"momentum": 1.0}, r"momentum in \[0, 1\)")],
)
def test_wrong_settings_of_info_nce_are_refused_as_the_term_is_made(settings, reason):
    with pytest.raises(ValueError, match=reason):
        InfoNCE(**settings)


def test_the_module_has_the_name_of_the_configuration():
    assert contrastive.info_nce is InfoNCE
