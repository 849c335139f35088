"""The Poincare ball and its entailment cones, as functions of points."""
