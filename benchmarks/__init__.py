"""How fast minidecay is, held against torch: what is timed, how, and two ways to run it."""
