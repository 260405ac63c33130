"""Watch a learning rate decide what a network remembers.

Ten classes of images. Some are drawn from few patterns a class, which are simple to learn; some
from many, which are complex; and one in ten is noise, a random image with a random label, which
can only be memorized. The same network is trained three times, from the same weights and batches:

    decay            0.3 for ten epochs, then 0.03, then 0.003
    constant large   0.3 throughout
    constant small   0.01 throughout (and, on the first seed, 0.03 and 0.003 for comparison)

What to look for: at the large rate the noise stays near chance and the complex patterns half
learned. One epoch after the decay the complex patterns are there. The small rate has memorized all
the noise by then. And what not to overlook: decay ends with part of the noise memorized too.

The experiment itself, with every number it is held to, is `minidecay/lab/noisy_memorization.py`;
`--help` lists the options, `--scale smoke` is the quickest look.
"""

import sys

from minidecay.lab import noisy_memorization

if __name__ == "__main__":  # the guard lets worker processes import this file
    sys.exit(noisy_memorization.main())
