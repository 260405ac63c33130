"""Complexity or frequency: does a large rate filter by how many patterns a class has, or by how
often each is seen? The control that the paper lacks.

What it should show. In PS10 a simple tier has 10 patterns a class and a complex one 100, of equal
share, so that a complex pattern is seen ten times less: share of the data x examples = classes x
patterns x copies. Here one moves without the other.
- Within one data set: tiers of equal copies and unlike patterns, of equal patterns and unlike
  copies, both crossed, and few patterns seen rarely against many seen often. A network sees images
  and labels, never tiers: two templates of as many copies can be exchanged and the data are as
  likely as before. So tiers of equal copies are learned alike by symmetry. Within PS10, as we
  reconstruct it, nothing but frequency can tell the tiers apart; the cells only confirm it.
- Between data sets complexity can matter. The same images are put into 2 to 50 classes; classes of
  20 patterns (and one of 1,800 copies, for size) stand beside classes of 200; the rest of the data
  is made of few patterns or of many; the data grow while the copies, or their share, stay.
- A pattern can be frequent in other ways: noise images repeated, a larger loss weight, Zipf's law
  within one tier.
- The threshold should move with lr x weight decay: weights forget within some
  B (1 - momentum) / (lr wd) examples, and a pattern must come again before that.

What the paper shows. A large rate defers the complex patterns, in data where they are rarer too.

What is open. The patterns are random templates that share nothing. Where complex patterns are made
of simple ones, as in natural images, frequency and complexity may part otherwise. The networks are
MLPs with batch norm, weight decay and momentum. At a fixed number of examples no regression on
patterns, copies and share together has one answer; those here are on copies and patterns within
data sets, and between them on a pattern's share of the data, patterns a class and patterns in all.
In pilot runs frequency was not the whole of it: with more patterns in all, each must come oftener
(B1), and the threshold rose more with the rate than with weight decay, so that their product alone
does not set it (T2): the longer stage one, the less. On pilot seed 100 halving the rate moved the
threshold by 1.04 doublings after epoch 3 and halving weight decay by 1.01, after epoch 10 by 1.37
and 0.84. Why is not shown here. In B1 the others are seen less where they are more, and what they
do may come of that. "Patterns a class" (F10) moves at equal patterns in all, so that there are
fewer classes where it is larger; in ten classes more patterns a class are more in all, and what
that does is both coefficients together: B1 can be read as complexity's, if not as a tier's. A class
of many patterns beside ones of few was learned better (B2); about half of that is guessing: on
pilot seed 100 of images of no pattern 95 % were put into those classes.
"""

from statistics import fmean

import numpy as np

from minidecay.lab.control import design, report
from minidecay.lab.control.design import ControlSettings
from minidecay.lab.control.measures import Seed
from minidecay.lab.machinery.claims import Bound, Claim
from minidecay.lab.machinery.experiment import Experiment


def claims(settings: ControlSettings) -> list[Claim[Seed]]:
    """P: what complexity would do; F: what frequency would; B: what else; T: the threshold.

    Near the middle a doubling of copies adds about 0.2 to the share learned. A doubling of patterns
    counts from a tenth of that on, or from 0.15 of a doubling's log odds.
    """
    return [
        Claim("P1", "in one data set, of equal copies, the fewer patterns are learned better", [
            Bound("10 a class less 100, 9 copies", lambda s: s.gap("three_tiers", 1, 2),
                  ">=", 0.10),
            Bound("3 a class less 100, 15 copies", lambda s: s.gap("equal_copies", 0, 3),
                  ">=", 0.10),
        ]),
        Claim("P2", "the same images are learned better in more classes, of fewer patterns each", [
            Bound("share learned, by a doubling of patterns a class", lambda s: s.by_classes,
                  "<=", -0.02),
        ]),
        Claim("P3", "classes of 20 patterns are learned better than ones of 200, of equal copies", [
            Bound("20 a class less 200", lambda s: s.gap("unlike_classes", 0, 1), ">=", 0.10),
        ]),
        Claim("F1", "of equal patterns the oftener seen are learned better", [
            Bound("81 copies less 9, 10 a class", lambda s: s.gap("three_tiers", 0, 1),
                  ">=", 0.30),
            Bound("45 copies less 5, 30 a class", lambda s: s.gap("equal_patterns", 2, 0),
                  ">=", 0.30),
            Bound("81 copies less 9, four times the width", lambda s: s.gap("wide", 0, 1),
                  ">=", 0.30),
        ]),
        Claim("F2", "crossed two by two, copies matter and patterns do not", [
            Bound("60 copies less 12", lambda s: fmean(
                (s.gap("two_by_two", 1, 0), s.gap("two_by_two", 3, 2))), ">=", 0.15),
            Bound("5 a class less 25", lambda s: fmean(
                (s.gap("two_by_two", 0, 2), s.gap("two_by_two", 1, 3))), "<=", 0.05),
            Bound("and the other way", lambda s: fmean(
                (s.gap("two_by_two", 2, 0), s.gap("two_by_two", 3, 1))), "<=", 0.05),
        ]),
        Claim("F3", "30 patterns a class, seen often, are learned before 10 seen rarely", [
            Bound("60 copies of 30 less 9 of 10", lambda s: s.gap("reversal", 1, 0), ">=", 0.20),
        ]),
        Claim("F4", "the same images are learned alike whatever the classes", [
            Bound("share learned, by a doubling of patterns a class", lambda s: s.by_classes,
                  ">=", -0.02),
            Bound("and from above", lambda s: s.by_classes, "<=", 0.02),
        ]),
        Claim("F5", "noise is memorized at the large rate where it is repeated", [
            Bound("seen once an epoch", lambda s: s.noise[1], "<=", 0.20),
            Bound("9 times less once", lambda s: s.noise[9] - s.noise[1], ">=", 0.20),
            Bound("90 times", lambda s: s.noise[90], ">=", 0.90),
        ]),
        Claim("F6", "of equal copies a larger loss weight does what more copies do", [
            Bound("nine times the weight", lambda s: s.gap("weights", 2, 0), ">=", 0.30),
            Bound("over what nine times the copies do",
                  lambda s: s.gap("weights", 2, 0) / s.gap("equal_patterns", 2, 0), ">=", 0.75),
        ]),
        Claim("F7", "under Zipf's law one tier parts in itself", [
            Bound("ranks 1 to 4 less 33 to 64", lambda s: s.stage_one["zipf"][:4].mean()
                  - s.stage_one["zipf"][32:].mean(), ">=", 0.30),
        ]),
        Claim("F8", "what counts is the share of the data, not the number of copies", [
            Bound("9 copies, in the least data less in the most",
                  lambda s: s.growth[0, 0] - s.growth[-1, 0], ">=", 0.20),
            Bound("equal share, in the least less in the most",
                  lambda s: s.growth[0, 1] - s.growth[-1, 1], "<=", 0.10),
            Bound("and the other way", lambda s: s.growth[-1, 1] - s.growth[0, 1], "<=", 0.10),
        ]),
        Claim("F9", "within data sets log odds of having learned go with copies, not patterns", [
            Bound("a doubling of copies", lambda s: s.within["copies"], ">=", 0.5),
            Bound("a doubling of patterns over that",
                  lambda s: s.within["patterns"] / s.within["copies"], ">=", -0.15),
            Bound("and from above",
                  lambda s: s.within["patterns"] / s.within["copies"], "<=", 0.15),
        ]),
        Claim("F10", "between data sets with the share, not with the classes that as many patterns "
              "are put into", [
            Bound("a doubling of the share", lambda s: s.between["share"], ">=", 0.5),
            Bound("a doubling of patterns a class over that",
                  lambda s: s.between["patterns"] / s.between["share"], ">=", -0.15),
            Bound("and from above",
                  lambda s: s.between["patterns"] / s.between["share"], "<=", 0.15),
        ]),
        Claim("B1", "but not with the share alone: among more patterns, each rarer, less of the "
              "same is learned", [
            Bound("a doubling of patterns in all over one of the share",
                  lambda s: s.between["in_all"] / s.between["share"], "<=", -0.15),
        ]),
        Claim("B2", "beside classes of few patterns those of many are favoured, if anything", [
            Bound("200 a class less 20", lambda s: s.gap("unlike_classes", 1, 0), ">=", 0.05),
        ]),
        Claim("B3", "what the large rate left, one epoch of decay learns: no tier was beyond it", [
            Bound("9 copies of 10: rise", lambda s: s.later["three_tiers"][1]
                  - s.stage_one["three_tiers"][1], ">=", 0.15),
            Bound("9 copies of 100: rise", lambda s: s.later["three_tiers"][2]
                  - s.stage_one["three_tiers"][2], ">=", 0.15),
            Bound("least of all tiers at the end",
                  lambda s: min(each.min() for each in s.end.values()), ">=", 0.85),
        ]),
        Claim("B4", "a small rate learns every tier of these data sets in the same epochs", [
            Bound("the least", lambda s: float(np.min(s.small)), ">=", 0.90),
        ]),
        Claim("T1", "the threshold of frequency rises with the rate and with weight decay", [
            Bound("doublings a doubling of the rate", lambda s: s.moves[0], ">=", 0.5),
            Bound("doublings a doubling of weight decay", lambda s: s.moves[1], ">=", 0.5),
        ]),
        Claim("T2", "after stage one it goes with their product: as much with one as the other", [
            Bound("the rate's less weight decay's", lambda s: s.moves[0] - s.moves[1], "<=", 0.25),
            Bound("and the other way", lambda s: s.moves[1] - s.moves[0], "<=", 0.25),
        ]),
        Claim("V", "what the large rate leaves unlearned here is what comes too seldom, not a tier "
              "for its many patterns; how seldom that is depends on rate, weight decay and what "
              "else there is to learn", [
            Bound("60 copies of 30 a class less 9 of 10", lambda s: s.gap("reversal", 1, 0),
                  ">=", 0.20),
            Bound("size of a doubling of patterns over one of copies, within",
                  lambda s: abs(s.within["patterns"] / s.within["copies"]), "<=", 0.15),
            Bound("size of a doubling of patterns a class over one of the share, between",
                  lambda s: abs(s.between["patterns"] / s.between["share"]), "<=", 0.15),
            Bound("of patterns in all over one of the share",
                  lambda s: s.between["in_all"] / s.between["share"], "<=", -0.15),
            Bound("what a doubling of the rate moves, and one of weight decay, the lesser",
                  lambda s: float(min(s.moves)), ">=", 0.5),
        ]),
    ]  # fmt: skip


settings, summary, figure = design.settings, report.summary, report.figure

EXPERIMENT = Experiment.of(
    __name__,
    about="does a large rate filter complex patterns, or ones that are seen rarely?",
    paper="the control of its claim: complexity apart from frequency",
)
