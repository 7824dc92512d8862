pushq %r14
pushq %rbx
subq $216, %rsp
movq %rsi, %rbx
movq %rdi, %r14
xorps %xmm0, %xmm0
movaps %xmm0, (%rsp)
movq $0, N(%rsp)
movl %edx, N(%rsp)
movl %ecx, N(%rsp)
movq N(%rdi), %rax
movzbl N(%rax), %eax
testb %al, %al
jne .LBB_7
leaq N(%r14), %rdi
movq %rsp, %rdx
movl $24, %ecx
movl $2, %esi
callq _ZN13omniglot_core6domain15Domain$LT$R$GT$5start17hE
testb %al, %al
jne .LBB_2
.LBB_5:
movl $1, %eax
movl N(%rsp), %edx
addq $216, %rsp
popq %rbx
popq %r14
retq
.LBB_2:
movzbl %al, %r9d
leaq N(%rsp), %rdi
movq %rsp, %rcx
movl $24, %r8d
movq %r14, %rsi
movq %rbx, %rdx
callq _ZN13omniglot_core4call5go_on17hE
jmp .LBB_3
.LBB_7:
leaq N(%rsp), %rdi
movq %rsp, %rcx
movq %r14, %rsi
movq %rbx, %rdx
callq _ZN13omniglot_core4call18call_after_waiting17hE
.LBB_3:
cmpb $37, N(%rsp)
je .LBB_5
xorl %eax, %eax
addq $216, %rsp
popq %rbx
popq %r14
retq
