// QAOA of depth one for the largest cut of a ring of twenty vertices.
//
// The cost operator is C = sum over edges of (1 - Z_u Z_v) / 2. After the layers exp(-i gamma C) and
// exp(-i beta sum X), each edge is cut with the probability
//   1/2 + 1/4 sin(4 beta) sin(2 gamma)
// (Wang, Hadfield, Jiang and Rieffel, Phys. Rev. A 97, 022304 (2018), for the ring of disagrees),
// at best 3/4, at gamma = pi/4 and beta = pi/8.
OPENQASM 3.0;
include "stdgates.inc";

input float gamma;
input float beta;

qubit[20] q;

h q;

for int u in [0:19] {
  // exp(i gamma/2 Z Z): exp(-i gamma C) of one edge, but for a global phase
  cx q[u], q[(u + 1) % 20];
  rz(-gamma) q[(u + 1) % 20];
  cx q[u], q[(u + 1) % 20];
}

for int u in [0:19] {
  rx(2 * beta) q[u];
}
