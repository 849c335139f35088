"""Checks for numerics, usable on a user's own functions: gradients, finiteness, a Recommender's promises."""

from hkjax.testing.finite import check_finite as check_finite
from hkjax.testing.gradients import GradientError as GradientError
from hkjax.testing.gradients import check_gradients as check_gradients
from hkjax.testing.promises import check_recommender as check_recommender
