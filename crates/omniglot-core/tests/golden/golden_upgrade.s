movq N(%rdi), %rax
movq %rdx, %rcx
subq N(%rdi), %rcx
subq %rcx, %rax
setae %cl
cmpq $8, %rax
setae %sil
testb $7, %dl
sete %al
andb %cl, %al
andb %sil, %al
retq
