"""Two runs' numbers are compared, and what they were made from is named where they deviate."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file

from prefrun.repetition.verdict import compare
from prefrun.rundir.directory import RunDirectory
from prefrun.rundir.files import read_json, write_json
from tests.rundir.fake_run import write_run

LINES = [{"step": 5, "loss": 0.7, "time": 1.0}, {"step": 10, "loss": 0.5, "seconds": 2.0}]


@pytest.fixture
def pair(tmp_path):
    """Return `pair(change, **options)`: the verdict on a run and one with OPTIONS and a CHANGE."""

    def verdict(change=None, device="cpu", dtype="float32", **options):
        directories = []
        for name, own in (("old", {}), ("new", options)):
            given = {
                "after": {"kl": 2.0, "win_rate": 0.5},
                "before": {"kl": 0.0},
                "per_record": {"kl": [1.5, None, 2.5]},
                "lines": LINES,
            }
            directory = RunDirectory(write_run(tmp_path / name, **(given | own)))
            directory.model.mkdir()
            weights = {"head": torch.arange(4.0), "embedding": torch.ones(2, 2)}
            save_file(weights, directory.model / "model.safetensors")
            edit(directory, lambda manifest: manifest["model"].update(device=device, dtype=dtype))
            directories.append(directory)
        if change:
            change(directories[1])
        return compare(*directories)

    return verdict


def edit(directory, change):
    manifest = read_json(directory.manifest)
    change(manifest)
    write_json(directory.manifest, manifest)


def weights(**tensors):
    """Return a change that writes other TENSORS."""
    return lambda directory: save_file(tensors, directory.model / "model.safetensors")


def test_equal_runs_agree_bitwise_and_times_do_not_matter(pair):
    later = [{**LINES[0], "time": 3.0}, {**LINES[1], "seconds": 9.0}]
    verdict = pair(lines=later, tracker__name="other", cache__dir="elsewhere")
    assert verdict.agrees
    assert verdict.lines() == [
        "agrees bitwise: 4 metric values, 3 values per record, 4 logged values, weights (2 tensors)"
    ]


NEXT = math.nextafter(2.0, 3.0)


@pytest.mark.parametrize(
    ("options", "kind", "name", "old", "new"),
    [
        ({"after": {"kl": NEXT, "win_rate": 0.5}}, "metric", "kl (after)", 2.0, NEXT),
        ({"before": {"kl": 0.5}}, "metric", "kl (before)", 0.0, 0.5),
        ({"per_record": {"kl": [1.5, None, 3.0]}}, "per record", "kl (after)", 2.5, 3.0),
        ({"per_record": {"kl": [1.5, 0.0, 2.5]}}, "per record", "kl (after)", None, 0.0),
        ({"lines": [LINES[0], {"step": 10, "loss": 0.6}]}, "logged", "loss", 0.5, 0.6),
    ],
)
def test_the_last_bit_of_any_number_counts_on_a_cpu(pair, options, kind, name, old, new):
    verdict = pair(**options)
    (found,) = verdict.found
    assert (found.kind, found.name, found.old, found.new) == (kind, name, old, new)
    assert any(line.startswith(f"  {kind}") and name in line for line in verdict.lines())


@pytest.mark.parametrize(
    ("options", "name", "note"),
    [
        ({"after": {"kl": 2.0}}, "win_rate (after)", "only in the old run"),
        ({"lines": LINES[:1]}, "loss", "2 numbers, now 1"),
        ({"per_record": {"kl": [1.5]}}, "kl (after)", "3 numbers, now 1"),
    ],
)
def test_missing_numbers_deviate(pair, options, name, note):
    found = pair(**options).found
    assert (name, note) in [(each.name, each.note) for each in found]


def test_the_last_bit_of_a_weight_counts_on_a_cpu(pair):
    head = torch.tensor([0.0, 1.0, 2.0, NEXT + 1])
    head[2] = torch.nextafter(head[2], torch.tensor(3.0))
    (found,) = pair(weights(head=head, embedding=torch.ones(2, 2))).found[:1]
    assert (found.kind, found.name, found.old) == ("weights", "head", 2.0)
    assert found.size == pytest.approx(2.4e-7, rel=0.1)
    assert found.relative == pytest.approx(found.size / 3)


@pytest.mark.parametrize(
    ("tensors", "note"),
    [
        ({"head": torch.arange(4.0)}, "only in the old run"),
        (
            {"head": torch.arange(4.0), "embedding": torch.ones(3, 2)},
            "float32 [2, 2], now float32 [3, 2]",
        ),
        (
            {"head": torch.arange(4.0), "embedding": torch.ones(2, 2).bfloat16()},
            "float32 [2, 2], now bfloat16 [2, 2]",
        ),
    ],
)
def test_another_set_of_weights_deviates(pair, tensors, note):
    (found,) = pair(weights(**tensors)).found
    assert (found.name, found.note) == ("embedding", note)


@pytest.mark.parametrize(
    ("dtype", "size", "agrees"),
    [
        ("float32", 9e-4, True),
        ("float32", 2e-3, False),
        ("bfloat16", 1.9e-2, True),
        ("bfloat16", 3e-2, False),
    ],
)
def test_a_gpu_has_a_tolerance_that_is_said(pair, dtype, size, agrees):
    larger = {"kl": 2.0 * (1 + size), "win_rate": 0.5}
    trained = weights(head=torch.arange(4.0) * (1 + size), embedding=torch.ones(2, 2))
    verdict = pair(trained, device="cuda:0", dtype=dtype, after=larger)
    assert verdict.agrees is agrees
    tolerance = {"float32": "0.001", "bfloat16": "0.02"}[dtype]
    assert f"within {tolerance}, relative" in verdict.lines()[0]


def test_tiny_numbers_are_not_judged_relative_to_themselves_on_a_gpu(pair):
    verdict = pair(device="cuda:0", before={"kl": 1e-7})
    assert verdict.agrees


@pytest.mark.parametrize(
    ("section", "key", "value", "line"),
    [
        ("versions", "python", "3.12.1", "  python  3.11.9 -> 3.12.1"),
        ("versions", "packages", {"torch": "3.0"}, "  packages.torch  2.13.0 -> 3.0"),
        ("hardware", "cpu", "Another CPU", "  cpu  Example CPU -> Another CPU"),
        ("hardware", "gpus", ["big"], "  gpus  (absent) -> ['big']"),
        ("data", "fingerprint", "other", "  fingerprint  ffffffffffffffff -> other"),
        ("model", "fingerprint", "other", "  fingerprint  (absent) -> other"),
        ("code", "fingerprint", "other", "  fingerprint  (absent) -> other"),
        ("numerics", "threads", 4, "  threads  (absent) -> 4"),
        ("numerics", "reference_logps", "ab", "  reference_logps  (absent) -> ab"),
    ],
)
def test_what_differs_is_named_beside_a_deviation(pair, section, key, value, line):
    def change(directory):
        edit(directory, lambda manifest: manifest.setdefault(section, {}).update({key: value}))

    lines = pair(change, after={"kl": 3.0, "win_rate": 0.5}).lines()
    assert lines[0].startswith("deviates: 1 series")
    candidates = lines[lines.index("what differs and could explain it:") :]
    assert f"{section}:" in candidates
    assert line in candidates
    assert "configuration: no difference" in candidates


def test_a_deviation_without_a_difference_is_said_to_be_nondeterminism(pair):
    lines = pair(after={"kl": 3.0, "win_rate": 0.5}, tracker__name="other").lines()
    assert lines[-1] == "nothing recorded differs; a source of nondeterminism is left"


def test_a_difference_that_changes_nothing_is_named_too(pair):
    def change(directory):
        edit(directory, lambda manifest: manifest["versions"].update(python="3.12.1"))

    verdict = pair(change)
    assert verdict.agrees
    assert "although these differ:" in verdict.lines()
    assert "  python  3.11.9 -> 3.12.1" in verdict.lines()
