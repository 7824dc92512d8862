movq N(%rdi), %rax
retq
