"""What becomes of single examples over training, and how well a score tells some of them apart.

After Toneva et al. (2019, "An Empirical Study of Example Forgetting during Deep Neural Network
Learning") and the fates that Liu et al. (2020, "Early-Learning Regularization Prevents
Memorization of Noisy Labels") follow. The definitions are ours: they look once an epoch, in
evaluation mode after it, where Toneva looks whenever an example's batch comes.

`right` is always (epochs, examples) booleans: was the example predicted as labelled after that
epoch? A network that guesses is right now and then, so that being right once says little. An
example is held after an epoch where it is right after that one and the `held` - 1 before it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from minidecay.files import BrokenFileError, read_npz
from minidecay.training import RunFolderError
from minidecay.training.run_folder import ARRAYS

# Where the label is noise, to learn an example is to memorize it.
FATES = ("learned", "forgotten", "never held")


def kept_rows(folder: Path, epochs: Sequence[int]) -> dict[str, NDArray[Any]]:
    """What a finished run kept of single examples (arrays.npz), a row for each of these epochs.

    RunFolderError, in a line, where one is missing or the file is damaged.
    """
    try:
        rows = read_npz(folder / ARRAYS)
        if rows["epoch"].tolist() != list(epochs):
            raise BrokenFileError(f"{ARRAYS} has rows of {len(rows['epoch'])} epochs, not of all")
    except (OSError, KeyError, BrokenFileError) as error:
        raise RunFolderError(
            f"{folder} has not kept its examples ({error}); remove that folder to train it again"
        ) from error
    return rows


def fates(right: ArrayLike, held: int = 3) -> NDArray[np.int64]:
    """The fate of each example, an index into FATES, int64 (examples,).

    Learned: held after the last epoch. Forgotten: held at some time, but not then. Never held: at
    no time. ValueError where there are fewer epochs than `held`.

    >>> right = [[0, 1, 1, 1, 1], [1, 1, 1, 0, 1], [1, 0, 1, 1, 0]]  # an example a row
    >>> [FATES[fate] for fate in fates(np.transpose(right))]
    ['learned', 'forgotten', 'never held']
    """
    right = _epochs(right, "fates")
    if not 1 <= held <= len(right):
        raise ValueError(f"fates: held is {held} of {len(right)} epochs; pass 1 to {len(right)}")
    holds = np.asarray(sliding_window_view(right, held, axis=0).all(axis=-1))
    return np.where(holds[-1], 0, np.where(holds.any(axis=0), 1, 2))


def forgetting_events(right: ArrayLike) -> NDArray[np.int64]:
    """How often each example is right after one epoch and wrong after the next, int64 (examples,).

    >>> forgetting_events([[True], [False], [True], [True], [False]])
    array([2])
    """
    right = _epochs(right, "forgetting_events")
    events: NDArray[np.int64] = (right[:-1] & ~right[1:]).sum(axis=0)
    return events


def learned_at(right: ArrayLike) -> NDArray[np.int64]:
    """The epoch from which each example is right for good, int64 (examples,).

    The first is 1; an example that is wrong after the last epoch has one more than there are.

    >>> learned_at(np.transpose([[1, 1, 1], [1, 0, 1], [1, 1, 0]]))
    array([1, 3, 4])
    """
    right = _epochs(right, "learned_at")
    last_wrong = np.where(right, 0, np.arange(1, len(right) + 1)[:, None]).max(axis=0)
    return np.asarray(last_wrong + 1)


def followed(right: ArrayLike, first: int, held: int = 3) -> dict[str, float]:
    """What became of examples over training whose first stage is `first` epochs long.

    The share of each fate; "learned late", of the learned ones those that are right for good only
    after that stage (NaN where none is learned); forgetting "events" an example and epoch, from
    epoch to epoch of that stage, and "events later", from its last epoch on.

    >>> followed([[True, False], [True, True], [False, True], [True, True]], first=2, held=1)
    {'learned': 1.0, 'forgotten': 0.0, 'never held': 0.0, 'learned late': 0.5, 'events': 0.0, \
'events later': 0.25}
    """
    right = _epochs(right, "followed")
    if not 1 < first < len(right):
        raise ValueError(
            f"followed: first is {first} of {len(right)} epochs; pass 2 to {len(right) - 1}"
        )
    fate = fates(right, held)
    learned = fate == FATES.index("learned")
    late = learned_at(right)[learned] > first
    before, later = forgetting_events(right[:first]), forgetting_events(right[first - 1 :])
    return {name: float(np.mean(fate == k)) for k, name in enumerate(FATES)} | {
        "learned late": float(late.mean()) if learned.any() else float("nan"),
        "events": float(before.mean()) / (first - 1),
        "events later": float(later.mean()) / (len(right) - first),
    }


def roc_auc(scores: ArrayLike, wanted: ArrayLike, others: ArrayLike | None = None) -> float:
    """The chance that a wanted example scores above another one, a tie counting half.

    That is the area under the ROC curve, Mann and Whitney's U over the number of pairs: 0.5 where
    the score says nothing, NaN where there is no pair. Scores (n,) may be infinite; `wanted` and
    `others` are (n,) booleans, the others by default all that are not wanted.

    >>> roc_auc([0.9, 0.8, 0.8, 0.1], [True, True, False, False])
    0.875
    """
    scores, wanted = _scored(scores, wanted, "roc_auc")
    if others is not None:
        among = wanted | _scored(scores, others, "roc_auc")[1]
        scores, wanted = scores[among], wanted[among]
    n, m = int(wanted.sum()), int((~wanted).sum())
    if not n or not m:
        return float("nan")
    _, rank, ties = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(ties) - (ties - 1) / 2  # the mean rank, from 1, of those that tie
    return float((middle[rank][wanted].sum() - n * (n + 1) / 2) / (n * m))


def precision_recall(scores: ArrayLike, wanted: ArrayLike, flagged: int) -> tuple[float, float]:
    """Precision and recall of flagging the `flagged` examples of the highest scores.

    Where a tie leaves open which they are, the mean over all choices. Flagging as many as are
    wanted makes the two equal. Recall is NaN where none is wanted.

    >>> precision_recall([5, 4, 4, 1], [True, True, False, False], flagged=2)
    (0.75, 0.75)
    """
    scores, wanted = _scored(scores, wanted, "precision_recall")
    if not 1 <= flagged <= len(scores):
        raise ValueError(
            f"precision_recall: flagged is {flagged} of {len(scores)} examples; "
            f"pass 1 to {len(scores)}"
        )
    least = np.partition(scores, -flagged)[-flagged]
    above, tied = scores > least, scores == least
    share = (flagged - above.sum()) / tied.sum()  # of the tied ones that are flagged
    found = wanted[above].sum() + share * wanted[tied].sum()
    total = wanted.sum()
    return float(found / flagged), float(found / total) if total else float("nan")


def _epochs(right: ArrayLike, name: str) -> NDArray[np.bool_]:
    right = np.asarray(right)
    if right.ndim != 2 or not len(right):
        raise ValueError(f"{name}: right {right.shape} is not (epochs, examples); pass an epoch")
    return right.astype(bool)


def _scored(scores: Any, wanted: Any, name: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    scores, wanted = np.asarray(scores), np.asarray(wanted)
    if scores.ndim != 1 or not len(scores) or wanted.shape != scores.shape:
        raise ValueError(
            f"{name}: scores {scores.shape} and wanted {wanted.shape} do not match; pass two of "
            "(n,) with n of 1 or more"
        )
    if np.isnan(scores).any():
        raise ValueError(f"{name}: a score is NaN; leave those examples out, or pass infinity")
    return scores, wanted.astype(bool)
