"""Cognition: order effects, the disjunction effect, and integrated information of quantum mechanisms."""
