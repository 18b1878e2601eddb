"""Recurrences as machine code for this CPU, generated from the program and its derivative through LLVM.

`plan` decides what is computed when; `forward` and `backward` write the kernels on top of `vector`, `functions` and
`products`; `compiler` makes and caches the code; `launch` calls it on the threads of `threads` with memory of `memory`.
"""
