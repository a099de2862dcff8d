"""Quadratic models of bits: building them from constraints, asking a fleet for low states, reading those.

A model is E(x) = offset + Σ aᵢ xᵢ + Σ bᵢⱼ xᵢ xⱼ with x in {0, 1} (QUBO). Constraints become penalties after
Lucas, "Ising formulations of many NP problems", Front. Phys. 2, 5 (2014); each penalty's weight is an
argument, stated by whoever builds the model. Pure: no clock, no random source; a fleet is an argument.
"""
