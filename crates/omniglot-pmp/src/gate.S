# The gate enters foreign code from the kernel, and returns on the first trap.
#
#   uint64_t omniglot_pmp_enter(uint32_t a0, uint32_t a1, struct context *context,
#                               uint32_t pc, uint32_t sp, uint32_t s1)
#   uint64_t omniglot_pmp_resume(struct context *context)
#
# Called in machine mode with interrupts off (mstatus.MIE = 0). Both functions return when a trap of
# any kind ends or interrupts foreign code. The lower half of the result is mcause, the upper half
# is foreign code's a7.
#
# omniglot_pmp_enter starts foreign code at pc. ra and tp, which are the same for all calls of a
# domain, come from the context, and every other register becomes 0. omniglot_pmp_resume resumes
# after an interrupt: pc and all registers come from the context.
#
# What the context then holds depends on the trap. After an ecall that requests a return: a0. After
# any other ecall: pc, sp, a0 and a1, which is all that the runtime's own stubs leave behind. After
# any other trap: pc, mtval and all registers.
#
# Conventions:
# - While foreign code runs, mscratch holds the context's address, and mtvec the address of
#   this gate's handler. Both, and mstatus, are restored before these functions return.
#   mepc, mcause and mtval are not: the caller saves them where they matter.
# - No register passes from the kernel to foreign code: each is loaded with a value meant
#   for foreign code, or zeroed.
# - Values that foreign code leaves in registers are only stored or returned. The kernel's
#   registers are all reloaded from the kernel's stack, which is found through mscratch, a
#   register that user mode cannot access.
#
# The names in braces are byte offsets in `Context` (gate.rs).

    # Saves C's callee-saved registers, gp and tp on the kernel's stack, and the kernel's trap state
    # in the context. Clobbers t0.
    .macro  omniglot_pmp_leave_kernel context
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
    sw      sp, {HOST_SP}(\context)
    # MPP = user; MPRV, FS, VS, SUM, MXR, UBE = 0; TW = 1, so that wfi traps.
    li      t0, {FOREIGN_MSTATUS}
    csrrw   t0, mstatus, t0
    sw      t0, {HOST_MSTATUS}(\context)
    la      t0, omniglot_pmp_trap
    csrrw   t0, mtvec, t0
    sw      t0, {HOST_MTVEC}(\context)
    csrrw   t0, mscratch, \context
    sw      t0, {HOST_MSCRATCH}(\context)
    .endm

    .pushsection .text.omniglot_pmp_enter, "ax", @progbits
    .globl  omniglot_pmp_enter
    .type   omniglot_pmp_enter, @function
    .balign 4
omniglot_pmp_enter:
    omniglot_pmp_leave_kernel a2
    csrw    mepc, a3
    lw      ra, {RETURN_STUB}(a2)
    lw      tp, {THREAD_POINTER}(a2)
    mv      sp, a4
    mv      s1, a5
    li      gp, 0
    li      t0, 0
    li      t1, 0
    li      t2, 0
    li      s0, 0
    li      a2, 0
    li      a3, 0
    li      a4, 0
    li      a5, 0
    li      a6, 0
    li      a7, 0
    li      s2, 0
    li      s3, 0
    li      s4, 0
    li      s5, 0
    li      s6, 0
    li      s7, 0
    li      s8, 0
    li      s9, 0
    li      s10, 0
    li      s11, 0
    li      t3, 0
    li      t4, 0
    li      t5, 0
    li      t6, 0
    mret
    .size   omniglot_pmp_enter, . - omniglot_pmp_enter
    .popsection

    .pushsection .text.omniglot_pmp_resume, "ax", @progbits
    .globl  omniglot_pmp_resume
    .type   omniglot_pmp_resume, @function
    .balign 4
omniglot_pmp_resume:
    omniglot_pmp_leave_kernel a0
    lw      t0, {PC}(a0)
    csrw    mepc, t0
    # a0 is the last, since it holds the context's address.
    lw      x1, {X} + 4*1(a0)
    lw      x2, {X} + 4*2(a0)
    lw      x3, {X} + 4*3(a0)
    lw      x4, {X} + 4*4(a0)
    lw      x5, {X} + 4*5(a0)
    lw      x6, {X} + 4*6(a0)
    lw      x7, {X} + 4*7(a0)
    lw      x8, {X} + 4*8(a0)
    lw      x9, {X} + 4*9(a0)
    lw      x11, {X} + 4*11(a0)
    lw      x12, {X} + 4*12(a0)
    lw      x13, {X} + 4*13(a0)
    lw      x14, {X} + 4*14(a0)
    lw      x15, {X} + 4*15(a0)
    lw      x16, {X} + 4*16(a0)
    lw      x17, {X} + 4*17(a0)
    lw      x18, {X} + 4*18(a0)
    lw      x19, {X} + 4*19(a0)
    lw      x20, {X} + 4*20(a0)
    lw      x21, {X} + 4*21(a0)
    lw      x22, {X} + 4*22(a0)
    lw      x23, {X} + 4*23(a0)
    lw      x24, {X} + 4*24(a0)
    lw      x25, {X} + 4*25(a0)
    lw      x26, {X} + 4*26(a0)
    lw      x27, {X} + 4*27(a0)
    lw      x28, {X} + 4*28(a0)
    lw      x29, {X} + 4*29(a0)
    lw      x30, {X} + 4*30(a0)
    lw      x31, {X} + 4*31(a0)
    lw      x10, {X} + 4*10(a0)
    mret
    .size   omniglot_pmp_resume, . - omniglot_pmp_resume
    .popsection
    .purgem omniglot_pmp_leave_kernel

    # Every trap of foreign code enters here: in machine mode, with interrupts off and the context's
    # address in mscratch. The lowest bits of mtvec are its mode (0: all traps go to one address),
    # and implementations may require more alignment than 4.
    .pushsection .text.omniglot_pmp_trap, "ax", @progbits
    .globl  omniglot_pmp_trap
    .type   omniglot_pmp_trap, @function
    .balign 64
omniglot_pmp_trap:
    csrrw   sp, mscratch, sp
    sw      x10, {X} + 4*10(sp)
    sw      x5, {X} + 4*5(sp)
    csrr    a0, mcause
    addi    t0, a0, -8                  # an ecall from user mode
    bnez    t0, 3f
    li      t0, {REQUEST_RETURN}
    beq     a7, t0, 2f                  # a return: nothing else is of interest
    sw      x11, {X} + 4*11(sp)

1:  csrr    t0, mscratch                # foreign code's sp
    sw      t0, {X} + 4*2(sp)
    csrr    t0, mepc
    sw      t0, {PC}(sp)

2:  mv      a1, a7

    # Restores the kernel's trap state.
    lw      t0, {HOST_MTVEC}(sp)
    csrw    mtvec, t0
    lw      t0, {HOST_MSCRATCH}(sp)
    csrw    mscratch, t0
    lw      t0, {HOST_MSTATUS}(sp)
    csrw    mstatus, t0

    # Restores the kernel's registers.
    lw      sp, {HOST_SP}(sp)
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

    # Not an ecall: foreign code may resume where it was.
3:  csrr    t0, mtval
    sw      t0, {VALUE}(sp)
    sw      x1, {X} + 4*1(sp)
    sw      x3, {X} + 4*3(sp)
    sw      x4, {X} + 4*4(sp)
    sw      x6, {X} + 4*6(sp)
    sw      x7, {X} + 4*7(sp)
    sw      x8, {X} + 4*8(sp)
    sw      x9, {X} + 4*9(sp)
    sw      x11, {X} + 4*11(sp)
    sw      x12, {X} + 4*12(sp)
    sw      x13, {X} + 4*13(sp)
    sw      x14, {X} + 4*14(sp)
    sw      x15, {X} + 4*15(sp)
    sw      x16, {X} + 4*16(sp)
    sw      x17, {X} + 4*17(sp)
    sw      x18, {X} + 4*18(sp)
    sw      x19, {X} + 4*19(sp)
    sw      x20, {X} + 4*20(sp)
    sw      x21, {X} + 4*21(sp)
    sw      x22, {X} + 4*22(sp)
    sw      x23, {X} + 4*23(sp)
    sw      x24, {X} + 4*24(sp)
    sw      x25, {X} + 4*25(sp)
    sw      x26, {X} + 4*26(sp)
    sw      x27, {X} + 4*27(sp)
    sw      x28, {X} + 4*28(sp)
    sw      x29, {X} + 4*29(sp)
    sw      x30, {X} + 4*30(sp)
    sw      x31, {X} + 4*31(sp)
    j       1b
    .size   omniglot_pmp_trap, . - omniglot_pmp_trap
    .popsection
