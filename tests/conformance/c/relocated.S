/* Code that the dynamic linker changes after loading it: it becomes `wrpkru; ret`. */
    .text
    .balign 16
    .globl relocated_code
    .type relocated_code, @function
relocated_code:
    .quad relocated_value
    .size relocated_code, . - relocated_code

    .globl relocated_value
    .set relocated_value, 0xc3ef010f

    .section .note.GNU-stack, "", @progbits
