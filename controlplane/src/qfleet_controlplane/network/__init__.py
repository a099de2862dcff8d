"""The quantum network as the control plane plans it."""
