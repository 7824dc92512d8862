movq 8(%rdi), %rax
retq
