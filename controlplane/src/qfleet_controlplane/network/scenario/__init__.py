"""A scenario of the quantum network: what a file may say, how it is read and what is refused."""
