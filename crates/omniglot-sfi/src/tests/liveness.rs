use super::{Sample, TEXT};

const RCX: u8 = 1;
const R10: u8 = 10;
const R11: u8 = 11;

/// `movl $1, %r11d; cmpl $2, %edi; jne 1f; movl $3, %r11d; 1: movl %r11d, %eax; ret`
const BRANCH: &[u8] = &[
    0x41, 0xbb, 1, 0, 0, 0, 0x83, 0xff, 2, 0x75, 6, 0x41, 0xbb, 3, 0, 0, 0, 0x44, 0x89, 0xd8, 0xc3,
];

#[test]
fn a_register_is_needed_until_it_is_written_on_each_way() {
    let sample = Sample::new(BRANCH, &[0], &[]);
    assert!(sample.live_after(0).has(R11), "one path leads to where it is read");
    assert!(sample.live_after(6).has(R11) && sample.live_after(6).has_flags());
    assert!(
        sample.live_after(9).has(R11) && !sample.live_after(9).has_flags(),
        "{:?}",
        sample.live_after(9)
    );
    assert!(!sample.live_after(17).has(R11), "nothing reads it later");
    // RDI is an argument, and dead after the comparison. RBX belongs to the caller.
    assert!(!sample.live_after(6).has(7) && sample.live_after(6).has(3));
}

/// `addq $16, %rax; shrq $32, %rax; jne 1f; 1: ret`, and the same with `shrl`
#[test]
fn a_shift_by_32_writes_the_flags_if_it_has_64_bits() {
    let wide = [0x48, 0x83, 0xc0, 16, 0x48, 0xc1, 0xe8, 32, 0x75, 0, 0xc3];
    assert!(!Sample::new(&wide, &[0], &[]).live_after(0).has_flags());
    let narrow = [0x48, 0x83, 0xc0, 16, 0x90, 0xc1, 0xe8, 32, 0x75, 0, 0xc3];
    assert!(Sample::new(&narrow, &[0], &[]).live_after(0).has_flags());
}

/// `movl $5, %r10d; movl $6, %r11d; call 1f; movl %r10d, %eax; ret; 1: leal 1(%rdi), %eax; ret`
const KNOWN: &[u8] = &[
    0x41, 0xba, 5, 0, 0, 0, 0x41, 0xbb, 6, 0, 0, 0, 0xe8, 4, 0, 0, 0, 0x44, 0x89, 0xd0, 0xc3, 0x8d,
    0x47, 1, 0xc3,
];

#[test]
fn what_callers_expect_of_a_function_that_they_know_is_needed_at_its_return() {
    let sample = Sample::new(KNOWN, &[0, 21], &[]);
    assert!(sample.live_after(24).has(R10), "the caller reads it after the call");
    assert!(!sample.live_after(24).has(R11), "nobody reads it");
    assert!(!sample.live_after(20).has(R10), "that return is the outer one");
}

/// The same, where all registers that a return could use are live: `movl` of rcx, rsi, rdi, r8 to
/// r11; `call 1f; addl` of each to EAX; `ret; 1: movl $1, %eax; ret`
fn all_are_expected() -> (Vec<u8>, u64) {
    let mut code = Vec::new();
    for register in [1, 6, 7] {
        code.extend([0xb8 | register, register, 0, 0, 0]);
    }
    for register in 0..4 {
        code.extend([0x41, 0xb8 | register, register, 0, 0, 0]);
    }
    let call = code.len() as u64;
    code.extend([0xe8, 0x13, 0, 0, 0]);
    for register in [1, 6, 7] {
        code.extend([0x01, 0xc0 | register << 3]);
    }
    for register in 0..4 {
        code.extend([0x44, 0x01, 0xc0 | register << 3]);
    }
    code.extend([0xc3, 0xb8, 1, 0, 0, 0, 0xc3]);
    (code, call)
}

#[test]
fn where_all_are_expected_one_is_left_below_the_stack() {
    const LEAVES: [u8; 5] = [0x4c, 0x89, 0x5c, 0x24, 0xe8];
    const FETCHES: [u8; 5] = [0x4c, 0x8b, 0x5c, 0x24, 0xe0];
    let (code, call) = all_are_expected();
    let sample = Sample::new(&code, &[0, code.len() as u64 - 6], &[]);
    assert!(sample.liveness.fetches(TEXT, sample.number(call)));
    let items = sample.items();
    let at = |bytes: &[u8]| items.iter().filter(|item| item.bytes() == bytes).count();
    assert_eq!((at(&LEAVES), at(&FETCHES)), (1, 1));
    // In the other sample one register is free, so nothing is stored below the stack.
    let sample = Sample::new(KNOWN, &[0, 21], &[]);
    assert!(sample.items().iter().all(|item| item.bytes() != LEAVES && item.bytes() != FETCHES));
}

/// Before that code: `movl $6, %r11d; call 1f; movl %r11d, %eax; ret; 1: testl %edi, %edi; je` to its
/// last function; `movl $2, %eax; ret`
const BY_ANOTHER: &[u8] = &[
    0x41, 0xbb, 6, 0, 0, 0, 0xe8, 4, 0, 0, 0, 0x44, 0x89, 0xd8, 0xc3, 0x85, 0xff, 0x74, 6, 0xb8, 2,
    0, 0, 0, 0xc3,
];

#[test]
fn who_may_return_by_another_function_leaves_the_same_below_the_stack() {
    let (all, _) = all_are_expected();
    let middle = 15;
    let last = BY_ANOTHER.len() + all.len() - 6;
    let mut code = [BY_ANOTHER, &all].concat();
    code[18] = (last - 19) as u8;
    let functions = [0, middle, BY_ANOTHER.len() as u64, last as u64];
    let sample = Sample::new(&code, &functions, &[]);
    let at = |offset| sample.number(offset);
    assert!(sample.liveness.fetches(TEXT, at(6)), "it may return from the last function");
    let (own, of_last) = (BY_ANOTHER.len() as u64 - 1, code.len() as u64 - 1);
    for place in [own, of_last] {
        assert!(
            [1, 6, 7, 8, 9, 10, 11].iter().all(|register| sample.live_after(place).has(*register))
        );
    }
    const LEAVES: [u8; 5] = [0x4c, 0x89, 0x5c, 0x24, 0xe8];
    let leaving = sample.items().iter().filter(|item| item.bytes() == LEAVES).count();
    assert_eq!(leaving, 2, "both returns");
}

/// `cmpl $1, %esi; movq %rdi, %rdi; rep stosq; je 1f; nop; 1: ret`
const FILL: &[u8] = &[0x83, 0xfe, 1, 0x48, 0x89, 0xff, 0xf3, 0x48, 0xab, 0x74, 1, 0x90, 0xc3];

#[test]
fn flags_that_are_needed_across_a_string_instruction_are_kept() {
    let sample = Sample::new(FILL, &[0], &[]);
    assert!(sample.live_after(6).has_flags());
    let lahf =
        |sample: &Sample| sample.items().iter().filter(|item| item.bytes() == [0x9f]).count();
    assert_eq!(lahf(&sample), 1);
    // Without the branch the flags are dead.
    let sample = Sample::new(&[&FILL[..9], &[0xc3]].concat(), &[0], &[]);
    assert_eq!(lahf(&sample), 0);
}

/// `movl $7, %r11d; jmp *0(,%rax,8)`, then two places: `movl %r11d, %eax; ret` and `movl %ecx,
/// %eax; ret`. The displacement has no relocation, so this may be any indirect jump.
const TABLE: &[u8] = &[
    0x41, 0xbb, 7, 0, 0, 0, 0xff, 0x24, 0xc5, 0, 0, 0, 0, 0x44, 0x89, 0xd8, 0xc3, 0x89, 0xc8, 0xc3,
];

#[test]
fn an_indirect_jump_needs_what_its_targets_need() {
    let sample = Sample::new(TABLE, &[0], &[13, 17]);
    assert!(sample.live_after(6).has(R11) && sample.live_after(6).has(RCX));
    // All other registers are live, too, since the jump may lead to another function. So r11 is
    // saved in memory, and restored at the place that needs it, and nowhere else.
    let number = |offset| sample.number(offset);
    assert!(sample.liveness.keeps_r11(TEXT, number(6)));
    assert!(sample.liveness.restores_r11(TEXT, number(13)));
    assert!(!sample.liveness.restores_r11(TEXT, number(17)));
    const KEEPS: [u8; 3] = [0x4c, 0x89, 0x1d];
    const RESTORES: [u8; 3] = [0x4c, 0x8b, 0x1d];
    let items = sample.items();
    let at = |start: [u8; 3]| items.iter().position(|item| item.bytes().starts_with(&start));
    let into_r11 =
        items.iter().position(|item| item.bytes().starts_with(&[0x65, 0x67, 0x44, 0x8b]));
    assert!(at(KEEPS).is_some() && at(KEEPS) < into_r11 && into_r11 < at(RESTORES), "{items:?}");
    // Without places whose address is taken, the jump leads to no code of this function.
    let sample = Sample::new(TABLE, &[0], &[]);
    assert!(!sample.live_after(6).has(R11));
}

/// `testl %esi, %esi; jmp *%rdx`, then a place that reads flags: `je 1f; nop; 1: ret`.
const DECIDED: &[u8] = &[0x85, 0xf6, 0xff, 0xe2, 0x74, 1, 0x90, 0xc3];

#[test]
fn flags_that_are_needed_across_an_indirect_jump_are_kept() {
    let sample = Sample::new(DECIDED, &[0], &[4]);
    assert!(sample.liveness.restores(TEXT, sample.number(4)));
    let lowered = sample.lowered().expect("it can be rewritten");
    assert!(lowered.entries.contains_key(&sample.number(4)));
    let sahf = lowered.items.iter().filter(|item| item.bytes() == [0x9e]).count();
    assert_eq!(sahf, 1);
    let sample = Sample::new(DECIDED, &[0], &[6]);
    assert!(!sample.liveness.restores(TEXT, sample.number(6)));
}
