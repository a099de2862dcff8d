"""Programs cut into parts: Schrödinger–Feynman path sums, planned and put together exactly.

A gate across two parts is a short sum of products of operators (its operator-Schmidt form). One choice of a
term for every cut gate is a *path*: along a path the parts do not know each other, and the program's state
is the sum over paths of products of the parts' states (Aaronson and Chen, arXiv:1612.05903, section 5;
Markov, Fatima, Isakov and Boixo, arXiv:1807.10749). ``pieces`` reads a program, ``partition`` finds the
parts, ``outline`` foretells what they cost, ``assembly`` makes their programs, ``recombination`` puts
results together and ``choice`` decides.
"""
