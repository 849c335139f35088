"""Numerical checks, also for your own functions: gradients, finiteness, conformance of a Recommender."""

from hkjax.testing.conformance import check_meshes as check_meshes
from hkjax.testing.conformance import check_recommender as check_recommender
from hkjax.testing.finite import check_finite as check_finite
from hkjax.testing.gradients import GradientError as GradientError
from hkjax.testing.gradients import check_gradients as check_gradients
