"""Tests of the kernels, against `reference/`, other libraries and laws."""
