movq 400(%rdi), %rax
movq %rdx, %rcx
subq 392(%rdi), %rcx
subq %rcx, %rax
setae %cl
cmpq $8, %rax
setae %sil
testb $7, %dl
sete %al
andb %cl, %al
andb %sil, %al
retq
