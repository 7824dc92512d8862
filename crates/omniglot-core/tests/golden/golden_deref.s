movq N(%rdi), %rax
movq (%rax), %rax
retq
