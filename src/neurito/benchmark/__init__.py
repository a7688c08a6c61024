"""The Neural Latents Benchmark, from the NWB file to the submission file.

from neurito import benchmark

trials = benchmark.read("000140", "mc_maze_small", 0.02)     # folder with the files of DANDI
run = neurito.fit(neurito.LowRankRNN(rank=3), trials.split(by="split"), run="runs/small")
prediction = benchmark.predict(run, trials, "mc_maze_small", part="test")
benchmark.write("submission.h5", prediction)
"""

from neurito.benchmark.prediction import Prediction, predict
from neurito.benchmark.reading import read
from neurito.benchmark.scoring import Target, score, target
from neurito.benchmark.submission import read_submission, write
from neurito.benchmark.tasks import TASKS, Task, find

__all__ = [
    "TASKS",
    "Prediction",
    "Target",
    "Task",
    "find",
    "predict",
    "read",
    "read_submission",
    "score",
    "target",
    "write",
]
