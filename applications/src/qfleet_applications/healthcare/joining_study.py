"""Reports of ``join``: how well the sites' classifier does, beside the same with a classical kernel."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from qfleet_applications.errors import InvalidProblem
from qfleet_applications.frame.report import QUANTUM, Comparison, Measured, Report, Table
from qfleet_applications.frame.versions import versions
from qfleet_applications.healthcare import assessing, joining_files, wording
from qfleet_applications.healthcare.feature_maps import Floats
from qfleet_applications.healthcare.joining import evaluated
from qfleet_applications.healthcare.joining_files import KERNELS, Classifier, KernelName, SiteRows
from qfleet_applications.healthcare.landmarks import Landmarks
from qfleet_applications.healthcare.site import SiteKernels
from qfleet_applications.healthcare.validation import Ints

SEEN = "Rows whose sums trained the classifier are judged too well; accuracies count for other rows alone."
INTERVAL = "95 % Wilson interval over the rows that were judged"
METHODS: dict[KernelName, str] = {
    "zz": "landmarks with the ZZ kernel",
    "gaussian": "landmarks with a Gaussian kernel",
}


@dataclass(frozen=True)
class Judged:
    """Classes (n,) that each kernel's classifier tells, and the seconds that took."""

    decisions: dict[KernelName, Floats]
    seconds: dict[KernelName, float]

    def predicted(self, kernel: KernelName) -> Ints:
        """Classes 0 and 1."""
        return (self.decisions[kernel] > 0).astype(np.int64)

    def accuracy(self, kernel: KernelName, labels: Ints) -> float:
        """The share of rows that it tells right."""
        return float(np.mean(self.predicted(kernel) == labels))


def judge(
    classifier: Classifier,
    landmarks: Landmarks,
    rows: Floats,
    local: SiteKernels,
    clock: Callable[[], float] = time.perf_counter,
) -> Judged:
    """What the classifier says of rows (n, features), computed where they lie.

    Raises:
        InvalidProblem: it is of other landmarks.
    """
    if classifier.landmarks != landmarks.digest:
        found = f"the classifier is of other landmarks ({classifier.landmarks}, not {landmarks.digest})"
        raise InvalidProblem(found, hint="give the landmarks that it was joined with")
    decisions: dict[KernelName, Floats] = {}
    seconds: dict[KernelName, float] = {}
    for name, block in joining_files.blocks(landmarks, local).items():
        began = clock()
        decisions[name] = evaluated(rows, landmarks, block) @ np.array(classifier.weights[name])
        seconds[name] = clock() - began
    return Judged(decisions, seconds)


def compared(title: str, judged: Judged, labels: Ints) -> Comparison:
    """The quantum kernel beside the classical one: same sites, same landmarks, same sums."""
    ours, theirs = (
        measured(METHODS[name], judged.predicted(name), labels, judged.seconds[name]) for name in KERNELS
    )
    ours = msgspec.structs.replace(ours, kind=QUANTUM)
    return Comparison(title, "accuracy", "", "higher", ours, theirs, INTERVAL, "on this machine")


def measured(method: str, predicted: Ints, labels: Ints, seconds: float) -> Measured:
    """An accuracy with its interval."""
    right = int((predicted == labels).sum())
    return Measured(method, right / len(labels), *assessing.wilson(right, len(labels)), seconds)


def report_of(file: Path, site: SiteRows, judged: Judged, classifier: Classifier) -> Report:
    """What a site is told of its own rows; accuracies where it knows their labels."""
    title = f"Joined classifier of {classifier.sites} sites on {file.stem}"
    zz, gaussian = judged.predicted("zz"), judged.predicted("gaussian")
    known = [None] * len(zz) if site.labels is None else site.labels.tolist()
    rows = tuple(
        (name, int(one), round(float(decision), 4), int(other), label)
        for name, one, decision, other, label in zip(
            site.names, zz, judged.decisions["zz"], gaussian, known, strict=True
        )
    )
    columns = ("record", "class told", "decision", "class told by the Gaussian kernel", "class known")
    return Report(
        pack="healthcare",
        command="join tell",
        title=title,
        comparisons=() if site.labels is None else (compared(title, judged, site.labels),),
        tables=(Table("Classes told", columns, rows),),
        notes=(SEEN, wording.NO_DEVICE, wording.PSEUDONYMS, wording.STAYED_JOINED, wording.JOINED_LEAKS),
        settings={"landmarks": classifier.landmarks, "training rows": str(classifier.rows)},
        versions=versions("scikit-learn", "numpy"),
    )
