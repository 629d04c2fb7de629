"""Settings of all tests, those of the notebooks too."""

import os

import matplotlib
from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("course", deadline=None)
settings.load_profile("course")

# Chapter 2 is compared with what it shows of the generated ratings, whatever lies in data/.
os.environ["COURSE_RATINGS"] = "generated"

# Where no home can be written, Matplotlib warns, and takes a temporary folder that later processes inherit.
# So it warns here, and not in a notebook's kernel: no saved notebook has a warning.
matplotlib.get_configdir()
matplotlib.get_cachedir()
