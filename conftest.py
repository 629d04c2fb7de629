"""Settings of all tests, those of the notebooks too."""

import os

import matplotlib
from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("course", deadline=None)
settings.load_profile("course")

# Chapter 2 is compared with what it shows of the generated ratings, whatever lies in data/.
os.environ["COURSE_RATINGS"] = "generated"

# Where no home can be written, Matplotlib says so and takes a folder that it names to later processes:
# said here, it is not said in a kernel, as an output that no saved notebook has.
matplotlib.get_configdir()
matplotlib.get_cachedir()
