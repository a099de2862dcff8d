// A cat state of seven qubits, grown by measurement and feed-forward.
//
// Six Bell pairs are fused one after the other: the parity of two neighbours is measured through a
// controlled NOT, and where the outcome is 1 the far end of the next pair is flipped. The depth
// of each fusion does not depend on how long the cat is.
//
// The outcomes of the five fusions are fair coins, independent of each other and of the rest. The
// seven qubits that remain are in (|0000000> + |1111111>) / sqrt(2), whatever the coins said: each of
// the 2^5 * 2 = 64 possible outcomes has probability 1/64. Without the corrections the seven bits
// would agree in one of 32 shots only.
OPENQASM 3.0;
include "stdgates.inc";

qubit[12] q;
bit[5] fusion;
bit[7] cat;

for int pair in [0:5] {
  h q[2 * pair];
  cx q[2 * pair], q[2 * pair + 1];
}

for int link in [0:4] {
  cx q[2 * link + 1], q[2 * link + 2];
  fusion[link] = measure q[2 * link + 2];
  if (fusion[link] == 1) {
    x q[2 * link + 3];
  }
}

cat[0] = measure q[0];
for int pair in [0:5] {
  cat[pair + 1] = measure q[2 * pair + 1];
}
