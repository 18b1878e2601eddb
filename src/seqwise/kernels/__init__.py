"""Ways to run a program: `reference` (plain PyTorch, the oracle), `cpu` (generated kernels), `vendor` (cuDNN and oneDNN).

`derived` is the derived backward program as a plain loop: what the CPU kernels compile, readable and in any type.
"""
