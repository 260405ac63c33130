"""Published archives: found or fetched, held to their checksum, and read without running code.

`published` finds, fetches and checks; `pickles` reads what Python 2 pickled, as data; `cifar` and
`mnist` are the two sets.
"""
