"""Pair accuracy and Kendall's tau, against scipy and by hand."""

import torch
from scipy.stats import kendalltau

from prefrun_lab.ordering import kendall_tau, pair_accuracy

ALL = torch.ones(1, 4, dtype=torch.bool)


def row(*values):
    return torch.tensor([values], dtype=torch.float32)


def test_tau_is_scipys_with_ties_and_padding():
    draw = torch.Generator().manual_seed(0)
    scores = torch.randint(0, 4, (50, 7), generator=draw).float()
    labels = torch.randint(0, 3, (50, 7), generator=draw).float()
    sizes = torch.randint(2, 8, (50,), generator=draw)
    mask = torch.arange(7) < sizes[:, None]
    found = kendall_tau(scores, labels, mask)
    for place, size in enumerate(sizes.tolist()):
        own, given = scores[place, :size].tolist(), labels[place, :size].tolist()
        if len(set(given)) < 2:
            assert found[place].isnan()
        elif len(set(own)) < 2:
            assert found[place] == 0
        else:
            wanted = kendalltau(own, given).statistic
            torch.testing.assert_close(found[place].item(), wanted, atol=1e-9, rtol=0)


def test_accuracy_counts_pairs_of_different_label_and_halves_ties():
    # five pairs differ in label: three right, one wrong, one of equal scores
    accuracy = pair_accuracy(row(4, 3, 3, 3.5), row(3, 2, 1, 1), ALL)
    assert accuracy.item() == (3 + 0.5) / 5
    assert pair_accuracy(row(1, 2, 3, 4), row(1, 1, 1, 1), ALL).isnan().all()
    two = torch.tensor([[True, True, False, False]])
    assert pair_accuracy(row(1, 2, 9, 0), row(1, 2, 3, 4), two).item() == 1
