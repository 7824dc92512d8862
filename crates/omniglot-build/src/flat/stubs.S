# The requests of a foreign image to its host (crates/omniglot-pmp, runtime.rs): in a7, by `ecall`.
# These stubs are foreign code like any other: the host relies on nothing here.

    .set    RETURN, 0x6f000000
    .set    CALL_BACK, 0x6f001000
    .set    EXIT, 0x6f002000
    .set    ABORT, 0x6f003000

# Where a shim returns to. The host put the call's level into s1, which C keeps.
    .section .text.omniglot_return, "ax", @progbits
    .globl  omniglot_return
omniglot_return:
    mv      a0, s1
    lui     a7, RETURN >> 12
    ecall

# void omniglot_call_back(uint32_t slot, void *arguments)
# What C wants kept goes to the stack here: the host remembers only sp and pc, and comes
# back with 0 in a0, or with a function to run in the callback's place, and its argument
# in a1. It goes on behind a four-byte ecall.
    .section .text.omniglot_call_back, "ax", @progbits
    .globl  omniglot_call_back
omniglot_call_back:
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
    lui     a7, CALL_BACK >> 12
    ecall
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
    addi    sp, sp, 64
    beqz    a0, 1f
    mv      t0, a0
    mv      a0, a1
    jr      t0
1:  ret

# _Noreturn void _exit(int status)
    .section .text._exit, "ax", @progbits
    .weak   _exit
_exit:
    lui     a7, EXIT >> 12
    ecall
    j       _exit

# _Noreturn void abort(void)
    .section .text.abort, "ax", @progbits
    .weak   abort
abort:
    lui     a7, ABORT >> 12
    ecall
    j       abort
