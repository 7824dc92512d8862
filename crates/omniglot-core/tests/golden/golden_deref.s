movq 24(%rdi), %rax
movq (%rax), %rax
retq
