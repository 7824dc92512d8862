# The attacks that cannot be written in C.

# uint32_t read_csr(uint32_t number): one `csrrs a0, number, x0; ret` for each number.
    .text
    .balign 4
    .option push
    .option norvc
    .globl  read_csr
read_csr:
    slli    a0, a0, 3
    la      t0, reads
    add     t0, t0, a0
    jr      t0
    .globl  write_csr
write_csr:
    slli    a0, a0, 3
    la      t0, writes
    add     t0, t0, a0
    mv      a0, a1
    jr      t0
    .set    number, 0
reads:
    .rept   4096
    .4byte  0x00002573 | (number << 20)
    .4byte  0x00008067
    .set    number, number + 1
    .endr
    .set    number, 0
writes:                                 # csrrw x0, number, a0; ret
    .rept   4096
    .4byte  0x00051073 | (number << 20)
    .4byte  0x00008067
    .set    number, number + 1
    .endr

# void run_instruction(uint32_t index)
    .globl  run_instruction
run_instruction:
    slli    a0, a0, 3
    la      t0, instructions
    add     t0, t0, a0
    jr      t0
instructions:
    .irp    word, 0x30200073, 0x10200073, 0x00200073, 0x10500073, 0x12000073, 0x7b200073, 0x70200073, 0x16000073, 0x18000073, 0x22000073, 0x62000073, 0x00000000, 0xffffffff, 0x00007013 | 0x7b, 0x00b50553 | 0x00000000
    .4byte  \word
    .4byte  0x00008067
    .endr
# In order: mret, sret, uret, wfi, sfence.vma, dret, mnret, sinval.vma, sfence.w.inval,
# hfence.vvma, hfence.gvma, no instruction (zeros), no instruction (ones), a custom one,
# fadd.s (floating point is disabled, if it exists).
    .option pop

# uint32_t request(uint32_t number, uint32_t a0, uint32_t a1)
    .globl  request
request:
    mv      a7, a0
    mv      a0, a1
    mv      a1, a2
    ecall
    ret

# void push_at(uintptr_t stack)
    .globl  push_at
push_at:
    mv      sp, a0
    sw      a0, -4(sp)
    ret

# void request_at(uintptr_t stack, uint32_t number, uint32_t a0, uint32_t a1)
    .globl  request_at
request_at:
    mv      s2, sp
    mv      sp, a0
    mv      a7, a1
    mv      a0, a2
    mv      a1, a3
    ecall
    j       request_at

# void spin_at(uintptr_t stack)
    .globl  spin_at
spin_at:
    mv      sp, a0
1:  j       1b

    .macro  garbage
    li      x1, 0xdeadbee1
    li      x2, 0xdeadbee2
    li      x3, 0xdeadbee3
    li      x4, 0xdeadbee4
    li      x5, 0xdeadbee5
    li      x6, 0xdeadbee6
    li      x7, 0xdeadbee7
    li      x8, 0xdeadbee8
    li      x9, 0xdeadbee9
    li      x12, 0xdeadbe12
    li      x13, 0xdeadbe13
    li      x14, 0xdeadbe14
    li      x15, 0xdeadbe15
    li      x16, 0xdeadbe16
    li      x18, 0xdeadbe18
    li      x19, 0xdeadbe19
    li      x20, 0xdeadbe20
    li      x21, 0xdeadbe21
    li      x22, 0xdeadbe22
    li      x23, 0xdeadbe23
    li      x24, 0xdeadbe24
    li      x25, 0xdeadbe25
    li      x26, 0xdeadbe26
    li      x27, 0xdeadbe27
    li      x28, 0xdeadbe28
    li      x29, 0xdeadbe29
    li      x30, 0xdeadbe30
    li      x31, 0xdeadbe31
    .endm

# void return_garbage(uint32_t level)
    .globl  return_garbage
return_garbage:
    garbage
    li      a1, 0xdeadbe11
    li      a7, 0x6f000000
    ecall
1:  j       1b

# void call_back_garbage(uint32_t slot, uintptr_t arguments)
    .globl  call_back_garbage
call_back_garbage:
    garbage
    li      a7, 0x6f001000
    ecall
    unimp

# void entry_registers(void *frame): 31 words after the frame's header.
    .globl  entry_registers
entry_registers:
    .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sw      x\n, 4 + 4*\n(a0)
    .endr
    ret

# bool registers_stay(uint32_t rounds): x5 counts and collects differences, x10 is the expected value.
    .globl  registers_stay
registers_stay:
    addi    sp, sp, -64
    sw      ra, 0(sp)
    sw      s0, 4(sp)
    sw      s1, 8(sp)
    sw      s2, 12(sp)
    sw      s3, 16(sp)
    sw      s4, 20(sp)
    sw      s5, 24(sp)
    sw      s6, 28(sp)
    sw      s7, 32(sp)
    sw      s8, 36(sp)
    sw      s9, 40(sp)
    sw      s10, 44(sp)
    sw      s11, 48(sp)
    sw      gp, 52(sp)
    sw      tp, 56(sp)
    sw      sp, saved_stack, t1
    mv      t0, a0
    .irp    n, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li      x\n, 0x5a000000 + 0x10101 * \n
    .endr
1:  addi    t0, t0, -1
    bnez    t0, 1b
    .irp    n, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    li      x10, 0x5a000000 + 0x10101 * \n
    xor     x\n, x\n, x10
    or      t0, t0, x\n
    .endr
    lw      sp, saved_stack
    seqz    a0, t0
    lw      ra, 0(sp)
    lw      s0, 4(sp)
    lw      s1, 8(sp)
    lw      s2, 12(sp)
    lw      s3, 16(sp)
    lw      s4, 20(sp)
    lw      s5, 24(sp)
    lw      s6, 28(sp)
    lw      s7, 32(sp)
    lw      s8, 36(sp)
    lw      s9, 40(sp)
    lw      s10, 44(sp)
    lw      s11, 48(sp)
    lw      gp, 52(sp)
    lw      tp, 56(sp)
    addi    sp, sp, 64
    ret

    .section .bss.saved_stack, "aw", @nobits
    .balign 4
saved_stack:
    .4byte  0
