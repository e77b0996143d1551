"""A Solana cluster on this machine: the real runtime and the real programs behind the interface that clients know."""
