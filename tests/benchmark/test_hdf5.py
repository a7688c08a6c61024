"""The benchmark's HDF5 files, which hold what is read from NWB files."""

import h5py
import numpy as np
import pytest

import neurito
from neurito import NeuritoError, benchmark


def arrays(trials, task, width=0.02, forward=True):
    """The arrays that the benchmark's own tools make of trials."""
    bins, held_in = task.bins(width), int(trials.main.read.any((0, 1)).sum())
    made = {}
    for part, called in (("train", "train"), ("eval", "validation")):
        rows = trials.metadata["split"] == called
        values = np.where(trials.main.score | trials.main.read, trials.main.values, np.nan)[rows]
        for kind, neurons in (("heldin", slice(held_in)), ("heldout", slice(held_in, None))):
            made[f"{part}_spikes_{kind}"] = values[:, :bins, neurons]
            if forward:
                made[f"{part}_spikes_{kind}_forward"] = values[:, bins:, neurons]
        if task.behaviour:
            made[f"{part}_behavior"] = trials.heads[task.behaviour].values[rows, :bins]
        else:
            table = np.stack([trials.metadata[name].astype(float) for name in task.columns], 1)
            table[trials.metadata["is_outlier"] == 1] = np.nan
            made[f"{part}_behavior"] = table[rows]
        made[f"{part}_decode_mask"] = np.eye(2, dtype=bool)[trials.metadata["group"][rows]]
        made[f"{part}_jitter"] = trials.metadata["jitter"][rows]
    return made


def save(path, made, group="", **attributes):
    with h5py.File(path, "w") as file:
        place = file.create_group(group) if group else file
        for name, array in made.items():
            place[name] = array
        file.attrs.update(attributes)
    return path


@pytest.mark.parametrize("width", [0.005, 0.02])
@pytest.mark.parametrize("name", ["mc_maze", "area2_bump", "dmfc_rsg"])
def test_the_same_as_from_nwb(sets, tmp_path, name, width):
    task = benchmark.find(name)
    want = benchmark.read(sets(name)[0], name, width, "train+val")
    made = arrays(want, task, width)
    one = save(tmp_path / "all.h5", made)
    folder = tmp_path / "split"
    folder.mkdir()
    target = {k: v for k, v in made.items() if not k.startswith(("train_spikes", "eval_spikes_heldin"))}
    given = {k: v for k, v in made.items() if k not in target}
    save(folder / "input.h5", given)
    save(folder / "target.h5", target, task.key(width))
    for path in (one, folder):
        found = benchmark.read(path, name, width)
        np.testing.assert_array_equal(found.main.read, want.main.read)
        np.testing.assert_array_equal(found.main.score, want.main.score)
        np.testing.assert_array_equal(
            np.where(want.main.score, found.main.values, 0), np.where(want.main.score, want.main.values, 0)
        )
        for column in ("split", "group", "jitter"):
            np.testing.assert_array_equal(found.metadata[column], want.metadata[column])
        if task.behaviour:
            head, other = found.heads[task.behaviour], want.heads[task.behaviour]
            np.testing.assert_array_equal(head.score, other.score)
            np.testing.assert_array_equal(head.values[other.score], other.values[other.score])
        else:
            known = want.metadata["is_outlier"] == 0
            np.testing.assert_array_equal(found.metadata["tp"][known], want.metadata["tp"][known])
    plain = neurito.load(one, bin_width=width)
    np.testing.assert_array_equal(plain.main.values, benchmark.read(one, name, width).main.values)
    assert [part.n_trials for part in plain.split(by="split")[:2]] == [8, 4]


def test_what_is_evaluated_without_held_out_neurons_is_the_test(sets, tmp_path):
    task = benchmark.find("mc_maze")
    made = arrays(benchmark.read(sets("mc_maze")[0], "mc_maze", split="train+val"), task, forward=False)
    made = {k: v for k, v in made.items() if not k.startswith("eval_spikes_heldout")}
    path = save(tmp_path / "x.h5", made, bin_size_ms=20)
    trials = neurito.load(path)
    assert trials.metadata["split"].tolist() == ["train"] * 8 + ["test"] * 4
    assert trials.n_bins == 35
    assert trials.bin_width == 0.02
    assert "Neural Latents Benchmark" in neurito.describe(path)


def test_bad_files(sets, tmp_path):
    task = benchmark.find("mc_maze")
    good = arrays(benchmark.read(sets("mc_maze")[0], "mc_maze", split="train+val"), task)
    cut = {k: v[:, :20] if k == "eval_spikes_heldout" else v for k, v in good.items()}
    ahead = {k: v[:, :7] if k == "eval_spikes_heldin_forward" else v for k, v in good.items()}
    other = {k: v[:, :30] if v.ndim == 3 and "forward" not in k else v for k, v in good.items()}
    longer = {k: np.repeat(v, 6, 1) if "forward" in k else v for k, v in good.items()}
    blind = {k: v for k, v in good.items() if "heldout" not in k}
    targets = {k: v for k, v in good.items() if "heldin" not in k}
    for i, (made, attributes, width, message) in enumerate(
        [
            (good, {"bin_size_ms": 10}, 0.02, "has bins of 0.01 s, not 0.02"),
            (good, {}, 0.005, "has 45 bins for mc_maze at 0.005 s; give bin_width=0.02"),
            (other, {}, 0.02, "has 40 bins for mc_maze at 0.02 s; 35 are needed"),
            (longer, {}, 0.02, "has 95 bins for mc_maze at 0.02 s; 35 are needed"),
            (
                cut,
                {},
                0.02,
                r"eval_spikes_heldout has shape \(4, 20, 3\), the other arrays ask for \(4, 35, 3\)",
            ),
            (ahead, {}, 0.02, r"eval_spikes_heldin_forward has shape \(4, 7, 5\)"),
            (blind, {}, 0.02, "has no held-out neurons"),
            (targets, {}, 0.02, "has no spikes of held-in neurons"),
            ({**good, "eval_spikes_heldin": np.zeros((4, 35))}, {}, 0.02, r"has shape \(4, 35\); give"),
            ({**good, "eval_behavior": np.zeros((4, 30, 2))}, {}, 0.02, "eval_behavior|behavior has shape"),
        ]
    ):
        path = save(tmp_path / f"{i}.h5", made, **attributes)
        with pytest.raises(NeuritoError, match=message) as error:
            benchmark.read(path, "mc_maze", width)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(NeuritoError, match="does not say how wide its bins are"):
        neurito.load(save(tmp_path / "x.h5", good))
    with pytest.raises(NeuritoError, match=r"has bins of 0.02 s, not 0.005"):
        neurito.load(save(tmp_path / "y.h5", good, "mc_maze_20"), bin_width=0.005)
    with pytest.raises(NeuritoError, match="has no set 'mc_maze_20'; did you mean 'mc_maze'"):
        benchmark.read(save(tmp_path / "z.h5", good, "mc_maze"), "mc_maze")
    with pytest.raises(NeuritoError, match="can be chosen from NWB files only"):
        benchmark.read(tmp_path / "z.h5", "mc_maze", inputs=["force"])


def test_saved_trials_are_read_again(sets, tmp_path):
    want = benchmark.read(sets("mc_maze")[0], "mc_maze")
    want.save(tmp_path / "maze.h5")
    found = benchmark.read(tmp_path / "maze.h5", "mc_maze")
    assert found.fingerprint() == want.fingerprint()
    assert benchmark.read(tmp_path / "maze.h5", "mc_maze", split="val").n_trials == 4
    want.select(time=slice(0, 20)).save(tmp_path / "cut.h5")
    with pytest.raises(NeuritoError, match=r"has 20 bins for mc_maze at 0.02 s; 35 are needed"):
        benchmark.read(tmp_path / "cut.h5", "mc_maze")
