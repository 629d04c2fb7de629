"""Settings of all tests, those of the notebooks too."""

import os

from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("course", deadline=None)
settings.load_profile("course")

# Chapter 2 is compared with what it shows of the generated ratings, whatever lies in data/.
os.environ["COURSE_RATINGS"] = "generated"
