"""Ways to run a program: `reference` (plain PyTorch, the oracle) and `vendor` (cuDNN and oneDNN through torch)."""
