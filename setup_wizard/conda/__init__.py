"""Conda as data and as an engine: environment files, distributions, solving and linking."""
