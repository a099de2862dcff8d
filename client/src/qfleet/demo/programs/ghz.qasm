// A GHZ state of three qubits: (|000> + |111>) / sqrt(2).
// Exactly half of the shots give 000, the other half 111, and no shot gives anything else.
OPENQASM 3.0;
include "stdgates.inc";

qubit[3] q;
bit[3] c;

h q[0];
cx q[0], q[1];
cx q[1], q[2];
c = measure q;
